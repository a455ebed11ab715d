"""Rules on data sets: ids that exist, counts that are somebody else's, the right paper."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import normalise_title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.catalogue.store import Catalogue

__all__ = ["dangling", "duplicate", "paper", "size"]


def dangling(catalogue: Catalogue) -> Iterator[Finding]:
    """Every id that a record names exists."""
    known = catalogue.datasets
    for record in catalogue.papers.values():
        for key in dict.fromkeys([*record.datasets, *(r.dataset for r in record.results)]):
            if key not in known:
                mend = "Add its record, mend the id, or list the name under datasets_unlisted."
                yield Finding("dangling-dataset", record.id, f"data set {key!r} has no record", mend, about=key)
    for dataset in known.values():
        for key in [*dataset.contains, *dataset.overlaps]:
            if key not in known:
                what = f"data set {key!r} has no record"
                yield Finding("dangling-dataset", dataset.id, what, "Add its record or mend the id.", about=key)
        if dataset.paper and dataset.paper not in catalogue.papers:
            what = f"paper {dataset.paper!r} has no record"
            yield Finding("dangling-dataset", dataset.id, what, "Add its record or mend the id.", about=dataset.paper)


def duplicate(catalogue: Catalogue) -> Iterator[Finding]:
    """A data set has one record."""
    for first, second in combinations(catalogue.datasets.values(), 2):
        shared_doi = first.doi is not None and first.doi == second.doi
        if shared_doi or normalise_title(first.name) == normalise_title(second.name):
            what = f"{'DOI' if shared_doi else 'name'} is also that of {first.id}"
            yield Finding("duplicate-dataset", second.id, what, "Merge the two records.", about=first.id)


def size(catalogue: Catalogue) -> Iterator[Finding]:
    """Two data sets do not have the same numbers of samples and spots by chance."""
    counted = [d for d in catalogue.datasets.values() if d.n_samples and d.n_spots]
    for first, second in combinations(counted, 2):
        if (first.n_samples, first.n_spots) == (second.n_samples, second.n_spots):
            what = f"{second.n_samples} samples and {second.n_spots} spots are also the numbers of {first.id}"
            mend = "One of the two carries the other's numbers; look at both sources."
            yield Finding("dataset-size", second.id, what, mend, about=first.id)


def paper(catalogue: Catalogue) -> Iterator[Finding]:
    """Two records of one data set name the same paper, and the address does not lead to another one."""
    for dataset in catalogue.datasets.values():
        record = catalogue.papers.get(dataset.paper or "")
        names = {name.casefold() for name in (dataset.name, *dataset.aliases)}
        for other in catalogue.datasets.values():
            shared = names & {name.casefold() for name in (other.name, *other.aliases)}
            if other.id < dataset.id and shared and dataset.paper != other.paper and dataset.paper and other.paper:
                what = f"{shared.pop()!r} is presented by {dataset.paper} here and by {other.paper} in {other.id}"
                yield Finding("dataset-paper", dataset.id, what, "Find out which paper it is.", about=other.id)
        url = (dataset.url or "").lower()
        if record and record.doi and "doi.org/10." in url and record.doi.lower() not in url:
            versions = {(v.doi or "").lower() for v in record.versions}
            if not any(v and v in url for v in versions):
                what = f"the address leads to another DOI than that of its paper {record.id}"
                yield Finding("dataset-paper", dataset.id, what, "Mend the address or the paper.", about=record.id)
