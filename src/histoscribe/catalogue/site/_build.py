"""Generate the site: one folder of plain files that opens from disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from histoscribe.catalogue.ladder import Climb, ladder
from histoscribe.catalogue.site._data import data_script, words_script
from histoscribe.catalogue.site._figures import figures
from histoscribe.catalogue.site._folder import replace_folder
from histoscribe.catalogue.site._view import View, method_slug
from histoscribe.catalogue.site._words import attribute, say, sentence, term, words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from histoscribe.catalogue.store import Catalogue

__all__ = ["Site", "build_site"]


@dataclass(frozen=True)
class Site:
    """What was written: folder, number of files, bytes."""

    out: Path
    n_files: int
    n_bytes: int


def build_site(
    catalogue: Catalogue,
    out: Path | str,
    *,
    climbs: Mapping[str, Climb] | None = None,
    implemented: Collection[str] = (),
) -> Site:
    """Write the catalogue as a static site that needs no server, no network and no font of its own.

    The same records give the same bytes.

    Parameters
    ----------
    catalogue
        The records.
    out
        Folder to write: absent, empty, or an earlier site of ours, which is replaced as a whole.
    climbs
        Paper id to its place on the code ladder; default without any stored runs.
    implemented
        Ids of papers whose method or encoder this package implements; their pages say how to run it.

    Raises
    ------
    DataError
        If `out` holds anything that this function did not write.
    StorageError
        If the disk is full or the place cannot be written.
    """
    view = View(catalogue, climbs if climbs is not None else ladder(catalogue.papers), frozenset(implemented))
    pages = _pages(view)
    content = {name: text.encode("utf-8") for name, text in pages.items()}
    replace_folder(Path(out), content)
    return Site(Path(out), len(content), sum(map(len, content.values())))


def _pages(view: View) -> dict[str, str]:
    """Return path inside the site -> text."""
    from histoscribe.catalogue.formats import export

    catalogue = view.catalogue
    bibtex = {p.id: export(catalogue, [p], "bibtex").strip() + "\n" for p in view.papers}
    package = files("histoscribe.catalogue.site")
    pages = {f"assets/{name}": package.joinpath(name).read_text(encoding="utf-8") for name in _ASSETS}
    pages["assets/data.js"] = data_script(catalogue, view.ladder, bibtex)
    pages["assets/words.js"] = words_script(catalogue)
    env = _environment(view)
    top = {
        "index": {"n_code": _with_code(view), "n_runs": sum(c.level >= 5 for c in view.ladder.values())},
        "methods": {"methods": view.methods},
        "datasets": {},
        "coverage": {"figures": figures(view), "tasks": list(catalogue.vocabulary.facet("task").values())},
    }
    for name, more in top.items():
        template = env.get_template(f"{name}.html.j2")
        pages[f"{name}.html"] = template.render(root="", here=name, papers=view.papers, datasets=view.datasets, **more)
    inner = {kind: env.get_template(f"{kind}.html.j2") for kind in ("paper", "method", "dataset")}
    for paper in view.papers:
        pages[f"paper/{paper.id}.html"] = inner["paper"].render(root="../", here="", p=paper, bibtex=bibtex[paper.id])
    for method in view.methods:
        pages[f"method/{method.slug}.html"] = inner["method"].render(root="../", here="", method=method)
    for dataset in view.datasets:
        pages[f"dataset/{dataset.id}.html"] = inner["dataset"].render(root="../", here="", d=dataset)
    return pages


_ASSETS = ("site.css", "site.js", "search.js")


def _with_code(view: View) -> int:
    return sum(bool(p.code and p.code.url) for p in view.papers)


def _environment(view: View) -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("histoscribe.catalogue.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["bare"] = _bare
    env.filters["person"] = _person
    vocabulary = view.catalogue.vocabulary
    env.globals |= {
        "attribute": attribute,
        "field": _field,
        "method_slug": method_slug,
        "say": say,
        "sentence": sentence,
        "label": vocabulary.label,
        "term": cache(partial(term, vocabulary)),
        "version": version("histoscribe"),
        "view": view,
        "yes_no": _yes_no,
    }
    return env


def _bare(url: str) -> str:
    return url.partition("://")[2].rstrip("/")


def _person(name: str) -> str:
    """Turn ``Family, Given`` round; ``others`` is what the source cut off."""
    family, comma, given = name.partition(", ")
    return f"{given} {family}" if comma else "et al." if name == "others" else name


def _field(name: str) -> Markup:
    key = f"field_{name}"
    return say(key) if key in words() else Markup("<code>{}</code>").format(name)


def _yes_no(value: Any) -> Markup:
    return say("not_read" if value is None else "yes" if value else "no")
