"""How fast an encoder is on this machine, and how much memory it takes."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from histoscribe.encoders._encoder import Device, Encoder
from histoscribe.encoders._registry import ENCODERS, make_encoder
from histoscribe.encoders._weights import AbsentWeightsError

__all__ = ["measure_encoder"]


def measure_encoder(
    name: str, *, n_tiles: int = 16, threads: int | None = None, device: Device = "auto"
) -> dict[str, Any]:
    """Time one encoder on tiles of noise, in a process of its own.

    Parameters
    ----------
    name
        Registry name. Where the weights of a foundation model are not here, its network is timed with random ones.
    n_tiles
        Tiles that are timed; as many are encoded once beforehand.

    Returns
    -------
    ``encoder``, ``weights`` (``"own"`` or ``"random"``), ``dim``, ``tile_px``, ``tiles_per_second``, ``n_tiles``,
    ``threads``, ``runtime``, ``peak_gb`` (of the process, with its libraries) and, on a GPU, ``gpu_peak_gb``.

    Raises
    ------
    RegistryError
        If there is no such encoder.
    WeightsError
        If HistoScribe cannot compute it, or the weights that are here do not fit.
    """
    # A fresh process, so that its peak memory is this encoder's.
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, name, n_tiles, threads, device).result()


def _measured(name: str, n_tiles: int, threads: int | None, device: Device) -> dict[str, Any]:
    encoder, weights = _made(name, threads, device)
    tiles = np.random.default_rng(0).integers(0, 256, (n_tiles, 3, encoder.tile_px, encoder.tile_px), dtype=np.uint8)
    features = encoder.encode(tiles)
    start = time.perf_counter()
    encoder.encode(tiles)
    seconds = time.perf_counter() - start
    found = {
        "encoder": name,
        "weights": weights,
        "dim": features.shape[1],
        "tile_px": encoder.tile_px,
        "tiles_per_second": round(n_tiles / seconds, 3),
        "n_tiles": n_tiles,
        "threads": encoder.threads,
        "runtime": encoder.runtime(),
        "peak_gb": _peak_gb(),
    }
    if "cuda" in found["runtime"]:
        import torch

        found["gpu_peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 3)
    return found


def _made(name: str, threads: int | None, device: Device) -> tuple[Encoder, str]:
    try:
        return make_encoder(name, threads=threads, device=device), "own"
    except AbsentWeightsError:
        if name not in ENCODERS:  # a concatenation, or pooled: only whole encoders have untrained twins
            raise
        return ENCODERS.get(name).untrained(threads=threads, device=device), "random"


def _peak_gb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows does not tell
        return None
    # In kB, but on macOS in bytes.
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 3)
