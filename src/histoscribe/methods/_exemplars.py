"""Exemplars: what is remembered of the training observations, and which of it an observation may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from histoscribe.methods._batches import Unit

__all__ = ["Exclude", "find_exemplars", "remember"]

#: What a training observation may not retrieve: all sections of its own donor, or its own section only.
Exclude = Literal["donor", "section"]

_LEVELS = ("donor", "section", "strip")
#: Queries compared with the whole memory at a time.
_CHUNK = 512


def remember(
    units: Sequence[Unit], allowed: Sequence[np.ndarray], key: Callable[[Unit], np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what is kept of the observations that may be learned from.

    Parameters
    ----------
    units, allowed
        As in `NetworkPredictor.memorise`.
    key
        Unit to its ``(n, d)`` features that distances are taken in.

    Returns
    -------
    ``"key"`` ``(m, d)`` float32, ``"y"`` ``(m, g)`` float32, and ``"origin"`` ``(m, 3)`` int64 codes of donor, section
    and strip.
    """
    pairs = list(zip(units, allowed, strict=True))
    return {
        "key": np.concatenate([key(u)[rows] for u, rows in pairs]).astype(np.float32),
        "y": np.concatenate([u.y[rows] for u, rows in pairs]).astype(np.float32),
        "origin": np.concatenate([u.origin[rows] for u, rows in pairs if u.origin is not None]),
    }


def find_exemplars(
    memory: Mapping[str, np.ndarray], key: np.ndarray, *, k: int, origin: np.ndarray | None, exclude: Exclude
) -> np.ndarray:
    """Find the k remembered observations nearest to each in Euclidean distance.

    A training observation must not be shown its own kind, or it would learn to trust exemplars more than those of a new
    donor deserve: it retrieves from other donors; from other sections where the memory holds no other donor; from
    other strips of its section where it holds no other section.

    Parameters
    ----------
    memory
        From `remember`.
    key
        ``(n, d)`` features.
    k
        Exemplars of each.
    origin
        ``(n, 3)`` codes of donor, section and strip of training observations; None in prediction, where all of the
        memory may be used.
    exclude
        ``"section"`` begins one step later: other sections of the own donor may be retrieved, as in EGN's code.

    Returns
    -------
    ``(n, k)`` int64 index into the memory, nearest first, -1 where there are fewer.

    Raises
    ------
    DataError
        If the memory holds nothing but the observation's own strip.
    """
    reference = memory["key"].astype(np.float32)
    norm = (reference**2).sum(1)
    out = np.full((len(key), k), -1, dtype=np.int64)
    for rows, candidates in _allowed(memory["origin"], origin, len(key), exclude):
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            # |q|^2 is the same for all candidates and changes no order.
            squared = norm[candidates] - 2.0 * key[some].astype(np.float32) @ reference[candidates].T
            near = np.argsort(squared, axis=1, kind="stable")[:, :k]
            out[some, : near.shape[1]] = candidates[near]
    return out


def _allowed(
    remembered: np.ndarray, origin: np.ndarray | None, n: int, exclude: Exclude
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pair the rows of each origin with the part of the memory that they may look at."""
    if origin is None:
        return [(np.arange(n), np.arange(len(remembered)))]
    pairs = []
    for own in np.unique(origin, axis=0):
        rows = np.flatnonzero((origin == own).all(1))
        for level in range(_LEVELS.index(exclude), len(_LEVELS)):
            candidates = np.flatnonzero((remembered[:, : level + 1] != own[: level + 1]).any(1))
            if len(candidates):
                break
        else:
            msg = (
                f"the training data ({len(remembered)} observations to learn from) are one strip of one section, so no "
                "observation has an exemplar that is not its own kind. Give more observations or sections."
            )
            raise DataError(msg)
        pairs.append((rows, candidates))
    return pairs
