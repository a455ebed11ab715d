"""Whose tissue a HEST sample is: the metadata's patient, with known mistakes corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError
from histoscribe.io._hest_identity import DONORS, DUPLICATES, donor_name, patient_label
from histoscribe.io._hest_tree import find_sample

if TYPE_CHECKING:
    from histoscribe.io._hest_tree import HestSample

__all__ = ["hest_donor"]


def hest_donor(files: HestSample, notes: list[str]) -> str | None:
    """Name the donor, or None where the metadata do not say.

    A sample that is there twice has one donor: where only its twin's patient is known, that one; where neither is, the
    twin's id, so that the two can never stand on both sides of a split.
    """
    patient, title = files.metadata.get("patient"), files.metadata.get("dataset_title")
    known = DONORS.get(files.id)
    if known is not None and patient_label(patient) != known.value:
        notes.append(f"the metadata say patient {patient!r}; it is {known.value} ({known.source})")
        patient = known.value
    twin = DUPLICATES.get(files.id)
    if twin is not None:
        notes.append(f"this is the same section as {twin.value} ({twin.source}); use one of them")
        if patient_label(patient) is None:
            return _twin(files, str(twin.value))
    return donor_name(patient, title)


def _twin(files: HestSample, twin: str) -> str:
    try:
        found = find_sample(files.root, twin).metadata
    except DataError:
        return twin
    return donor_name(found.get("patient"), found.get("dataset_title")) or twin
