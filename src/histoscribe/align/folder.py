"""A stack as a folder: one AnnData file for each section, and a JSON file with depths, transforms and quality."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.align.transform import Affine, Rigid, fit_rigid
from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.files import read_json, write_json
from histoscribe.core.stack import Stack
from histoscribe.io import read, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.align.pair import PairAlignment

__all__ = ["STACK_FILE", "motions_of", "read_stack", "write_stack"]

STACK_FILE = "stack.json"
_KIND = "histoscribe-stack"
#: Largest distance at which a rigid motion still is what moved the points, um.
_EXACT_UM = 1e-3


def write_stack(
    stack: Stack, folder: Path | str, *, reports: Sequence[PairAlignment] = (), overwrite: bool = False
) -> Path:
    """Write a stack.

    ``<number>_<name>.h5ad`` holds a section as `histoscribe.write` does, with ``obsm["spatial_3d_um"]``: x, y, z of
    each observation in the stack's frame, um. ``stack.json`` holds the order, depths, the transform of each section
    (um of its slide to um of the stack) and the pairs' figures.

    Parameters
    ----------
    stack
        What to write.
    folder
        Made where it does not exist.
    reports
        What `align_stack` returned beside the stack.
    overwrite
        Replace files of a stack that is there; by default that is refused.

    Returns
    -------
    The folder.

    Raises
    ------
    StorageError
        If a file exists and `overwrite` is False, or the disk is full.
    """
    folder = Path(folder)
    entries: list[dict[str, Any]] = []
    for i, (section, xy, motion) in enumerate(zip(stack.sections, stack.xy_um, motions_of(stack), strict=True)):
        table = section.table.copy()
        table.obsm[keys.SPATIAL_3D] = np.column_stack([xy, np.full(len(xy), stack.z_um[i])])
        name = f"{i + 1:02d}_{re.sub(r'[^A-Za-z0-9._-]+', '_', section.name)}.h5ad"
        write(section.replace(table=table), folder / name, "h5ad", overwrite=overwrite)
        entries.append(
            {"file": name, "name": section.name, "z_um": float(stack.z_um[i]), "transform": motion.to_dict()}
        )
    # Last: a folder without it is no stack yet.
    value = {
        "kind": _KIND,
        "version": 1,
        "donor": stack.donor,
        "frame": "x right, y down, um; the reference section's slide has its top-left corner at the origin",
        "sections": entries,
        "pairs": [_pair(report) for report in reports],
    }
    write_json(folder / STACK_FILE, value)
    return folder


def read_stack(folder: Path | str) -> Stack:
    """Read a stack that `write_stack` or ``histoscribe align`` wrote.

    Parameters
    ----------
    folder
        The folder with ``stack.json``.

    Raises
    ------
    DataError
        If the folder holds no stack, or a file of it is missing or damaged.
    """
    folder = Path(folder)
    value = read_json(folder / STACK_FILE)
    if not isinstance(value, dict) or value.get("kind") != _KIND:
        msg = f"{folder / STACK_FILE} is not the description of a stack. Give a folder that `histoscribe align` wrote."
        raise DataError(msg)
    sections, places, depths = [], [], []
    for entry in value["sections"]:
        section = read("h5ad", folder / entry["file"])
        if keys.SPATIAL_3D not in section.table.obsm:
            msg = f"{folder / entry['file']} has no obsm['{keys.SPATIAL_3D}']. Align the sections again."
            raise DataError(msg)
        sections.append(section)
        places.append(np.asarray(section.table.obsm[keys.SPATIAL_3D], dtype=np.float64)[:, :2])
        depths.append(float(entry["z_um"]))
    return Stack(tuple(sections), tuple(places), np.array(depths))


def motions_of(stack: Stack) -> list[Rigid | Affine]:
    """Return the transform of each section, from um of its slide to um of the stack, read off its points."""
    return [_motion(s.xy_um, xy) for s, xy in zip(stack.sections, stack.xy_um, strict=True)]


def _motion(source: np.ndarray, target: np.ndarray) -> Rigid | Affine:
    rigid = fit_rigid(source, target)
    if np.abs(rigid(source) - target).max() < _EXACT_UM:
        return rigid
    centre = source.mean(0)
    solved = np.linalg.lstsq(np.column_stack([source - centre, np.ones(len(source))]), target, rcond=None)[0]
    linear = solved[:2].T
    return Affine(linear, solved[2] - linear @ centre)


def _pair(report: PairAlignment) -> dict[str, Any]:
    return {
        "moving": report.moving,
        "fixed": report.fixed,
        "source": report.source,
        "pitch_um": report.pitch_um,
        "transform": report.motion.to_dict(),
        "quality": report.quality.to_dict(),
    }
