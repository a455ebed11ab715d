"""Generate PAPERS.md, PAPERS.zh.md and the README's short table from the records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from histoscribe.catalogue.formats.tables import markdown_row
from histoscribe.catalogue.ladder import RUNGS
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["MARKERS", "papers_page", "project_pages", "readme_table", "with_table"]

Lang = Literal["en", "zh"]

#: Between these lines a README holds the short table; text around it is written by hand.
MARKERS = ("<!-- papers:start -->", "<!-- papers:end -->")

_HEAD: Mapping[Lang, str] = {
    "en": "| Year | Title | Venue | Paper | Code | Ladder |",
    "zh": "| 年份 | 标题 | 发表于 | 论文 | 代码 | 阶梯 |",
}
_RULE = "|---|---|---|---|---|---|"

_INTRO: Mapping[Lang, str] = {
    "en": """# Papers

[中文](PAPERS.zh.md)

{papers} papers, {core} of them join histology images with spatial transcriptomics; {datasets} data sets.
Written by `histoscribe papers pages` from the records in `src/histoscribe/catalogue/records/`: do not edit it by hand.
Facts are CC0; [CONTRIBUTING.md](CONTRIBUTING.md) says how to add a paper.
An empty cell means "not read", never "has none".

**Ladder**: {ladder}.
Rungs 1 to 4 are facts about the authors' repository; 5 and 6 come from stored runs of HistoScribe's own implementation.
""",
    "zh": """# 论文

[English](PAPERS.md)

共 {papers} 篇论文，其中 {core} 篇结合了组织学图像与空间转录组；{datasets} 个数据集。
本页由 `histoscribe papers pages` 根据 `src/histoscribe/catalogue/records/` 中的记录生成，请勿手工修改。
事实以 CC0 发布；如何添加论文见 [CONTRIBUTING.md](CONTRIBUTING.md)。
空格表示“尚未读到”，而不是“没有”。

**阶梯**：{ladder}。
第 1 至 4 级是作者代码库的事实；第 5、6 级来自 HistoScribe 自身实现的存档运行。
""",
}
_LINKS: Mapping[Lang, tuple[str, str]] = {"en": ("Paper", "Code"), "zh": ("论文", "代码")}
_WORDS: Mapping[str, Mapping[Lang, str]] = {
    "founding": {"en": "The eight founding papers", "zh": "八篇奠基论文"},
    "background": {"en": "Background of HistoScribe's own methods", "zh": "HistoScribe 自身方法的背景"},
    "conflicts": {"en": "Open conflicts between sources", "zh": "来源之间尚未裁定的冲突"},
    "mended": {"en": "Mended errors of the sources", "zh": "已更正的来源错误"},
    "unreleased": {"en": "none released", "zh": "未发布"},
    "contents": {"en": "Contents", "zh": "目录"},
}


def _order(paper: Paper) -> tuple[int, str]:
    return (-(paper.year or 0), paper.title.casefold())


def _row(paper: Paper, ladder: Mapping[str, Climb], lang: Lang) -> str:
    row = markdown_row(paper, words=_LINKS[lang])
    if paper.code and paper.code.status == "none":
        # "Looked for and not released" is knowledge; an empty cell would say that nobody looked.
        row = row.removesuffix("|  |") + f"| {_WORDS['unreleased'][lang]} |"
    return f"{row} {ladder[paper.id].level} |"


def _table(papers: Sequence[Paper], ladder: Mapping[str, Climb], lang: Lang) -> list[str]:
    return [_HEAD[lang], _RULE, *(_row(paper, ladder, lang) for paper in papers)]


def papers_page(catalogue: Catalogue, *, ladder: Mapping[str, Climb], lang: Lang = "en") -> str:
    """Write the whole list: the founding papers, then every paper under its first task, newest first."""
    papers = list(catalogue.papers.values())
    at = 1 if lang == "zh" else 0
    intro = _INTRO[lang].format(
        papers=len(papers),
        core=sum(p.role == "core" for p in papers),
        datasets=len(catalogue.datasets),
        ladder=", ".join(f"{level} {names[at]}" for level, names in RUNGS.items()),
    )
    founding = sorted((p for p in papers if p.founding), key=lambda p: p.founding or 0)
    sections = [(_WORDS["founding"][lang], "", _table(founding, ladder, lang))]
    for key, term in catalogue.vocabulary.facet("task").items():
        members = [p for p in papers if p.tasks[0] == key and not p.founding and p.role != "background"]
        if members:
            label = (term.zh if lang == "zh" else term.en[0].upper() + term.en[1:]) + f" ({len(members)})"
            means = term.means_zh if lang == "zh" else term.means
            sections.append((label, means, _table(sorted(members, key=_order), ladder, lang)))
    background = sorted((p for p in papers if p.role == "background"), key=_order)
    if background:
        sections.append((_WORDS["background"][lang], "", _table(background, ladder, lang)))
    sections += _notes(papers, lang)
    contents = [f"- [{label}](#{_anchor(label)})" for label, _, _ in sections]
    lines = [intro, f"**{_WORDS['contents'][lang]}**", "", *contents]
    for label, means, body in sections:
        lines += ["", f"## {label}", "", *([means, ""] if means else []), *body]
    return "\n".join(lines) + "\n"


def _notes(papers: Sequence[Paper], lang: Lang) -> list[tuple[str, str, list[str]]]:
    conflicts = [
        f"- `{p.id}`, {c.field}: {' / '.join(f'{claim.value} ({claim.source})' for claim in c.claims)}. {c.reason}"
        for p in papers
        for c in p.conflicts
        if c.decided is None
    ]
    mended = [f"- `{p.id}`: {text}" for p in papers for text in p.mended]
    found = [(_WORDS["conflicts"][lang], "", conflicts), (_WORDS["mended"][lang], "", mended)]
    return [section for section in found if section[2]]


def _anchor(label: str) -> str:
    """Name the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", label.lower()).replace(" ", "-")


def readme_table(catalogue: Catalogue, *, ladder: Mapping[str, Climb], lang: Lang = "en") -> str:
    """Write the short table of a README: the eight founding papers and how many more there are."""
    papers = list(catalogue.papers.values())
    founding = sorted((p for p in papers if p.founding), key=lambda p: p.founding or 0)
    more = len(papers) - len(founding)
    tail = {
        "en": f"{more} more, and {len(catalogue.datasets)} data sets, in [PAPERS.md](PAPERS.md).",
        "zh": f"另有 {more} 篇论文与 {len(catalogue.datasets)} 个数据集，见 [PAPERS.zh.md](PAPERS.zh.md)。",
    }
    return "\n".join([*_table(founding, ladder, lang), "", tail[lang]])


def with_table(text: str, table: str) -> str:
    """Put `table` between the markers of a README.

    Raises
    ------
    DataError
        If the markers are absent, stand twice or in the wrong order.
    """
    first, last = MARKERS
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        msg = f"the README lacks its markers. Put the lines {first} and {last} where the table belongs."
        raise DataError(msg)
    before, _, rest = text.partition(first)
    return f"{before}{first}\n{table}\n{last}{rest.partition(last)[2]}"


def project_pages(catalogue: Catalogue, project: Path, *, ladder: Mapping[str, Climb]) -> dict[str, str]:
    """Generate every page of a checkout.

    Returns
    -------
    File name to text: PAPERS in both languages, and each README that has the markers.
    """
    pages = {
        "PAPERS.md": papers_page(catalogue, ladder=ladder),
        "PAPERS.zh.md": papers_page(catalogue, ladder=ladder, lang="zh"),
    }
    readmes: tuple[tuple[str, Lang], ...] = (("README.md", "en"), ("README.zh.md", "zh"))
    for name, lang in readmes:
        path = project / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if MARKERS[0] in text:
            pages[name] = with_table(text, readme_table(catalogue, ladder=ladder, lang=lang))
    return pages
