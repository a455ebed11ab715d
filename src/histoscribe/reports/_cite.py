"""How to cite: the tool as BibTeX, and the papers behind method and encoder."""

from __future__ import annotations

from importlib.metadata import metadata, version
from typing import TYPE_CHECKING

from histoscribe.encoders import ENCODERS, split_name, split_names
from histoscribe.methods import FAMILIES
from histoscribe.reports._words import Text

if TYPE_CHECKING:
    from histoscribe.reports._facts import Facts

__all__ = ["bibtex", "papers"]


def bibtex(year: int) -> str:
    """Return the tool's own entry."""
    about = metadata("histoscribe")
    url = next((u.partition(", ")[2] for u in about.get_all("Project-URL", [])), "")
    return (
        "@software{histoscribe,\n"
        f"  title   = {{{{HistoScribe}}: {about['Summary']}}},\n"
        "  author  = {{The HistoScribe developers}},\n"
        f"  version = {{{version('histoscribe')}}},\n"
        f"  year    = {{{year}}},\n"
        f"  url     = {{{url}}}\n"
        "}"
    )


def papers(facts: Facts) -> list[tuple[Text, str]]:
    """Return what is cited and its catalogue key; a plug-in that is not installed here is left out."""
    found = []
    family = next((r for r in FAMILIES.values() if facts.method in r), None)
    if family is not None:
        found.append((Text("cite_method", name=facts.method), family.get(facts.method).card.paper))
    parts = [base for part in split_names(facts.encoder) if (base := split_name(part)[0]) in ENCODERS]
    cards = {part: ENCODERS.get(part).card for part in parts}
    # A foundation model that the catalogue does not know says itself what to cite.
    return found + [(Text("cite_encoder", name=p), c.paper or getattr(c, "reference", "")) for p, c in cards.items()]
