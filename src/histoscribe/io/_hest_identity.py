"""Known mistakes of HEST-1k's metadata: whose tissue it is, what is there twice, and which scales are doubtful.

Sources are issues of the repository ``mahmoodlab/HEST``; the numbers are in the entries. Releases differ: an entry
corrects what the metadata at hand say, and says nothing where they are right already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from histoscribe.core.files import digest

__all__ = ["DONORS", "DUPLICATES", "MISALIGNED", "SCALES", "Doubt", "donor_name", "patient_label"]


@dataclass(frozen=True)
class Doubt:
    """What is known against an entry of the metadata.

    Attributes
    ----------
    value
        The right value; for a scale every um/px that the sample's sources state, for others a text.
    source
        Where it was found out.
    """

    value: tuple[float, ...] | str
    source: str


#: Sample -> its patient. Release 1.1.0 labels all three "Patient 1", although their subseries names another one each.
DONORS = {
    "TENX147": Doubt("P5", "HEST issues 87 and 133; corrected in release 1.3.0"),
    "TENX148": Doubt("P2", "HEST issues 87 and 133; corrected in release 1.3.0"),
    "TENX149": Doubt("P1", "HEST issues 87 and 133; corrected in release 1.3.0"),
}

#: Sample -> the sample that is the same section.
DUPLICATES = {"TENX128": Doubt("TENX155", "HEST issue 126")}

#: Sample -> um/px that contradict each other, the one in use first.
SCALES = {
    "TENX95": Doubt((), "HEST issue 106: the image states 1.0 um/px"),
    "TENX99": Doubt((), "HEST issue 106: the image states 1.0 um/px"),
    "TENX111": Doubt((0.2738, 0.2125), "HEST issue 106"),
    "TENX114": Doubt((0.1369, 0.2125), "HEST issue 106"),
}

#: Sample -> why its observations may not lie where its image shows them.
MISALIGNED = {
    "NCBI784": Doubt("pseudo-spots are shifted against the image", "HEST issues 59 and 122"),
    "TENX122": Doubt("pseudo-spots are shifted against the image", "HEST issues 59 and 122"),
}

_NUMBERED = re.compile(r"(?:patient|p|pt)[\s._#-]*0*(\d+)", re.IGNORECASE)
#: Letters of a data set's title that a donor's name repeats.
_TITLE = 40


def patient_label(patient: object) -> str | None:
    """Return a patient's label in one spelling, or None where the metadata state none.

    Blank, NaN and None say nothing. "Patient 5", "patient5" and "P5" become "P5": one patient under two spellings
    would be two donors, of which one could train what the other tests.

    Examples
    --------
    >>> patient_label(" Patient 05 "), patient_label("P5"), patient_label("NCBI GSM1"), patient_label("  ")
    ('P5', 'P5', 'NCBI GSM1', None)
    """
    if patient is None or patient != patient:  # noqa: PLR0124 - NaN
        return None
    if isinstance(patient, float) and patient.is_integer():
        patient = int(patient)
    text = " ".join(str(patient).split())
    if not text or text.lower() in {"nan", "none"}:
        return None
    found = _NUMBERED.fullmatch(text)
    return f"P{found[1]}" if found else text


def donor_name(patient: object, dataset: object) -> str | None:
    """Name the donor: a patient is one person only within a data set. None where the patient is not stated.

    Without a data set's title the patient's label is the name as it stands. A long title is cut, and a digest of the
    whole keeps two titles that begin alike apart.
    """
    label = patient_label(patient)
    title = " ".join(str(dataset or "").split())
    if label is None:
        return None
    if not title or title.lower() == "nan":
        return " ".join(str(patient).split())
    if len(title) > _TITLE:
        title = f"{title[:_TITLE].rsplit(' ', 1)[0]}... #{digest(title.casefold())[:4]}"
    return f"{label}, {title}"
