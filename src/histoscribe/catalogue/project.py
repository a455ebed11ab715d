"""Checks on files beside the records: generated pages are up to date, the citation names the project."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import normalise_title

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["check_citation", "check_pages"]


def check_pages(project: Path, expected: Mapping[str, str]) -> Iterator[Finding]:
    """Compare generated pages with what the records give.

    Parameters
    ----------
    project
        Folder of the checkout.
    expected
        File name to the text that generating it again gives.
    """
    for name, text in expected.items():
        path = project / name
        if not path.exists():
            yield Finding("generated", name, "does not exist", "Run `histoscribe papers pages`.")
            continue
        found = path.read_text(encoding="utf-8")
        twice = [h for h, n in Counter(re.findall(r"^##? .+$", found, flags=re.MULTILINE)).items() if n > 1]
        if twice:
            what = f"section {twice[0]!r} stands twice"
            yield Finding("generated", name, what, "Run `histoscribe papers pages`.")
        if found != text:
            pairs = zip(found.splitlines(), text.splitlines(), strict=False)
            line = next(
                (i for i, (a, b) in enumerate(pairs, 1) if a != b), min(found.count("\n"), text.count("\n")) + 1
            )
            what = f"differs from what the records give, first in line {line}"
            yield Finding("generated", name, what, "Run `histoscribe papers pages`; do not edit it by hand.")


def check_citation(project: Path, title: str) -> Iterator[Finding]:
    """Hold the titles that README and CITATION.cff ask to cite against the project's own.

    Parameters
    ----------
    project
        Folder of the checkout.
    title
        A word or title that has to stand in at least one of the cited titles.
    """
    for name in ("README.md", "CITATION.cff"):
        path = project / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        pattern = r"^title:\s*(.+)$" if name.endswith(".cff") else r"^\s*title\s*=\s*[{\"](.+?)[}\"],?\s*$"
        cited = re.findall(pattern, text, flags=re.MULTILINE)
        if cited and not any(normalise_title(title) in normalise_title(c) for c in cited):
            what = f"asks to cite {cited[0].strip()!r}, which is not {title!r}"
            yield Finding("citation", name, what, "Cite the project itself.")
