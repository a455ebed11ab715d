"""Finding: one fault, where it is, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One line of `papers check`.

    Attributes
    ----------
    rule
        Rule id.
    record
        Id of the record, or name of the file, that has to be changed.
    what, mend
        What is wrong with which value; what to do.
    about
        Other record, address or field involved: what a waiver can name.
    waived
        Reason of the waiver that accepts it, or None.
    """

    rule: str
    record: str
    what: str
    mend: str
    about: str | None = None
    waived: str | None = None

    def line(self) -> str:
        """Return the finding as one line."""
        tail = f" [waived: {self.waived}]" if self.waived else ""
        return f"{self.rule} {self.record}: {self.what}. {self.mend}{tail}"

    def to_dict(self) -> dict[str, str | None]:
        """Return the finding as plain values."""
        return asdict(self)
