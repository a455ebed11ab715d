"""From sections to what a network gets: units (sections or windows), batches of their observations, and parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from histoscribe.core.ahead import read_ahead
from histoscribe.methods.groups import strips
from histoscribe.train import SYMMETRIES, Ranks, spatial_windows, transform_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from histoscribe.methods._expression import TrainingSection
    from histoscribe.train import Training
    from histoscribe.train.augment import Kind

__all__ = ["Batches", "Layout", "Part", "Unit", "make_part", "make_units"]

_IDENTITY = SYMMETRIES[0]


@dataclass(frozen=True, eq=False)
class Part:
    """What a network gets: observations of one section, or of several for a method that needs no context.

    Attributes
    ----------
    views
        View name to tensor. Its first axis is all observations of the section (or window); for row views, and for
        every view of a method without context, the batch's own.
    rows
        ``(b,)`` int64: which observations of the section are the batch's own.
    y, counts, depth
        ``(b, g)`` target, ``(b, g)`` raw counts and ``(b,)`` library sizes of the batch's own; None in prediction.
    """

    views: dict[str, torch.Tensor]
    rows: torch.Tensor
    y: torch.Tensor | None = None
    counts: torch.Tensor | None = None
    depth: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Unit:
    """A training section, or a window of one.

    Attributes
    ----------
    section
        Number of the section.
    rows
        ``(n,)`` its observations in that section.
    views, y, counts, depth
        Arrays over these observations.
    origin
        ``(n, 3)`` int64 codes of donor, section and strip, for methods that compare observations of different origin;
        None in prediction.
    """

    section: int
    rows: np.ndarray
    views: Mapping[str, np.ndarray]
    y: np.ndarray
    counts: np.ndarray
    depth: np.ndarray
    origin: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """How a method's views are cut and turned; see `NetworkPredictor`."""

    kinds: Mapping[str, Kind]
    row_views: tuple[str, ...]
    context: bool
    device: torch.device

    def own(self, view: str) -> bool:
        """Say whether a batch gets only its own observations of a view."""
        return not self.context or view in self.row_views


def make_units(
    data: Sequence[TrainingSection], views: Sequence[Mapping[str, np.ndarray]], *, max_context: int
) -> list[Unit]:
    """Make one unit per section, or per window where a section has more than `max_context` observations (0: never)."""
    units = []
    for number, (d, seen, origin) in enumerate(zip(data, views, _origins(data), strict=True)):
        windows = spatial_windows(d.section.xy, max_context)
        if len(windows) == 1:
            # A section that is one unit keeps its arrays as they are: tiles stay mapped from disk.
            units.append(Unit(number, np.arange(len(d.y)), seen, d.y, d.counts, d.depth, origin))
            continue
        for rows in windows:
            cut = {name: array[rows] for name, array in seen.items()}
            units.append(Unit(number, rows, cut, d.y[rows], d.counts[rows], d.depth[rows], origin[rows]))
    return units


def _origins(data: Sequence[TrainingSection]) -> list[np.ndarray]:
    donors = sorted({d.section.donor for d in data})
    found = []
    for number, d in enumerate(data):
        strip = np.unique(strips(d.section), return_inverse=True)[1]
        codes = [np.full(len(strip), donors.index(d.section.donor)), np.full(len(strip), number), strip]
        found.append(np.stack(codes, axis=1).astype(np.int64))
    return found


#: Unit, its chosen observations, and the symmetry they are shown in.
Selection = tuple[int, np.ndarray, tuple[int, bool]]


class Batches:
    """The batches of any epoch, a function of seed and epoch alone.

    Parameters
    ----------
    units
        Training units.
    allowed
        ``(n,)`` bool per unit: True where an observation may be trained on.
    layout
        How views are cut and turned.
    options
        Batch size, mixing and augmentation.
    seed
        Seed of order and symmetries.
    """

    def __init__(
        self, units: Sequence[Unit], allowed: Sequence[np.ndarray], layout: Layout, options: Training, *, seed: int
    ) -> None:
        self.units, self.layout, self._options, self._seed = units, layout, options, seed
        self._rows = [np.flatnonzero(a) for a in allowed]
        self._ranks = Ranks()

    def __call__(self, epoch: int) -> _Epoch:
        """Return the epoch's batches; they are read ahead while one is worked on."""
        rng = np.random.default_rng([self._seed, epoch])
        return _Epoch(self, [self._turned(batch, rng) for batch in self._order(rng)])

    def _order(self, rng: np.random.Generator) -> list[list[tuple[int, np.ndarray]]]:
        size = self._options.batch
        if self.layout.context and not self._options.mixed:
            batches = []
            for unit, rows in enumerate(self._rows):
                shuffled = rng.permutation(rows)
                step = size or max(len(rows), 1)
                batches += [[(unit, shuffled[i : i + step])] for i in range(0, len(rows), step)]
            return [batches[i] for i in rng.permutation(len(batches))]
        unit = np.concatenate([np.full(len(rows), u) for u, rows in enumerate(self._rows)]).astype(int)
        row = np.concatenate(self._rows)
        order = rng.permutation(len(row))
        step = size or max(len(row), 1)
        chunks = [order[i : i + step] for i in range(0, len(order), step)]
        return [[(u, row[c[unit[c] == u]]) for u in np.unique(unit[c])] for c in chunks]

    def _turned(self, batch: list[tuple[int, np.ndarray]], rng: np.random.Generator) -> list[Selection]:
        if not self._options.augment:
            return [(unit, rows, _IDENTITY) for unit, rows in batch]
        return [(unit, rows, SYMMETRIES[int(rng.integers(len(SYMMETRIES)))]) for unit, rows in batch]

    def parts(self, batch: list[Selection]) -> list[Part]:
        """Return this process's share of a batch as parts; one part where no context is needed."""
        share = [(unit, rows[self._ranks.rank :: self._ranks.size], turn) for unit, rows, turn in batch]
        made = [make_part(self.units[u], rows, turn, self.layout) for u, rows, turn in share if len(rows)]
        return made if self.layout.context or len(made) < 2 else [_joined(made)]


class _Epoch:
    """One epoch's batches, as parts; sized, and read ahead by a thread."""

    def __init__(self, plan: Batches, batches: list[list[Selection]]) -> None:
        self._plan, self._batches = plan, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __contains__(self, batch: object) -> bool:
        return batch in self._batches

    def __iter__(self) -> Iterator[list[Part]]:
        for _, parts in read_ahead(self._plan.parts, self._batches):
            yield parts


def make_part(unit: Unit, rows: np.ndarray, symmetry: tuple[int, bool], layout: Layout) -> Part:
    """Cut, turn and move a unit's arrays."""
    views = {}
    for name, array in unit.views.items():
        cut = array[rows] if layout.own(name) else array
        # Tiles of a whole section are mapped read-only from the cache: PyTorch needs memory that may be written.
        view = torch.from_numpy(np.require(cut, requirements="CW"))
        views[name] = transform_view(view, layout.kinds.get(name, "fixed"), symmetry).to(layout.device)
    own = np.arange(len(rows)) if not layout.context else rows
    arrays = (unit.y[rows], unit.counts[rows], unit.depth[rows].astype(np.float32))
    y, counts, depth = (torch.from_numpy(np.ascontiguousarray(a)).to(layout.device) for a in arrays)
    return Part(views, torch.from_numpy(own).to(layout.device), y, counts, depth)


def _joined(parts: Sequence[Part]) -> Part:
    views = {name: torch.cat([p.views[name] for p in parts]) for name in parts[0].views}
    y, counts, depth = (torch.cat([getattr(p, name) for p in parts]) for name in ("y", "counts", "depth"))
    return Part(views, torch.arange(len(y), device=y.device), y, counts, depth)
