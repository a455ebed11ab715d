"""TCGA barcodes: whose tissue a sample or a slide is of, who collected it, and whether it is tumour."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Barcode"]

_PATTERN = re.compile(r"TCGA-(?P<site>[A-Z0-9]{2})-(?P<person>[A-Z0-9]{4})(?:-(?P<code>\d{2})[A-Z]?)?(?![A-Z0-9])")


@dataclass(frozen=True)
class Barcode:
    """The parts of a barcode that splits and matches need.

    Attributes
    ----------
    donor
        ``TCGA-A1-A0SB``.
    site
        Tissue source site, ``A1``: the second field.
    code
        Kind of sample, ``01`` primary tumour, ``11`` normal tissue of the donor; empty where the name stops before it.
        Source: GDC code tables, "Sample Type Codes".

    Examples
    --------
    >>> Barcode.of("TCGA-A1-A0SB-01Z-00-DX1.B34C267B")
    Barcode(donor='TCGA-A1-A0SB', site='A1', code='01')
    """

    donor: str
    site: str
    code: str = ""

    @property
    def tissue(self) -> str:
        """``"tumour"`` (01-09), ``"normal"`` (10-19), ``"other"``, or empty without a code."""
        if not self.code:
            return ""
        return {"0": "tumour", "1": "normal"}.get(self.code[0], "other")

    @classmethod
    def of(cls, name: str) -> Barcode | None:
        """Read the barcode at the beginning of a name, or return None where there is none."""
        found = _PATTERN.match(name)
        if found is None:
            return None
        return cls(f"TCGA-{found['site']}-{found['person']}", found["site"], found["code"] or "")
