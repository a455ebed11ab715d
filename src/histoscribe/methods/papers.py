"""Papers and runs: which papers can be run here and how, and which papers a stored run speaks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from histoscribe.catalogue.index import Index
    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.store import Catalogue
    from histoscribe.core.card import Card
    from histoscribe.core.records import RunRecord

__all__ = ["Plan", "cards_of", "implemented", "open_search", "plan", "results_folder", "stored_ladder"]

_METHOD, _ENCODER, _PRESET = "ridge", "efficientnet-lite0+colour", "laptop"
#: Family to the study on generated data that runs its methods; those of expression run on generated sections.
_STUDIES = {
    "composition": "synthetic-composition",
    "pretraining": "synthetic-few-label",
    "slide-level": "synthetic-bulk",
    "volume": "synthetic-3d",
}


class Plan(NamedTuple):
    """What running a paper means: a method, an encoder, whether it is a control, and the method's preset.

    Methods of other families than expression have a study on generated data instead of an encoder.
    """

    method: str
    encoder: str
    control: bool
    preset: str | None = None
    study: str = ""


def implemented(*, fetched: bool = False) -> dict[str, list[Plan]]:
    """Return each paper that a registered method or encoder names, with the ways to run it.

    Encoders whose weights have to be fetched count only if `fetched`: whether they run differs between machines.
    """
    from histoscribe.encoders import ENCODERS
    from histoscribe.methods import EXPRESSION, FAMILIES

    found: dict[str, list[Plan]] = {}
    for family, study in _STUDIES.items():
        for name in FAMILIES[family]:
            if family == "slide-level" and name in FAMILIES["pretraining"]:
                continue  # one method under two contracts; it is run as what it is first
            card = FAMILIES[family].get(name).card
            found.setdefault(card.paper, []).append(Plan(name, "none", card.control, study=study))
    for name in EXPRESSION:
        method = EXPRESSION.get(name)
        # On the CPU of whoever asks: published sizes are for a GPU, and stay one --preset away in `fit`.
        preset = _PRESET if _PRESET in method.presets else None
        found.setdefault(method.card.paper, []).append(Plan(name, _encoder_of(method), method.card.control, preset))
    for name in ENCODERS:
        member = ENCODERS.get(name)
        card, ours = member.card, not member.takes_weights
        if card.paper and (ours or (fetched and card.loads)):
            found.setdefault(card.paper, []).append(Plan(_METHOD, name, card.control))
    return found


def _encoder_of(method: Any) -> str:
    return method.default_encoder if method.uses_features else _ENCODER


def plan(key: str) -> Plan:
    """Return how the paper `key` is run: its method before its encoder, the real thing before a control.

    Raises
    ------
    DataError
        If HistoScribe implements nothing of it.
    """
    ways = implemented(fetched=True)
    if key not in ways:
        msg = f"nothing of {key!r} is implemented here. These run: {', '.join(sorted(implemented()))}."
        raise DataError(msg)
    encoders = {way for way in ways[key] if way.method == _METHOD and way.encoder != _ENCODER}
    named = key.rpartition("-")[0]

    def rank(way: Plan) -> tuple[Any, ...]:
        # Of several methods that name one paper, the one that bears its name, else the first without a preset.
        return way.control, way in encoders, way.method != named, bool(way.study), way.preset is not None, way.method

    return min(ways[key], key=rank)


def cards_of(run: RunRecord) -> Iterable[str]:
    """Name the papers behind a run: that of its method, unless it is a control, and those of its encoder's parts."""
    from histoscribe.encoders import ENCODERS, split_names

    card = _card(run)
    # A control stands in the paper's table of baselines; that it runs says nothing about the paper's own work.
    if card is not None and not card.control:
        yield card.paper
    for part in split_names(run.encoder):
        name = part.partition("@")[0].partition("[")[0]
        if name in ENCODERS and (card := ENCODERS.get(name).card).paper and not card.control:
            yield card.paper


def _card(run: RunRecord) -> Card | None:
    """Return the card of a run's method: of its own family where the record names it, else of the first that has it."""
    from histoscribe.methods import FAMILIES

    # What is learned before there are labels is judged on whole slides, too.
    own = {"slide-level": ("slide-level", "pretraining")}.get(run.family, (run.family,))
    for kind in own if run.family else FAMILIES:
        if run.method in FAMILIES[kind]:
            return FAMILIES[kind].get(run.method).card
    return None


def results_folder(results: Path | None) -> Path:
    """Return the folder of stored runs; outside a checkout the one in the current directory, where there is one."""
    from histoscribe.catalogue import ladder

    if results is not None:
        return results
    own = ladder.results_folder()
    here = Path("results")
    return here if here.is_dir() and not own.is_dir() else own


def stored_ladder(catalogue: Catalogue, results: Path | None) -> dict[str, Climb]:
    """Place every paper on the ladder by the stored runs."""
    from histoscribe.catalogue.ladder import ladder, load_runs

    return ladder(catalogue.papers, load_runs(results_folder(results)), papers_of=cards_of)


def open_search(records: Path | None, results: Path | None) -> Index:
    """Open the search index, built anew where records or runs have changed."""
    from histoscribe.catalogue.index import open_index
    from histoscribe.core.files import digest

    folder = results_folder(results)
    runs = sorted((str(p), p.stat().st_mtime_ns) for p in folder.rglob("*.json")) if folder.is_dir() else []
    return open_index(records, ladder=lambda c: stored_ladder(c, results), runs_key=digest(repr(runs)))
