"""Read a file of weights without running anything in it, and name it by its content."""

from __future__ import annotations

import hashlib
import json
import pickle
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, StorageError, WeightsError
from histoscribe.core.files import cache_dir, read_json, write_json

if TYPE_CHECKING:
    import torch

__all__ = ["check_file", "content_digest", "read_weights", "shard_names"]

_POINTER = b"version https://git-lfs"
#: Below this many bytes hashing is quicker than looking up.
_SMALL = 1 << 22
#: Names under which checkpoints keep their arrays, and prefixes that wrappers put before every name.
_INNER, _WRAPPERS = ("state_dict", "model", "teacher"), ("module.", "backbone.", "model.")


def check_file(path: Path, name: str) -> None:
    """Refuse a file that cannot be weights before anything is built.

    Raises
    ------
    WeightsError
        If it is empty, or a Git LFS pointer that stands for the file.
    """
    with path.open("rb") as file:
        head = file.read(len(_POINTER))
    if head == _POINTER:
        msg = (
            f"{path} is a Git LFS pointer of {path.stat().st_size} bytes, not the weights of {name}. "
            f"Run `git lfs pull` in its folder, or download it with `histoscribe encoders fetch {name}`."
        )
        raise WeightsError(msg)
    if not head:
        msg = f"{path} is empty, so it holds no weights of {name}. Download it again."
        raise WeightsError(msg)


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits; that of a large one is kept by size and time of change."""
    stat = path.stat()
    key = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    table = cache_dir() / "weights-sha256.json"
    known: dict[str, str] = {}
    if stat.st_size > _SMALL:
        with suppress(DataError):  # none yet, or damaged: it is made anew
            known = read_json(table)
        if isinstance(known, dict) and isinstance(known.get(key), str):
            return known[key]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if stat.st_size > _SMALL:
        with suppress(StorageError):  # a cache that cannot be written costs the time of hashing again, no more
            write_json(table, (known if isinstance(known, dict) else {}) | {key: found})
    return found


def read_weights(path: Path, name: str) -> dict[str, torch.Tensor]:
    """Read every array of a ``.safetensors`` file, its ``.index.json``, or a PyTorch file of tensors.

    Raises
    ------
    WeightsError
        If the file is damaged or holds anything but arrays by name.
    """
    if path.name.endswith(".index.json"):
        shards = [path.parent / part for part in shard_names(path)]
        return {key: value for shard in shards for key, value in read_weights(shard, name).items()}
    check_file(path, name)
    try:
        state: Any = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as err:
        why = " ".join(str(err).split())[:200]
        msg = (
            f"{path} cannot be read as weights of {name} ({why}). Download it again; a PyTorch file may hold tensors "
            "only, since HistoScribe runs no code of a file."
        )
        raise WeightsError(msg) from err
    return _arrays(state, path, name)


def shard_names(index: Path, *, here: bool = True) -> list[str]:
    """Return the files that an ``.index.json`` names, each once; if `here`, they must lie beside it."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as err:
        msg = f"{index} does not say which files hold the weights ({err}). Download it again."
        raise WeightsError(msg) from err
    missing = [part for part in names if Path(part).name != part or (here and not (index.parent / part).is_file())]
    if missing:
        msg = f"{index} names {', '.join(missing[:3])}, which are not beside it. Download them into {index.parent}."
        raise WeightsError(msg)
    return names


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as err:
        raise ValueError(str(err)) from err


def _read_torch(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _arrays(state: Any, path: Path, name: str) -> dict[str, torch.Tensor]:
    import torch

    for inner in _INNER:
        if isinstance(state, dict) and isinstance(state.get(inner), dict):
            state = state[inner]
            break
    if not isinstance(state, dict) or not state or not all(torch.is_tensor(value) for value in state.values()):
        msg = f"{path} holds no arrays by name, so it is no file of weights of {name}. Give its state dict."
        raise WeightsError(msg)
    for wrapper in _WRAPPERS:
        if all(key.startswith(wrapper) for key in state):
            return {key.removeprefix(wrapper): value for key, value in state.items()}
    return dict(state)
