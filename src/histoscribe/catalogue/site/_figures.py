"""Figures of the coverage page: inline SVG that follows the theme, beside the numbers in a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from histoscribe.catalogue.ladder import RUNGS
from histoscribe.catalogue.site._words import attribute, say, sentence, term

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.site._view import View

__all__ = ["Figure", "figures"]

#: Years before this are one column: two classics would leave fifty empty ones.
_FIRST = 2019

#: How far the code goes, in the four steps that a stacked bar can still show: word and levels.
_STEPS = (("step_none", (0,)), ("step_link", (1,)), ("step_read", (2, 3, 4)), ("step_runs", (5, 6)))


@dataclass(frozen=True)
class Figure:
    """One figure: key of its title in the words, and its HTML."""

    key: str
    html: Markup


def figures(view: View) -> list[Figure]:
    """Draw every figure of the coverage page."""
    core = [p for p in view.papers if p.role == "core"]
    return [
        Figure("fig_timeline", _timeline(view, core)),
        Figure("fig_tasks", _tasks(view, core)),
        Figure("fig_ladder", _ladder(view)),
        Figure("fig_known", _known(core)),
        Figure("fig_data", _data(view)),
    ]


def _years(papers: Sequence[Paper]) -> list[str]:
    known = [p.year for p in papers if p.year]
    last = max(known, default=_FIRST)
    years = [str(y) for y in range(_FIRST, last + 1)]
    return ([f"<{_FIRST}"] if any(y < _FIRST for y in known) else []) + years


def _column(paper: Paper) -> str | None:
    if paper.year is None:
        return None
    return str(paper.year) if paper.year >= _FIRST else f"<{_FIRST}"


def _filter(column: str) -> str:
    return f"to={_FIRST - 1}" if column.startswith("<") else f"from={column}&to={column}"


def _timeline(view: View, papers: Sequence[Paper]) -> Markup:
    """Papers by year, stacked by how far their code goes."""
    years = _years(papers)
    counts = {key: Counter(_column(p) for p in papers if view.ladder[p.id].level in levels) for key, levels in _STEPS}
    totals = [sum(counts[key][y] for key, _ in _STEPS) for y in years]
    wide, high, left, foot = 760, 280, 8, 28
    step, unit = (wide - left) / max(len(years), 1), (high - foot - 24) / max(*totals, 1)
    parts = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" {}>').format(
        wide, high, attribute("aria-label", "fig_timeline_alt", n=len(papers))
    )]  # fmt: skip
    for at, (year, total) in enumerate(zip(years, totals, strict=True)):
        x, top = left + at * step, float(high - foot)
        parts.append(
            Markup('<a href="index.html#{}&role=core"><g>').format(Markup(_filter(year).replace("&", "&amp;")))
        )
        parts.append(Markup("<title>{}: {}</title>").format(year, total))
        for n, (key, _) in enumerate(_STEPS):
            tall = counts[key][year] * unit
            top -= tall
            box = '<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
            if tall:
                parts.append(Markup(box).format(n, x + step * 0.14, top, step * 0.72, max(tall - 1.5, 0.8)))
        label = '<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>'
        parts.append(Markup(label).format(x + step / 2, top - 7, "value", total))
        parts.append(Markup(label).format(x + step / 2, high - 8, "axis", year))
        parts.append(Markup("</g></a>"))
    parts.append(Markup("</svg>"))
    box = '<svg width="14" height="14" aria-hidden="true"><rect class="s{}" width="14" height="14" rx="2"/></svg>'
    mark = f"<li>{box} {{}}</li>"
    legend = Markup("").join(Markup(mark).format(n, say(key)) for n, (key, _) in enumerate(_STEPS))
    head = [say("year"), *(say(key) for key, _ in _STEPS), say("all")]
    rows = [[y, *(str(counts[k][y]) for k, _ in _STEPS), str(t)] for y, t in zip(years, totals, strict=True)]
    figure = Markup('<ul class="legend">{}</ul><div class="scroll figure" tabindex="0" role="region" {}>{}</div>{}')
    return figure.format(legend, attribute("aria-label", "fig_timeline"), Markup("").join(parts), _numbers(head, rows))


def _numbers(head: Sequence[Markup], rows: Sequence[Sequence[str]]) -> Markup:
    """Write the numbers of a figure as a table that opens on request."""
    top = Markup("").join(Markup('<th scope="col" class="num">{}</th>').format(h) for h in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup('<td class="num">{}</td>').format(c) for c in row))
        for row in rows
    )
    table = (
        '<details><summary>{}</summary><div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>"
    )
    return Markup(table).format(say("numbers"), top, body)


def _tasks(view: View, papers: Sequence[Paper]) -> Markup:
    """Tasks by year: a table whose cells carry a disc of as many papers as its area."""
    years = _years(papers)
    counts = Counter((t, _column(p)) for p in papers for t in p.tasks)
    totals = Counter(t for p in papers for t in p.tasks)
    most = max((n for (_, year), n in counts.items() if year), default=1)
    head = Markup("").join(Markup('<th scope="col" class="num">{}</th>').format(y) for y in (*years, say("all")))
    body = []
    for task, total in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
        cells = [_disc(counts[task, y], most, f"task={quote(task)}&{_filter(y)}&role=core") for y in years]
        cells.append(Markup('<td class="num"><b>{}</b></td>').format(total))
        name = term(view.catalogue.vocabulary, "task", task)
        link = Markup('<a href="index.html#task={}&amp;role=core">{}</a>').format(quote(task), name)
        body.append(Markup('<tr><th scope="row">{}</th>{}</tr>').format(link, Markup("").join(cells)))
    table = (
        '<div class="scroll" tabindex="0" role="region" {}><table class="discs">'
        '<thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    return Markup(table).format(attribute("aria-label", "fig_tasks"), say("facet_task"), head, Markup("").join(body))


def _disc(n: int, most: int, target: str) -> Markup:
    if not n:
        return Markup('<td class="num soft">·</td>')
    radius = 17 * (n / most) ** 0.5  # the area, not the radius, is the number
    cell = (
        '<td class="num"><a href="index.html#{}"><svg viewBox="0 0 36 36" width="36" height="36" aria-hidden="true">'
        '<circle class="s2" cx="18" cy="18" r="{:.1f}"/></svg><span>{}</span></a></td>'
    )
    return Markup(cell).format(target, radius, n)


def _bars(rows: Sequence[tuple[Markup, int]], whole: int, *, share: bool, lead: Callable[[int], str]) -> Markup:
    """Draw horizontal bars inside a table, so that the figure reads as one and fits a phone."""
    body = []
    for at, (name, n) in enumerate(rows):
        percent = 100 * n / whole if whole else 0
        bar = (
            '<svg class="hbar" width="100%" height="16" aria-hidden="true">'
            '<rect class="track" width="100%" height="16" rx="3"/>'
            '<rect class="{}" width="{:.2f}%" height="16" rx="3"/></svg>'
        )
        drawn = Markup(bar).format(lead(at), percent)
        value = Markup("{} <span class=soft>{:.0f}%</span>").format(n, percent) if share else Markup("{}").format(n)
        row = '<tr><th scope="row">{}</th><td class="wide-cell">{}</td><td class="num">{}</td></tr>'
        body.append(Markup(row).format(name, drawn, value))
    return Markup('<table class="bars"><tbody>{}</tbody></table>').format(Markup("").join(body))


def _ladder(view: View) -> Markup:
    levels = Counter(view.ladder[p.id].level for p in view.papers)
    rows = []
    for n in RUNGS:
        link = Markup('<a href="index.html#level={}">{} {}</a>').format(n, n, say(f"rung_{n}"))
        rows.append((link if n else Markup("{} {}").format(n, say("rung_0")), levels[n]))
    steps = {level: at for at, (_, levels) in enumerate(_STEPS) for level in levels}
    return _bars(rows, len(view.papers), share=True, lead=lambda at: f"s{steps[at]}")


def _known(core: Sequence[Paper]) -> Markup:
    """How many of the field's own papers have each fact read: the gaps are the point."""
    facts = {
        "known_id": sum(bool(p.doi or p.arxiv or p.versions) for p in core),
        "known_verified": sum(bool(p.verified) for p in core),
        "known_code": sum(p.code is not None for p in core),
        "known_read": sum(bool(p.code and p.code.status in {"read", "incomplete"}) for p in core),
        "known_datasets": sum(bool(p.datasets or p.datasets_unlisted) for p in core),
        "known_platform": sum(bool(p.modality.platforms) for p in core),
        "known_organ": sum(bool(p.modality.organs) for p in core),
        "known_authors": sum(bool(p.authors) for p in core),
        "known_results": sum(bool(p.results) for p in core),
    }
    return _bars([(say(key), n) for key, n in facts.items()], len(core), share=True, lead=lambda _: "s2")


def _data(view: View) -> Markup:
    """Data sets by the papers that use them."""
    used = sorted(((len(users), key) for key, users in view.users.items() if users), key=lambda x: (-x[0], x[1]))[:15]
    rows = []
    for n, key in used:
        known = view.catalogue.datasets.get(key)
        name = Markup('<a href="dataset/{}.html">{}</a>').format(key, known.name) if known else Markup("{}").format(key)
        rows.append((name, n))
    if not rows:
        return Markup("<p>{}</p>").format(sentence("users_none"))
    return _bars(rows, used[0][0], share=False, lead=lambda _: "s2")
