"""`histoscribe doctor`: is this installation able to do the work, and how fast."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check packages, encoder, cache, disk and devices; exit status 1 where something is broken."""
    findings = [_run(name, check) for name, check in _checks().items()]
    if as_json:
        typer.echo(json.dumps(findings, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(f"{finding['state']:<5} {finding['name']}: {finding['detail']}")
    if any(finding["state"] == "FAIL" for finding in findings):
        raise typer.Exit(1)


def _checks() -> dict[str, Callable[[], tuple[str, str]]]:
    return {
        "packages": _packages,
        "torchvision": torchvision,
        "encoder": _encoder,
        "openslide": _openslide,
        "device": _device,
        "cache": _cache,
    }


def _run(name: str, check: Callable[[], tuple[str, str]]) -> dict[str, str]:
    # A doctor reports whatever breaks instead of breaking itself; the error's text is the finding.
    try:
        state, detail = check()
    except Exception as err:  # noqa: BLE001
        state, detail = "FAIL", f"{type(err).__name__}: {err}"
    return {"name": name, "state": state, "detail": detail}


def _packages() -> tuple[str, str]:
    import platform
    from importlib.metadata import version

    names = ("histoscribe", "numpy", "scipy", "anndata", "onnxruntime", "torch")
    listed = ", ".join(f"{name} {version(name)}" for name in names)
    return "ok", f"python {platform.python_version()}, {listed}"


def torchvision() -> tuple[str, str]:
    """Say whether torchvision fits torch, and what follows where it does not."""
    from importlib.metadata import version

    from histoscribe.encoders._torchvision_guard import torchvision_state

    state = torchvision_state()
    if state == "absent":
        return "ok", "not installed (HistoScribe needs it for models of timm only)"
    if state == "mismatched":
        return "warn", (
            f"torchvision {version('torchvision')} does not match torch {version('torch')}: its operators do not load. "
            "HistoScribe loads models of timm and transformers all the same; other programs fail to import it. "
            "Install the matching build to be rid of this."
        )
    return "ok", f"torchvision {version('torchvision')}"


def _encoder() -> tuple[str, str]:
    import time

    import numpy as np

    from histoscribe.encoders import make_encoder

    encoder = make_encoder("efficientnet-lite0+colour")
    tiles = np.random.default_rng(0).integers(0, 256, (8, 3, 224, 224), dtype=np.uint8)
    first = encoder.encode(tiles)
    start = time.perf_counter()
    second = encoder.encode(tiles)
    rate = len(tiles) / (time.perf_counter() - start)
    if not np.isfinite(first).all() or not np.array_equal(first, second):
        return "FAIL", "efficientnet-lite0 gives different or infinite features for the same tiles"
    return "ok", f"efficientnet-lite0+colour, {first.shape[1]} features, {rate:.0f} tiles/s, repeatable to the bit"


def _openslide() -> tuple[str, str]:
    import openslide

    return "ok", f"OpenSlide {openslide.__library_version__}"


def _device() -> tuple[str, str]:
    import torch

    from histoscribe.core.processes import free_cores

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return "ok", f"{free_cores()} cores, {gpu}"


def _cache() -> tuple[str, str]:
    import shutil

    from histoscribe.core.files import atomic_path, cache_dir

    folder = cache_dir()
    with atomic_path(folder / ".doctor") as temporary:
        temporary.write_text("ok", encoding="utf-8")
    (folder / ".doctor").unlink()
    free = shutil.disk_usage(folder).free / 1e9
    used = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e9
    state = "ok" if free > 2 else "warn"
    return state, f"{folder}, {used:.2f} GB used, {free:.0f} GB free (set HISTOSCRIBE_CACHE to move it)"
