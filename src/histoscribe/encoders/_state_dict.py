"""Read a PyTorch state dict without PyTorch, and without running anything that the file says."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.lib.stride_tricks import as_strided

from histoscribe.core.errors import DataError

__all__ = ["read_state_dict"]

_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of PyTorch's format before 1.6
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self, storage: np.ndarray) -> np.ndarray:
        """Copy the elements out of their storage, in C order (published weights lie channels-last)."""
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if min((self.offset, *self.stride, 0)) < 0 or last >= len(storage):
            _refuse(f"a tensor of shape {self.shape} reaches outside its storage")
        strides = [step * storage.itemsize for step in self.stride]
        return np.array(as_strided(storage[self.offset :], self.shape, strides), order="C")


class _Unpickler(pickle.Unpickler):
    """Knows dicts, tensors and their storages; any other global is refused, so that a file cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return _refuse(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, _n, view = pid
        if kind != "storage" or view is not None:
            _refuse("it shares storages in a way that is not supported")
        return _Storage(key, dtype)


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_unused: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


def read_state_dict(data: bytes) -> dict[str, np.ndarray]:
    """Read the bytes of a ``.pth`` file in PyTorch's format before 1.6.

    The format is a row of pickles (magic number, protocol, system, the dict with references to storages, the storages'
    keys), followed by each storage as an 8-byte length and its elements. Reading it here keeps PyTorch, which costs
    seconds and hundreds of MB, out of encoding on a CPU.

    Returns
    -------
    Name to array (float32 or int64), in the file's order.

    Raises
    ------
    DataError
        If the file is truncated, or is not a plain dict of float32 and int64 tensors.
    """
    file = io.BytesIO(data)
    try:
        if (_Unpickler(file).load(), _Unpickler(file).load()) != (_MAGIC, _PROTOCOL):
            _refuse("its magic number is another")
        _Unpickler(file).load()  # byte order and sizes of the writer: every supported one is little-endian
        tensors: dict[str, _Tensor] = _Unpickler(file).load()
        dtypes = {t.storage.key: t.storage.dtype for t in tensors.values()}
        storages = {}
        for key in _Unpickler(file).load():
            n = int(np.frombuffer(file.read(8), dtype="<i8")[0])
            storages[key] = np.frombuffer(file.read(n * dtypes[key].itemsize), dtype=dtypes[key], count=n)
        return {name: tensor.array(storages[tensor.storage.key]) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError) as err:
        msg = f"the weights are not a complete PyTorch state dict ({err}). Reinstall the package that holds them."
        raise DataError(msg) from err


def _refuse(why: str) -> NoReturn:
    raise pickle.UnpicklingError(why)
