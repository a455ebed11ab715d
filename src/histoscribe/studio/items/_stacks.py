"""Stacks: registered sections in order of depth, from what `histoscribe align` and `histoscribe impute` write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import DataError
from histoscribe.core.files import digest, read_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Layer", "Pair", "Place", "Stacked", "is_stack", "place_of", "stack_of"]

#: As `histoscribe.align.folder` writes it, whose import would slow every start.
STACK_FILE = "stack.json"


@dataclass(frozen=True)
class Pair:
    """How well a section was registered to its neighbour.

    Attributes
    ----------
    fixed
        Name of the neighbour.
    verdict, reasons
        ``"ok"``, ``"doubtful"`` or ``"failed"``, and why not ``"ok"``.
    overlap
        Intersection over union of the two footprints, 0-1.
    """

    fixed: str
    verdict: str
    reasons: list[str]
    overlap: float


@dataclass(frozen=True, eq=False)
class Layer:
    """A section's place in a stack.

    Attributes
    ----------
    name, file
        Of the section.
    z_um
        Depth, um.
    matrix
        ``(3, 3)`` float64, um of the section's slide to um of the stack.
    pairs
        Its registration to its neighbours; empty for the reference.
    """

    name: str
    file: Path
    z_um: float
    matrix: np.ndarray
    pairs: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Stacked:
    """A stack: its id, its donor, and its sections in order of depth."""

    id: str
    donor: str
    layers: list[Layer]

    def layer_of(self, path: Path) -> Layer | None:
        """Return the section that a file holds."""
        return next((layer for layer in self.layers if layer.file.resolve() == path), None)


@dataclass(frozen=True)
class Place:
    """A turn, a scale and a shift of level-0 px into the stack: x' = a x - b y + x_um, y' = b x + a y + y_um.

    Attributes
    ----------
    a, b
        um per px.
    x_um, y_um
        Where the slide's corner comes to lie.
    off_um
        How far an observation lies at most from where the stack has it: above 0 where the registration stretches,
        which a picture that is only turned cannot follow.
    """

    a: float
    b: float
    x_um: float
    y_um: float
    off_um: float


def is_stack(path: Path) -> bool:
    """Say whether `path` is a folder that `histoscribe align` wrote."""
    return (path / STACK_FILE).is_file()


def stack_of(folder: Path) -> Stacked:
    """Read a stack's description; its sections are not opened.

    Raises
    ------
    DataError
        If it is damaged, or a section's file is missing or outside the folder.
    """
    from histoscribe.align import transform_from_dict

    path = folder / STACK_FILE
    value = read_json(path)
    try:
        layers = [
            Layer(
                name=str(entry["name"]),
                file=folder / str(entry["file"]),
                z_um=float(entry["z_um"]),
                matrix=transform_from_dict(entry["transform"]).matrix,
                pairs=[_pair(pair) for pair in value["pairs"] if pair["moving"] == entry["name"]],
            )
            for entry in value["sections"]
        ]
        donor = str(value["donor"])
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        msg = f"{path} does not describe a stack ({err!r}). Align the sections again."
        raise DataError(msg) from err
    outside = [str(layer.file) for layer in layers if layer.file.resolve().parent != folder.resolve()]
    if outside:
        # Whoever sends a stack must not choose which files of this machine are read.
        msg = f"{path} names files outside its folder: {', '.join(outside)}. Align the sections again."
        raise DataError(msg)
    missing = [layer.file.name for layer in layers if not layer.file.is_file()]
    if missing:
        msg = f"{folder} lacks {', '.join(missing)}, which {STACK_FILE} names. Copy the whole folder, or align again."
        raise DataError(msg)
    return Stacked(digest("stack", str(folder.resolve())), donor, layers)


def place_of(matrix: np.ndarray, xy_px: np.ndarray, mpp: float) -> Place:
    """Return the turn, scale and shift nearest to a map, about the middle of the observations.

    Parameters
    ----------
    matrix
        ``(3, 3)``, um of the slide to um of the stack.
    xy_px
        ``(n, 2)`` centres of observations, level-0 px.
    mpp
        um per level-0 px.
    """
    linear, shift = matrix[:2, :2], matrix[:2, 2]
    a, b = (linear[0, 0] + linear[1, 1]) / 2, (linear[1, 0] - linear[0, 1]) / 2
    turn = np.array([[a, -b], [b, a]])
    xy_um = np.asarray(xy_px, dtype=np.float64) * mpp
    centre = xy_um.mean(0) if len(xy_um) else np.zeros(2)
    x, y = (linear - turn) @ centre + shift
    off = np.linalg.norm((xy_um - centre) @ (linear - turn).T, axis=1).max(initial=0.0)
    return Place(float(a * mpp), float(b * mpp), float(x), float(y), float(off))


def _pair(value: dict) -> Pair:
    quality = value["quality"]
    reasons = [str(reason) for reason in quality["reasons"]]
    return Pair(str(value["fixed"]), str(quality["verdict"]), reasons, float(quality["overlap"]))
