"""Splits by donor, which refuse a donor on both sides; and, for one section, strips with a gap, which say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core.errors import DataError, LeakError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from histoscribe.core.section import Section

__all__ = [
    "Split",
    "check_disjoint",
    "donor_folds",
    "file_splits",
    "fixed_split",
    "leave_one_donor_out",
    "leave_one_section_out",
    "spatial_strips",
]


@dataclass(frozen=True, eq=False)
class Split:
    """One division into training and test.

    Attributes
    ----------
    name
        What is held out; a split that does not hold out donors says so here.
    train, test
        Sections of each side.
    apart
        What the split keeps apart: ``"donor"``, ``"section"`` (donors may stand on both sides), or ``"region of one
        section"``.
    """

    name: str
    train: tuple[Section, ...]
    test: tuple[Section, ...]
    apart: str


def check_disjoint(train: Sequence[Section], test: Sequence[Section]) -> None:
    """Refuse a split in which a donor stands on both sides.

    Raises
    ------
    LeakError
        Naming the donors and their sections on each side.
    """
    common = {s.donor for s in train} & {s.donor for s in test}
    if common:
        described = [
            f"{donor!r} (training: {_names(train, donor)}; test: {_names(test, donor)})" for donor in sorted(common)
        ]
        msg = (
            f"donor {' and '.join(described)} is on both sides of the split. Sections of one donor are near copies of "
            "each other: put all of them on one side."
        )
        raise LeakError(msg)


def _names(sections: Sequence[Section], donor: str) -> str:
    return ", ".join(s.name for s in sections if s.donor == donor)


def leave_one_donor_out(sections: Sequence[Section]) -> Iterator[Split]:
    """Yield one split for each donor, in order of name, with all of its sections in test.

    Raises
    ------
    DataError
        If there are fewer than two donors.
    """
    return donor_folds(sections, len({s.donor for s in sections}), seed=None)


def donor_folds(sections: Sequence[Section], k: int, *, seed: int | None = 0) -> Iterator[Split]:
    """Yield `k` splits; the donors are dealt to the folds as evenly as their numbers of observations allow.

    Parameters
    ----------
    sections
        Sections of at least `k` donors.
    k
        Number of folds, at least 2.
    seed
        Shuffles donors of equal size; None keeps the order of their names.

    Raises
    ------
    DataError
        If `k` is below 2 or above the number of donors.
    """
    donors = sorted({s.donor for s in sections})
    if not 2 <= k <= len(donors):
        msg = (
            f"{k} folds were asked for, but the {len(sections)} sections are of {len(donors)} donor(s). Give 2 to "
            "the number of donors; for a single section use spatial_strips."
        )
        raise DataError(msg)
    return _folds(sections, donors, k, seed)


def _folds(sections: Sequence[Section], donors: list[str], k: int, seed: int | None) -> Iterator[Split]:
    size = {d: sum(s.n_obs for s in sections if s.donor == d) for d in donors}
    order = donors
    if seed is not None:
        order = [donors[i] for i in np.random.default_rng(seed).permutation(len(donors))]
    folds: list[list[str]] = [[] for _ in range(k)]
    # Largest first into the emptiest fold; as many folds as donors gives one donor each.
    for donor in sorted(order, key=lambda d: -size[d]):
        min(folds, key=lambda fold: (sum(size[d] for d in fold), len(fold))).append(donor)
    for held in sorted(sorted(fold) for fold in folds):
        train = tuple(s for s in sections if s.donor not in held)
        test = tuple(s for s in sections if s.donor in held)
        check_disjoint(train, test)
        yield Split(f"without donor {', '.join(held)}", train, test, "donor")


def leave_one_section_out(sections: Sequence[Section]) -> Iterator[Split]:
    """Yield one split for each section; other sections of its donor stay in training, and the name says so.

    Raises
    ------
    DataError
        If there are fewer than two sections.
    """
    if len(sections) < 2:
        msg = f"{len(sections)} section cannot be divided by section. Give at least two, or use spatial_strips."
        raise DataError(msg)
    return _sections_out(sections)


def _sections_out(sections: Sequence[Section]) -> Iterator[Split]:
    for held in sections:
        train = tuple(s for s in sections if s is not held)
        same = any(s.donor == held.donor for s in train)
        said = f" (donor {held.donor} in training, too)" if same else ""
        yield Split(f"without section {held.name}{said}", train, (held,), "section" if same else "donor")


def fixed_split(sections: Sequence[Section], train: Sequence[str], test: Sequence[str]) -> Split:
    """Return the split that names its training and its test sections; no donor may stand on both sides.

    Raises
    ------
    DataError
        If a name is no section.
    LeakError
        If a donor is on both sides.
    """
    by_name = {s.name: s for s in sections}
    unknown = [name for name in (*train, *test) if name not in by_name]
    if unknown:
        msg = f"the split names {', '.join(unknown)}, but the sections are {', '.join(by_name)}. Correct the names."
        raise DataError(msg)
    sides = tuple(by_name[n] for n in train), tuple(by_name[n] for n in test)
    check_disjoint(*sides)
    return Split(f"test {', '.join(test)}", *sides, "donor")


def file_splits(sections: Sequence[Section]) -> Iterator[Split]:
    """Yield the splits that stand in the sections' folder: ``splits/train_<i>.csv`` and ``test_<i>.csv``, as they are.

    As published: a donor on both sides is not refused, but `Split.apart` says so. Columns but ``sample_id`` (the
    sections' names) are not read.

    Raises
    ------
    DataError
        If there is no such file, or one names a section that is not there or none.
    """
    folders = {Path(s.origin.path) for s in sections if s.origin is not None}
    if len(folders) != 1:
        msg = (
            f"sections of {len(folders)} folders cannot be divided by the files of one. Give the sections of one task."
        )
        raise DataError(msg)
    folder = folders.pop() / "splits"
    numbers = sorted(int(p.stem.rpartition("_")[2]) for p in folder.glob("train_*.csv"))
    if not numbers:
        msg = f"{folder} holds no train_<i>.csv, so the task cannot be divided as published. Download its splits."
        raise DataError(msg)
    by_name = {s.name: s for s in sections}
    for i in numbers:
        train, test = (_listed(folder / f"{side}_{i}.csv", by_name) for side in ("train", "test"))
        shared = {s.donor for s in train} & {s.donor for s in test}
        names = ", ".join(s.name for s in test)
        said = f" (donor {', '.join(sorted(shared))} in training, too)" if shared else ""
        yield Split(f"fold {i}, test {names}{said}", train, test, "section" if shared else "donor")


def _listed(path: Path, by_name: Mapping[str, Section]) -> tuple[Section, ...]:
    import pandas as pd

    try:
        names = [str(n) for n in pd.read_csv(path, dtype=str)["sample_id"]]
    except (OSError, ValueError, KeyError) as err:
        msg = f"{path} cannot be read as a split with a column sample_id ({err!r}). Download it again."
        raise DataError(msg) from err
    unknown = [n for n in names if n not in by_name]
    if unknown or not names:
        what = f"names {', '.join(unknown)}, which the suite does not" if unknown else "names no sample"
        msg = f"{path} {what}. Restore the benchmark's own file, or name its samples in a suite of your own."
        raise DataError(msg)
    return tuple(by_name[n] for n in names)


def spatial_strips(section: Section, k: int = 2, *, gap_um: float) -> Iterator[Split]:
    """Yield `k` splits of one section into a strip and what lies more than a gap away from it.

    The strips hold equally many observations along the section's longer side. Every split's name says that it stays
    within one donor: such scores do not speak for a new one.

    Parameters
    ----------
    section
        A section with observations.
    k
        Number of strips, at least 2.
    gap_um
        Training observations within this distance of a test observation are dropped, um. Take at least the largest
        tile side plus the reach of lateral diffusion, so that no pixel serves both sides.

    Raises
    ------
    DataError
        If `k` is below 2, the gap is negative, or nothing is left to train on.
    """
    if k < 2 or gap_um < 0:
        msg = f"{k} strips with a gap of {gap_um:g} um divide nothing. Give at least 2 strips and a gap of 0 or more."
        raise DataError(msg)
    return _strips(section, k, gap_um)


def _strips(section: Section, k: int, gap_um: float) -> Iterator[Split]:
    section = section.divisible()
    xy = section.xy_um
    along = xy[:, int(np.argmax(np.ptp(xy, axis=0)))]
    # By value, not by rank: observations of one array column stay together.
    strip = np.searchsorted(np.quantile(along, np.linspace(0, 1, k + 1)[1:-1]), along, side="right")
    for i in range(k):
        test = strip == i
        if not test.any():
            continue
        train = ~test & (cKDTree(xy[test]).query(xy)[0] > gap_um)
        if not train.any():
            msg = (
                f"a gap of {gap_um:g} um around strip {i + 1} of {k} leaves nothing of section {section.name!r} to "
                "train on. Use a smaller gap or fewer strips."
            )
            raise DataError(msg)
        name = f"within one donor ({section.donor}), section {section.name}: strip {i + 1} of {k}, gap {gap_um:g} um"
        sides = (section.subset(train, name=f"{section.name} outside strip {i + 1}"),)
        yield Split(name, sides, (section.subset(test, name=f"{section.name} strip {i + 1}"),), "region of one section")
