"""CSV and Markdown tables of papers."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["csv_text", "link_of", "markdown_row", "markdown_text"]


def link_of(paper: Paper) -> str | None:
    """Return the most lasting address of a paper: DOI, arXiv, else the one that was read."""
    if paper.doi:
        return f"https://doi.org/{paper.doi}"
    if paper.arxiv and paper.status == "preprint":
        return f"https://arxiv.org/abs/{paper.arxiv}"
    return paper.url or (f"https://arxiv.org/abs/{paper.arxiv}" if paper.arxiv else None)


def csv_text(catalogue: Catalogue, papers: Sequence[Paper]) -> str:
    """Write papers as CSV with a header; lists are separated by semicolons, a blank means "not read"."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    header = "id title authors year venue status doi arxiv url tasks method datasets platforms organs code licence"
    out.writerow(header.split())
    for p in papers:
        m = p.modality
        cells = [p.id, p.title, "; ".join(p.authors), p.year, p.venue.name if p.venue else None, p.status, p.doi]
        cells += [p.arxiv, p.url, "; ".join(p.tasks), p.method.name if p.method else None, "; ".join(p.datasets)]
        cells += ["; ".join(m.platforms), "; ".join(m.organs)]
        cells += [p.code.url, p.code.licence] if p.code else [None, None]
        out.writerow(["" if cell is None else cell for cell in cells])
    return stream.getvalue()


def _cell(text: str) -> str:
    # A bar would end the cell, and a bracket the link.
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("[", "\\[").replace("]", "\\]").replace("\n", " ")


def markdown_row(paper: Paper, *, words: tuple[str, str] = ("Paper", "Code")) -> str:
    """Write one paper as a row: year, title, venue, paper, code; `words` name the two links."""
    link = link_of(paper)
    code = paper.code.url if paper.code else None
    name = f"**{_cell(paper.method.name)}**: " if paper.method and paper.method.name not in paper.title else ""
    cells = [
        str(paper.year or ""),
        name + _cell(paper.title),
        _cell(paper.venue.name) if paper.venue else "",
        f"[{words[0]}](<{link}>)" if link else "",
        f"[{words[1]}](<{code}>)" if code else "",
    ]
    return f"| {' | '.join(cells)} |"


def markdown_text(catalogue: Catalogue, papers: Sequence[Paper]) -> str:
    """Write papers as a Markdown table in the founding list's form."""
    head = ["| Year | Title | Venue | Paper | Code |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(markdown_row(p) for p in papers)]) + "\n"
