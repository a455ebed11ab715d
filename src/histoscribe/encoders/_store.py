"""Where features are kept: whole files only, each with a checksum, so that a killed run loses no finished batch."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from histoscribe.core.errors import StorageError
from histoscribe.core.files import atomic_path, write_json

try:
    import fcntl
except ImportError:  # Windows has no such lock: there two runs compute the same, and whole files make that harmless
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["ArrayFile", "FeatureStore", "check_array", "load_array", "save_array"]

_T = TypeVar("_T")

#: Bytes that are checked at a time.
_CHUNK = 1 << 22


class FeatureStore:
    """The features of one encoder at one tile side.

    In ``<root>/features/<key>`` stand ``about.json`` (what it is, for people), while a run is under way
    ``batches-<size>/<number>.npy``, and at the end only ``features.npy``. The batch size is in the folder's name
    because it sets the batches' boundaries.

    Parameters
    ----------
    root
        The cache's folder.
    key
        Names the content: slide, tiles, encoder, versions.
    shape
        (n, dim) of the features.
    batch_size
        Tiles in a batch; the last one may have fewer.
    about
        JSON values for ``about.json``.
    """

    def __init__(
        self, root: Path, key: str, *, shape: tuple[int, int], batch_size: int, about: Mapping[str, Any]
    ) -> None:
        self.folder = root / "features" / key
        self.final = self.folder / "features.npy"
        self.shape = shape
        self.batch_size = batch_size
        self._batches = self.folder / f"batches-{batch_size}"
        self._about = dict(about)

    @property
    def n_batches(self) -> int:
        """Number of batches."""
        return -(-self.shape[0] // self.batch_size)

    def rows(self, batch: int) -> slice:
        """Rows of one batch."""
        return slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.shape[0]))

    def finished(self) -> ArrayFile | None:
        """Return the file of the finished ``(n, dim)`` features, or None; a damaged one is reported and removed."""
        found = _checked_or_drop(self.final, self.shape, check_array)
        if found is not None:
            self._tidy()
        return found

    def load_batch(self, batch: int) -> np.ndarray | None:
        """Return one finished batch, or None; a damaged file is reported and removed."""
        return _checked_or_drop(self._path(batch), self._batch_shape(batch), load_array)

    def pending(self) -> list[int]:
        """Return the batches that are still to be computed."""
        if not self._batches.is_dir():
            return list(range(self.n_batches))
        return [batch for batch in range(self.n_batches) if self.load_batch(batch) is None]

    def save_batch(self, batch: int, features: np.ndarray) -> None:
        """Keep one finished batch.

        Raises
        ------
        StorageError
            If the disk is full or the cache cannot be written; batches saved before stay.
        """
        save_array(self._path(batch), features)

    def merge(self) -> None:
        """Join all batches into the final file, and remove them.

        Raises
        ------
        StorageError
            As `save_batch`, or if a batch was damaged or removed since it was written.
        """
        _save_parts(self.final, self.shape, (self._finished(batch) for batch in range(self.n_batches)))
        self._tidy()

    def _finished(self, batch: int) -> np.ndarray:
        part = self.load_batch(batch)
        if part is None:
            msg = f"{self._path(batch)} vanished while features were encoded. Run the same again to go on."
            raise StorageError(msg)
        return part

    def _tidy(self) -> None:
        """Remove what a finished run no longer needs: batches of any size, and halves that a kill left."""
        for path in self.folder.iterdir():
            # A cache that may only be read, or a second process that tidies too, is no reason to stop.
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name.endswith(".partial"):
                with suppress(OSError):
                    path.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from computing the same; a killed holder lets go by itself.

        Raises
        ------
        StorageError
            If the cache cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # The folder itself is locked: a lock file would be one more thing to remove.
            handle = os.open(self.folder, os.O_RDONLY)
        except OSError as err:
            msg = (
                f"cannot use the cache folder {self.folder}: {err.strerror}. "
                "Free some space, or set HISTOSCRIBE_CACHE to a folder that can be written."
            )
            raise StorageError(msg) from err
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            # Where the result stands, others may be tidying: nothing is written then.
            if not self.final.exists():
                write_json(self.folder / "about.json", self._about)
            yield
        finally:
            os.close(handle)

    def _path(self, batch: int) -> Path:
        return self._batches / f"{batch:06d}.npy"

    def _batch_shape(self, batch: int) -> tuple[int, int]:
        rows = self.rows(batch)
        return (rows.stop - rows.start, self.shape[1])


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a float32 array as ``.npy`` with the SHA-256 of all its bytes behind it, atomically.

    NumPy reads such a file as any other: it stops where the array ends.
    """
    _save_parts(path, array.shape, [array])


def _save_parts(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Write an array of which one part after the other, along the first axis, is in memory."""
    header = _header(shape)
    hasher = hashlib.sha256(header)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        for part in parts:
            data = np.ascontiguousarray(part, dtype="<f4").reshape(-1).view(np.uint8).data
            hasher.update(data)
            file.write(data)
        file.write(hasher.digest())


def load_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read what `save_array` wrote.

    Raises
    ------
    ValueError
        If the file has another shape or length, or its checksum does not match.
    FileNotFoundError
        If there is no such file.
    """
    array = np.empty(shape, dtype="<f4")
    data = array.reshape(-1).view(np.uint8).data
    expected = _header(shape)
    with path.open("rb") as file:
        header = file.read(len(expected))
        n_read = file.readinto(data)
        checksum = file.read()
    if header != expected or n_read != array.nbytes:
        msg = f"it does not hold float32 of shape {shape}"
        raise ValueError(msg)
    hasher = hashlib.sha256(header)
    hasher.update(data)
    if hasher.digest() != checksum:
        msg = "its checksum does not match"
        raise ValueError(msg)
    return array


@dataclass(frozen=True)
class ArrayFile:
    """A float32 array in a file, of which some rows at a time come into memory.

    Read and not mapped: pages of a mapping count as memory of the process for as long as there is room.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]

    def read(self, rows: slice) -> np.ndarray:
        """Return some rows.

        Raises
        ------
        StorageError
            If the file is gone or has become shorter.
        """
        start, stop, _step = rows.indices(self.shape[0])
        n, width = max(stop - start, 0), int(np.prod(self.shape[1:]))
        found = np.empty(0, dtype="<f4")
        with suppress(FileNotFoundError):
            found = np.fromfile(self.path, dtype="<f4", count=n * width, offset=self.offset + 4 * start * width)
        if found.size != n * width:
            msg = f"the features in {self.path} vanished while they were read. Run the same again."
            raise StorageError(msg)
        return found.reshape(n, *self.shape[1:])


def check_array(path: Path, shape: tuple[int, ...]) -> ArrayFile:
    """Check a file as `load_array` does, without taking it into memory."""
    header = _header(shape)
    n_bytes = 4 * int(np.prod(shape))
    if path.stat().st_size != len(header) + n_bytes + hashlib.sha256().digest_size:
        msg = f"it does not hold float32 of shape {shape}"
        raise ValueError(msg)
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        for start in range(0, len(header) + n_bytes, _CHUNK):
            hasher.update(file.read(min(_CHUNK, len(header) + n_bytes - start)))
        checksum = file.read()
        file.seek(0)
        if file.read(len(header)) != header or checksum != hasher.digest():
            msg = "its checksum does not match"
            raise ValueError(msg)
    return ArrayFile(path, len(header), shape)


def _header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": tuple(map(int, shape))}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _checked_or_drop(path: Path, shape: tuple[int, ...], load: Callable[[Path, tuple[int, ...]], _T]) -> _T | None:
    try:
        return load(path, shape)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as err:
        warnings.warn(f"cached features {path} are damaged ({err}) and are computed again.", stacklevel=2)
        path.unlink(missing_ok=True)
        return None
