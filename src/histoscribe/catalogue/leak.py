"""Leak check: which data sets hold the same sections or donors, so that one cannot test what the other taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.catalogue.identifiers import doi_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.catalogue.schema import Dataset
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Leak", "leaks"]


@dataclass(frozen=True)
class Leak:
    """Two data sets that are not independent.

    Attributes
    ----------
    first, second
        Ids, in alphabetical order.
    how
        ``contains``: one holds the other whole. ``common part``: both hold a third. ``overlap``: some sections or
        donors are shared. ``accession``: both carry the same accession. ``predicted``: one is model output.
    through
        The third data set, or the accession.
    what
        One sentence.
    """

    first: str
    second: str
    how: str
    through: str
    what: str


def leaks(catalogue: Catalogue, keys: Sequence[str] = ()) -> list[Leak]:
    """Find pairs of data sets that share sections or donors.

    Parameters
    ----------
    keys
        Look only at pairs that are both among these; with one key, at its pairs with any other. Default: all.

    Notes
    -----
    A pair that is not listed is not proven to be independent: contents of most collections have not been read.
    """
    for key in keys:
        catalogue.dataset(key)
    found: dict[tuple[str, str], Leak] = {}
    names = sorted(catalogue.datasets)
    for at, first in enumerate(names):
        for second in names[at + 1 :]:
            leak = _pair(catalogue, catalogue.datasets[first], catalogue.datasets[second])
            if leak and _asked(first, second, keys):
                found[first, second] = leak
    return list(found.values())


def _asked(first: str, second: str, keys: Sequence[str]) -> bool:
    if len(keys) == 1:
        return keys[0] in {first, second}
    return not keys or {first, second} <= set(keys)


def _parts(catalogue: Catalogue, key: str) -> set[str]:
    """Return a data set and everything that it holds, however deep."""
    parts, todo = set[str](), [key]
    while todo:
        here = todo.pop()
        if here not in parts:
            parts.add(here)
            record = catalogue.datasets.get(here)
            todo.extend(record.contains if record else ())
    return parts


def _pair(catalogue: Catalogue, first: Dataset, second: Dataset) -> Leak | None:
    a, b = _parts(catalogue, first.id), _parts(catalogue, second.id)
    for outer, inner, parts in ((first, second, a), (second, first, b)):
        if inner.id in parts:
            what = f"{outer.name} contains {inner.name}: a model trained on one has seen the other."
            return Leak(first.id, second.id, "contains", inner.id, what)
    if first.kind != "predicted" != second.kind and (shared := sorted(a & b)):
        name = catalogue.datasets[shared[0]].name
        what = f"{first.name} and {second.name} both contain {name}: leave it out of one of them."
        return Leak(first.id, second.id, "common part", shared[0], what)
    if second.id in first.overlaps or first.id in second.overlaps:
        if "predicted" in {first.kind, second.kind}:
            what = f"{first.name} and {second.name} show the same slides, and one of them is model output, not truth."
            return Leak(first.id, second.id, "predicted", "", what)
        what = f"{first.name} and {second.name} share sections or donors; match sample names before you split."
        return Leak(first.id, second.id, "overlap", "", what)
    accessions = set(first.accession) & set(second.accession)
    doi = first.doi if first.doi and first.doi == second.doi else None
    address = doi_of(first.url or "") if first.url and first.url == second.url else None
    same = next(iter(sorted(accessions)), None) or doi or address
    if same:
        what = f"{first.name} and {second.name} carry the same accession {same}."
        return Leak(first.id, second.id, "accession", same, what)
    return None
