"""Report: one HTML file, without any network, that says how far a prediction can be trusted and shows it."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from histoscribe.bench._inputs import load_prediction
from histoscribe.core import keys
from histoscribe.core.files import atomic_path
from histoscribe.reports._atlas import Atlas
from histoscribe.reports._cite import bibtex, papers
from histoscribe.reports._genes import choose_genes
from histoscribe.reports._panels import chart_uri, gene_card, ood_panel, places_uri, slide_uri
from histoscribe.reports._repeat import commands
from histoscribe.reports._tables import control_rows, shown_metrics, trust_columns, trust_rows
from histoscribe.reports._verdict import verdict
from histoscribe.reports._view import scale_bar_um
from histoscribe.reports._words import Text, attribute
from histoscribe.reports.charts import HEADLINES, ceiling_figure, controls_figure, trust_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.bench import Evaluation
    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section
    from histoscribe.tiles.check import CheckReport

__all__ = ["report"]

_THEMES = ("light", "dark")


def report(
    prediction: AnnData | Path | str,
    evaluation: Evaluation | None = None,
    *,
    path: Path | str,
    measured: Section | None = None,
    slide: PixelSource | Path | str | None = None,
    genes: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Write a prediction, and what it is worth, as one HTML file in English and Chinese.

    The file holds its pictures and loads nothing from anywhere. Order: verdict, maps, trust, controls, novelty, check
    of the places, what the numbers mean, provenance, citation.

    Parameters
    ----------
    prediction
        What `histoscribe.predict` returned, or its file.
    evaluation
        What `histoscribe.evaluate` said of it; without one, the report says that nothing was checked.
    path
        HTML file to write, atomically.
    measured
        Measured section of the same slide: adds measured and residual maps, and the check of its coordinates.
    slide
        Image to draw on; default the measured section's, else the file that the prediction names.
    genes
        Genes to show beside the best trusted ones.
    title
        Title; default the section's name.

    Returns
    -------
    `path`.

    Raises
    ------
    DataError
        If the AnnData is not a prediction.
    GeneError
        If one of `genes` was not predicted.
    CoordinateError
        If places lie outside the slide, or the measured section is not of this slide.
    StorageError
        If the disk is full; an older file at `path` stays as it was.
    """
    loaded = load_prediction(Path(prediction)) if isinstance(prediction, (Path, str)) else prediction
    page = _page(loaded, evaluation, measured=measured, slide=slide, genes=genes, title=title)
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _page(
    prediction: AnnData,
    evaluation: Evaluation | None,
    *,
    measured: Section | None,
    slide: PixelSource | Path | str | None,
    genes: Sequence[str] | None,
    title: str | None,
) -> str:
    atlas = Atlas.of(prediction, measured=measured, slide=slide)
    check = None if measured is None or measured.slide is None else _check(measured)
    shown = choose_genes(prediction, genes)
    digest = atlas.facts.slide_digest
    differs = bool(digest) and atlas.slide is not None and atlas.slide.digest() != digest
    now = datetime.now(UTC)
    context = {
        "atlas": atlas,
        "facts": atlas.facts,
        "synthetic": _synthetic(atlas, evaluation, measured),
        "title": title or atlas.facts.section,
        "slide_name": Path(atlas.facts.slide).name,
        "now": f"{now:%Y-%m-%d %H:%M} UTC",
        "version": version("histoscribe"),
        "verdict": verdict(atlas, evaluation, check, slide_differs=differs),
        "evaluation": evaluation,
        "he": slide_uri(atlas),
        "bar": _bar(atlas),
        "cards": [gene_card(atlas, s, evaluation) for s in shown],
        "trust": _trust(prediction, evaluation),
        "controls": None if evaluation is None else _controls(evaluation),
        "ood": ood_panel(atlas) if atlas.has_ood else None,
        "places": places_uri(atlas),
        "check": check,
        "commands": commands(atlas.facts, prediction.n_vars),
        "bibtex": bibtex(now.year),
        "papers": papers(atlas.facts),
    }
    return _environment().get_template("report.html.j2").render(context | _assets())


def _synthetic(atlas: Atlas, evaluation: Evaluation | None, measured: Section | None) -> bool:
    made = evaluation is not None and evaluation.record.synthetic
    marked = measured is not None and bool(dict(measured.table.uns.get(keys.UNS, {})).get("synthetic", False))
    return atlas.facts.synthetic or made or marked


def _check(measured: Section) -> CheckReport:
    from histoscribe.tiles.check import check

    return check(measured)


def _bar(atlas: Atlas) -> dict[str, str]:
    length = scale_bar_um(atlas.view.width)
    text = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    return {"percent": f"{100 * length / atlas.view.width:.2f}", "text": text}


def _trust(prediction: AnnData, evaluation: Evaluation | None) -> dict[str, Any]:
    rows = trust_rows(prediction, evaluation)
    return {
        "rows": rows,
        "columns": trust_columns(evaluation),
        "total": prediction.n_vars,
        "k": int(prediction.var["trusted"].sum()),
        "chart": {theme: chart_uri(trust_figure(prediction, theme=theme)) for theme in _THEMES},
    }


def _controls(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "rows": control_rows(evaluation),
        "metrics": shown_metrics(evaluation),
        "has_intervals": any(c.interval for row in control_rows(evaluation) for c in row.cells),
        "chart": {theme: chart_uri(controls_figure(evaluation, theme=theme)) for theme in _THEMES},
        "ceilings": [
            {
                "metric": metric,
                "n": int(evaluation.per_gene["varies"].sum()),
                "chart": {t: chart_uri(ceiling_figure(evaluation, metric=metric, theme=t)) for t in _THEMES},
            }
            for metric in HEADLINES
        ],
    }


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("histoscribe.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"t": Text, "attribute": attribute}
    return found


@cache
def _assets() -> dict[str, Any]:
    folder = files("histoscribe.reports").joinpath("templates")
    style, script = (folder.joinpath(f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    # The page allows this one script, by its hash, and no network at all: a name that smuggles in markup stays inert.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return {"style": Markup(style), "script": Markup(script), "script_hash": digest}
