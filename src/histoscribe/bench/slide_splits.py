"""Splits of whole slides: donors apart always, collecting sites apart where asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.bench.splits import check_disjoint
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from histoscribe.core.bag import Bag

__all__ = ["SlideSplit", "slide_donor_folds", "slide_site_folds"]


@dataclass(frozen=True, eq=False)
class SlideSplit:
    """One division of slides.

    Attributes
    ----------
    name
        What is held out.
    train, test
        Slides of each side; never a donor on both.
    apart
        ``"donor"``, or ``"site"``: then no site is on both sides either.
    """

    name: str
    train: tuple[Bag, ...]
    test: tuple[Bag, ...]
    apart: str

    def __post_init__(self) -> None:
        check_disjoint(self.train, self.test)


def slide_donor_folds(bags: Sequence[Bag], k: int, *, seed: int = 0) -> Iterator[SlideSplit]:
    """Yield `k` splits in which the donors are dealt to the folds; a site may stand on both sides.

    Staining and scanner tell a site, and sites differ in whom they treat (Howard et al. 2021): scores rise where sites
    are shared. `slide_site_folds` says by how much.

    Raises
    ------
    DataError
        If `k` is below 2 or above the number of donors.
    """
    return _folds(bags, [b.donor for b in bags], k, apart="donor", seed=seed)


def slide_site_folds(bags: Sequence[Bag], k: int, *, seed: int = 0) -> Iterator[SlideSplit]:
    """Yield `k` splits in which whole sites are dealt to the folds, largest first into the smallest fold.

    As many folds as sites leaves out one site at a time.

    Raises
    ------
    DataError
        If a slide has no site, or `k` is below 2 or above the number of sites.
    LeakError
        If a donor has slides of two sites that fall on both sides.
    """
    if lacking := [b.name for b in bags if not b.site]:
        msg = (
            f"{len(lacking)} of {len(bags)} slides have no site, the first {lacking[0]}. Give Bag(site=...); TCGA "
            "barcodes say it (their second field)."
        )
        raise DataError(msg)
    return _folds(bags, [b.site for b in bags], k, apart="site", seed=seed)


def _folds(bags: Sequence[Bag], labels: Sequence[str], k: int, *, apart: str, seed: int) -> Iterator[SlideSplit]:
    names, sizes = np.unique(labels, return_counts=True)
    if not 2 <= k <= len(names):
        msg = f"{k} folds were asked for, but {len(bags)} slides are of {len(names)} {apart}s. Give 2 to {len(names)}."
        raise DataError(msg)
    order = np.random.default_rng(seed).permutation(len(names))
    folds: list[list[str]] = [[] for _ in range(k)]
    load = np.zeros(k, dtype=int)
    for i in sorted(order, key=lambda i: -sizes[i]):
        fold = int(load.argmin())
        folds[fold].append(str(names[i]))
        load[fold] += sizes[i]
    return _splits(bags, labels, folds, apart)


def _splits(bags: Sequence[Bag], labels: Sequence[str], folds: list[list[str]], apart: str) -> Iterator[SlideSplit]:
    for number, held in enumerate(folds):
        sides = [tuple(b for b, x in zip(bags, labels, strict=True) if (x in held) == side) for side in (False, True)]
        shown = ", ".join(sorted(held)[:4]) + (f" and {len(held) - 4} more" if len(held) > 4 else "")
        yield SlideSplit(f"fold {number + 1}, without {apart} {shown}", sides[0], sides[1], apart)
