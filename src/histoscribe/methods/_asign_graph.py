"""ASIGN's graphs of a stack: spots, regions and globals, what each may look at, and the way labels travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.methods._volume import Volume

__all__ = ["Cells", "StackGraph", "disc_overlap", "make_cells", "make_graph", "propagate"]

#: Grid distance of neighbouring cells: 1, sqrt 2 and 2.
_CELL_REACH = 2.1
#: Nearest neighbours inside a section, and best ones in other sections.
_INSIDE, _ACROSS = 4, 12
_ROUNDS = 20
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class Cells:
    """Squares of one size that hold observations, of all sections.

    Attributes
    ----------
    of_spot
        ``(N,)`` cell of each observation.
    plane, index
        ``(M,)`` section, and ``(M, 2)`` column and row on its grid.
    edges
        ``(2, E)`` to and from, inside sections, each cell to itself among them.
    window
        ``(N, 9)`` cells in the 3 x 3 window around each observation, its own first; -1 where there is none.
    """

    of_spot: np.ndarray
    plane: np.ndarray
    index: np.ndarray
    edges: np.ndarray
    window: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average ``(N, g)`` values of the observations over each cell."""
        n = len(self.plane)
        join = sp.csr_matrix(
            (np.ones(len(self.of_spot)), (self.of_spot, np.arange(len(self.of_spot)))), (n, len(values))
        )
        return np.asarray(join @ values) / np.asarray(join.sum(1))


@dataclass(frozen=True, eq=False)
class StackGraph:
    """A whole stack as a graph; observations of all sections in one order.

    Attributes
    ----------
    plane
        ``(N,)`` section of each observation.
    edges
        ``(2, E)`` to and from, between observations.
    travel
        ``(N, N)`` sparse rows that sum to 1: where labels come from.
    regions, globals_
        Cells of the two coarser sizes.
    region_global
        ``(M,)`` global cell of each region.
    """

    plane: np.ndarray
    edges: np.ndarray
    travel: sp.csr_matrix
    regions: Cells
    globals_: Cells
    region_global: np.ndarray


def disc_overlap(distance: np.ndarray, radius: float) -> np.ndarray:
    """Return the intersection over union of two discs of one radius whose centres are `distance` apart."""
    half = np.clip(np.asarray(distance, dtype=np.float64) / (2 * radius), 0.0, 1.0)
    lens = 2 * (np.arccos(half) - half * np.sqrt(1 - half**2))
    return lens / (2 * np.pi - lens)


def make_graph(
    volume: Volume, *, sides_um: Sequence[float], similarity: np.ndarray | None = None, loops: bool = True
) -> StackGraph:
    """Build the graph of a stack; nothing in it is random.

    Parameters
    ----------
    sides_um
        Sides of a region and of a global cell, um.
    similarity
        ``(N, d)`` features whose cosine adds to the overlap where sections are joined, or None.
    loops
        Whether observations and cells look at themselves.
    """
    plane = np.concatenate([np.full(len(p.xy_um), i) for i, p in enumerate(volume.planes)])
    xy = np.concatenate([p.xy_um for p in volume.planes])
    own = np.concatenate([p.section.xy_um for p in volume.planes])
    n, pitch = len(xy), volume.pitch_um
    pairs = {*_inside(xy, plane), *_across(xy, plane, pitch, similarity)}
    pairs |= {(j, i) for i, j in pairs}
    joined = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    distance = np.linalg.norm(xy[joined[0]] - xy[joined[1]], axis=1)
    # Discs of neighbours inside a section do not overlap, so labels travel by a kernel of one pitch.
    weight = np.exp(-0.5 * (distance / pitch) ** 2) + 1e-9
    if similarity is not None:
        unit = _unit(similarity)
        weight += np.maximum((unit[joined[0]] * unit[joined[1]]).sum(1), 0) * (plane[joined[0]] != plane[joined[1]])
    travel = sp.csr_matrix((weight, (joined[0], joined[1])), (n, n))
    travel = sp.diags(1 / np.maximum(np.asarray(travel.sum(1)).ravel(), 1e-10)) @ travel
    edges = np.concatenate([joined, np.tile(np.arange(n), (2, 1))], axis=1) if loops else joined
    regions, globals_ = (make_cells(own, plane, side, loops=loops) for side in sides_um)
    # A region's global is that of its first observation: cells of both sizes start at one corner.
    first = np.full(len(regions.plane), n)
    np.minimum.at(first, regions.of_spot, np.arange(n))
    return StackGraph(plane, edges, travel.tocsr(), regions, globals_, globals_.of_spot[first])


def make_cells(xy_um: np.ndarray, plane: np.ndarray, side_um: float, *, loops: bool = True) -> Cells:
    """Divide each section into squares from its slide's corner on, and keep those with an observation."""
    places = np.column_stack([plane, np.floor(xy_um / side_um).astype(np.int64)])
    cells, of_spot = np.unique(places, axis=0, return_inverse=True)
    of_spot = of_spot.ravel()
    known = {tuple(c): i for i, c in enumerate(cells.tolist())}
    steps = [(0, 0)] + [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
    around = np.array([[known.get((p, x + dx, y + dy), -1) for dx, dy in steps] for p, x, y in cells.tolist()])
    reach = [(dx, dy) for dx in (-2, -1, 0, 1, 2) for dy in (-2, -1, 0, 1, 2) if 0 < np.hypot(dx, dy) < _CELL_REACH]
    reach += [(0, 0)] if loops else []
    pairs = [
        (i, known[p, x + dx, y + dy])
        for i, (p, x, y) in enumerate(cells.tolist())
        for dx, dy in reach
        if (p, x + dx, y + dy) in known
    ]
    return Cells(of_spot, cells[:, 0], cells[:, 1:], np.array(pairs, dtype=np.int64).reshape(-1, 2).T, around[of_spot])


def propagate(travel: sp.csr_matrix, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Let known labels travel for 20 rounds; the unknown start at the mean of the known ones.

    Parameters
    ----------
    travel
        ``(N, N)`` rows that sum to 1.
    values
        ``(N, g)``; only rows that are `known` are read.
    known
        ``(N,)`` bool.
    """
    given = values[known]
    now = np.tile(given.mean(0), (len(known), 1))
    now[known] = given
    for _ in range(_ROUNDS):
        now = np.asarray(travel @ now)
        now[known] = given
    return now


def _inside(xy: np.ndarray, plane: np.ndarray) -> list[tuple[int, int]]:
    """Join each observation to its nearest ones; all that are equally near, so that their order does not matter."""
    pairs = []
    for p in np.unique(plane):
        rows = np.flatnonzero(plane == p)
        if len(rows) < 2:
            continue
        tree = cKDTree(xy[rows])
        reach = tree.query(xy[rows], k=min(_INSIDE + 1, len(rows)))[0][:, -1]
        for i, near in enumerate(tree.query_ball_point(xy[rows], reach * (1 + 1e-6))):
            pairs += [(int(rows[i]), int(rows[j])) for j in near if i != j]
    return pairs


def _across(xy: np.ndarray, plane: np.ndarray, pitch: float, similarity: np.ndarray | None) -> list[tuple[int, int]]:
    """Join each observation to the best of other sections by overlap of discs, plus cosine of features."""
    pairs, unit = [], None if similarity is None else _unit(similarity)
    for start in range(0, len(xy), _CHUNK):
        rows = slice(start, start + _CHUNK)
        distance = np.linalg.norm(xy[rows, None] - xy[None], axis=-1)
        # Most discs do not touch: the nearer one then comes first.
        score = disc_overlap(distance, pitch / 2) - 1e-6 * distance / pitch
        if unit is not None:
            score += unit[rows] @ unit.T
        score[plane[rows, None] == plane[None]] = -np.inf
        least = -np.sort(-score, axis=1)[:, min(_ACROSS, score.shape[1]) - 1]
        chosen = np.isfinite(score) & (score >= least[:, None] - 1e-9)
        pairs += [(start + int(i), int(j)) for i, j in zip(*np.nonzero(chosen), strict=True)]
    return pairs


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
