"""Identity: sections that are the same tissue under two names, and splits that would train and test on them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.bench._profiles import common_genes, named_profiles, nameless_profiles, position_profiles
from histoscribe.bench._thumbprint import likeness, thumbprint
from histoscribe.bench.splits import check_disjoint
from histoscribe.core.errors import LeakError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from histoscribe.bench.splits import Split
    from histoscribe.core.section import Section

__all__ = ["Duplicate", "check_split", "check_splits", "find_duplicates", "refuse_twins"]

Reason = Literal["known", "counts", "counts without names", "positions", "pixels", "image"]
#: Fewer identical observations than these can be chance.
_LEAST, _LEAST_SHARE = 5, 0.05
#: Without names, or by places alone, chance is larger.
_WEAK_SHARE = 0.5
#: Fewer common genes than this are compared pair by pair, in case some pairs share more.
_FEW_GENES = 100
#: Neighbouring sections of one block look alike from afar; the same image compressed anew looks the same.
_SAME_IMAGE = 0.98


@dataclass(frozen=True)
class Duplicate:
    """Two sections that are, as far as can be told, the same tissue.

    Attributes
    ----------
    first, second
        Names, in the order given.
    reason
        ``"known"``: an identity table says so. ``"counts"``: observations have the same counts over common genes.
        ``"counts without names"``: they have as many genes with one count, two, three and so on. ``"positions"``: the
        places lie in the same pattern. ``"pixels"``: the slides are the same file content. ``"image"``: the slides look
        the same, perhaps turned, mirrored or compressed anew.
    share
        Share of identical observations, of the section that has fewer; of ``"image"`` the correlation; else None.
    n
        Number of identical observations, where they were counted.
    what
        One sentence.
    """

    first: str
    second: str
    reason: Reason
    share: float | None
    n: int | None
    what: str


def find_duplicates(sections: Sequence[Section], *, positions: bool = False, images: bool = False) -> list[Duplicate]:
    """Find sections that are the same tissue, whatever their names, donors, formats and order of observations.

    Counts are always compared, observation by observation, so a section that was cropped, reordered or written by
    another program is found; observations with few counts prove nothing and are left out. A count that was changed
    (normalised, corrected, pooled to larger squares) is not recognised; positions and images may still tell.

    Parameters
    ----------
    sections
        Sections with different names.
    positions
        Compare the pattern of places, too; a lattice says nothing.
    images
        Compare the slides, too: each is read once.

    Returns
    -------
    One entry a pair and reason, in the order of the sections. A pair that is not listed has not been shown to be
    independent: neighbouring sections of one block, for one, share no observation.
    """
    found = [*_known(sections), *_same_counts(sections)]
    if positions:
        profiles = {i: position_profiles(s) for i, s in enumerate(sections)}
        found += _shared(sections, profiles, "positions", "lie in the same pattern", least=_WEAK_SHARE)
    if images:
        found += _same_images(sections)
    place = {section.name: i for i, section in enumerate(sections)}
    return sorted(found, key=lambda d: (place[d.first], place[d.second]))


def check_split(
    train: Sequence[Section],
    test: Sequence[Section],
    *,
    duplicates: Iterable[Duplicate] | None = None,
    donors: bool = True,
) -> None:
    """Refuse a split in which a donor, or the same tissue under another name, stands on both sides.

    Parameters
    ----------
    train, test
        The two sides.
    duplicates
        What `find_duplicates` returned, where it was asked before; by default it is asked now.
    donors
        Whether a common donor is a leak; False for a split that says it keeps sections apart, not donors.

    Raises
    ------
    LeakError
        Naming the donors, or the sections and how they were recognised.
    """
    if donors:
        check_disjoint(train, test)
    if duplicates is None:
        duplicates = find_duplicates([*train, *test])
    sides = {s.name for s in train}, {s.name for s in test}
    leaks = [
        d for d in duplicates for a, b in ((d.first, d.second), (d.second, d.first)) if a in sides[0] and b in sides[1]
    ]
    if leaks:
        told = " ".join(dict.fromkeys(leak.what for leak in leaks))
        msg = (
            f"the same tissue is in training and in test under two names. {told} Leave one of them out, or put both on "
            "one side (give them one donor=)."
        )
        raise LeakError(msg)


def check_splits(splits: Iterable[Split], sections: Sequence[Section]) -> None:
    """Refuse a benchmark in which the same tissue would be trained on and tested on; counts are read once for all.

    Splits within one section are left alone: their two sides are parts of it on purpose, and say so.

    Raises
    ------
    LeakError
        As `check_split`.
    """
    duplicates = find_duplicates(sections)
    for split in splits if duplicates else ():
        if split.apart != "region of one section":
            check_split(split.train, split.test, duplicates=duplicates, donors=split.apart == "donor")


def refuse_twins(test: Section, training: Sequence[Section]) -> None:
    """Refuse to score a section that a model was trained on under another name.

    Raises
    ------
    LeakError
        Naming the training section and how it was recognised.
    """
    # Names of the two sides may be the same, and name nothing then.
    named = [test.replace(name="test"), *(s.replace(name=f"{s.name} #{i}") for i, s in enumerate(training))]
    twins = {d.second.rpartition(" #")[0]: d for d in reversed(find_duplicates(named)) if d.first == "test"}
    if twins:
        shares = [f"{name!r}{'' if d.share is None else f' ({d.share:.0%} of it)'}" for name, d in twins.items()]
        msg = (
            f"section {test.name!r} was itself trained on, as {', '.join(shares)}, so its score says nothing. Evaluate "
            "on a section that the model never saw."
        )
        raise LeakError(msg)


def _known(sections: Sequence[Section]) -> list[Duplicate]:
    """Return pairs that HEST's identity table names."""
    from histoscribe.io._hest_identity import DUPLICATES

    by_id: dict[str, list[Section]] = defaultdict(list)
    for section in sections:
        if (sample := _hest_id(section)) is not None:
            by_id[sample].append(section)
    found = []
    for sample, twin in DUPLICATES.items():
        for first in by_id[sample]:
            for second in by_id[str(twin.value)]:
                a, b = sorted((first, second), key=sections.index)
                what = f"{a.name} and {b.name} are one section ({twin.source})."
                found.append(Duplicate(a.name, b.name, "known", None, None, what))
    return found


def _hest_id(section: Section) -> str | None:
    origin = section.origin
    if origin is None or origin.reader not in {"hest", "hest-bench"}:
        return None
    return str(origin.options.get("sample") or section.name)


def _same_counts(sections: Sequence[Section]) -> list[Duplicate]:
    measured = {i: s for i, s in enumerate(sections) if s.measured}
    if len(measured) < 2:
        return []
    same = "have the same counts"
    genes = common_genes(list(measured.values()))
    if len(genes) >= _FEW_GENES:
        found = _shared(sections, {i: named_profiles(s, genes) for i, s in measured.items()}, "counts", same)
    else:
        found = []
        for i, j in combinations(measured, 2):
            genes = common_genes([measured[i], measured[j]])
            profiles = {k: named_profiles(measured[k], genes) for k in (i, j)}
            found += _shared(sections, profiles, "counts", same)
    named = {(d.first, d.second) for d in found}
    nameless = {i: nameless_profiles(s) for i, s in measured.items()}
    alike = "have the same numbers of genes with one count, two, three and so on"
    weaker = _shared(sections, nameless, "counts without names", alike, least=_WEAK_SHARE)
    return found + [d for d in weaker if (d.first, d.second) not in named]


def _shared(
    sections: Sequence[Section],
    profiles: dict[int, np.ndarray],
    reason: Reason,
    what: str,
    *,
    least: float = _LEAST_SHARE,
) -> list[Duplicate]:
    """Return the pairs that have many names of observations in common; one sort over all of them."""
    which = np.concatenate([np.full(len(names), i) for i, names in profiles.items()])
    names = np.concatenate(list(profiles.values()))
    order = np.lexsort((which, names))
    names, which = names[order], which[order]
    n: dict[tuple[int, int], int] = defaultdict(int)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(names) else np.empty(0, int)
    ends = np.r_[starts[1:], len(names)]
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        for pair in combinations(which[start:end].tolist(), 2):
            n[pair] += 1
    found = []
    for (i, j), identical in n.items():
        share = identical / min(len(profiles[i]), len(profiles[j]))
        if identical >= _LEAST and share >= least:
            a, b = sections[i].name, sections[j].name
            told = f"{share:.0%} of the observations of {a} and {b} that can be told apart ({identical}) {what}."
            found.append(Duplicate(a, b, reason, share, identical, told))
    return found


def _same_images(sections: Sequence[Section]) -> list[Duplicate]:
    slides = {i: s.slide for i, s in enumerate(sections) if s.slide is not None}
    digests = {i: slide.digest() for i, slide in slides.items()}
    prints = {i: print_ for i, slide in slides.items() if (print_ := thumbprint(slide)) is not None}
    found = []
    for i, j in combinations(slides, 2):
        a, b = sections[i].name, sections[j].name
        if digests[i] == digests[j]:
            what = f"{a} and {b} have the same slide, pixel for pixel."
            found.append(Duplicate(a, b, "pixels", None, None, what))
        elif i in prints and j in prints and (r := likeness(prints[i], prints[j])) >= _SAME_IMAGE:
            what = f"The slides of {a} and {b} look the same from afar (correlation {r:.3f})."
            found.append(Duplicate(a, b, "image", r, None, what))
    return found
