"""`histoscribe papers run`: run the method of a paper and store the record that moves it up the ladder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from histoscribe.cli._catalogue import AsJson, Records, Results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.records import RunRecord
    from histoscribe.core.section import Section

__all__ = ["Plan", "implemented", "plan", "run"]

_METHOD, _ENCODER, _PRESET = "ridge", "efficientnet-lite0+colour", "laptop"
#: Generated donors: three to learn from, so that flags and controls exist, and one to be judged on.
_DONORS = 4
#: Side of a generated section, um.
_SIDE_UM = 900.0


class Plan(NamedTuple):
    """What running a paper means: a method, an encoder, whether it is a control, and the method's preset."""

    method: str
    encoder: str
    control: bool
    preset: str | None = None


def implemented(*, fetched: bool = False) -> dict[str, list[Plan]]:
    """Return each paper that a registered method or encoder names, with the ways to run it.

    Encoders whose weights have to be fetched count only if `fetched`: whether they run differs between machines.
    """
    from histoscribe.encoders import ENCODERS
    from histoscribe.methods import EXPRESSION

    found: dict[str, list[Plan]] = {}
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
    from histoscribe.core.errors import DataError

    ways = implemented(fetched=True)
    if key not in ways:
        msg = f"nothing of {key!r} is implemented here. These run: {', '.join(sorted(implemented()))}."
        raise DataError(msg)
    encoders = {way for way in ways[key] if way.method == _METHOD and way.encoder != _ENCODER}
    # Of several methods that name one paper, the one whose name comes first without a preset: the plain one.
    return min(ways[key], key=lambda way: (way.control, way in encoders, way.preset is not None, way.method))


def run(
    key: Annotated[str, typer.Argument(help="Id of a paper.")],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Measured sections [READER:]PATH[?key=value], or a .toml; the last is predicted."),
    ] = None,
    genes: Annotated[int, typer.Option(min=1, help="Genes of highest mean.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the method and of generated sections.")] = 0,
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Run a paper's method on generated sections, or on --data, and store the record."""
    from histoscribe.cli._catalogue import load, results_folder

    paper = load(records).paper(key)
    way = plan(key)
    sections = _measured(data) if data else _generated(seed)
    record = _record(way, sections, genes=genes, seed=seed)
    path = record.save(results_folder(results) / record.benchmark / record.method)
    score = record.scores.get(record.method, {})
    if as_json:
        found = {"paper": key, "run": record.id, "path": str(path), "method": way.method, "encoder": way.encoder}
        typer.echo(json.dumps(found | {"scores": score, "synthetic": record.synthetic}, ensure_ascii=False))
        return
    kind = "SYNTHETIC sections" if record.synthetic else "measured sections"
    typer.echo(f"{paper.id}: ran {way.method} with {way.encoder} on {kind} in {record.seconds:.1f} s")
    typer.echo(f"pcc_gene {_number(score.get('pcc_gene'))}; record {path}")
    if way.control:
        typer.echo("note: a control of this paper's setting, not its own method; the ladder does not count it.")


def _number(value: Any) -> str:
    value = value.get("mean", value.get("value")) if isinstance(value, dict) else value
    return f"{value:.3f}" if isinstance(value, int | float) else "none"


def _generated(seed: int) -> list[Section]:
    from histoscribe.testing import make_section

    return [make_section(donor, seed=seed, size_um=_SIDE_UM) for donor in range(_DONORS)]


def _measured(specs: Sequence[str]) -> list[Section]:
    from histoscribe.core.errors import DataError
    from histoscribe.io import read_specs

    sections = read_specs(list(specs))
    if len(sections) < 2:
        msg = f"--data names {len(sections)} section. Give at least two: the last is predicted from the others."
        raise DataError(msg)
    for section in sections:
        section.check().raise_for_problems()
    return sections


def _record(way: Plan, sections: Sequence[Section], *, genes: int, seed: int) -> RunRecord:
    """Fit on all sections but those of the last one's donor, predict it, score it beside the controls."""
    import time
    from dataclasses import replace

    from histoscribe.bench import evaluate
    from histoscribe.core.errors import LeakError
    from histoscribe.methods import train
    from histoscribe.methods.apply import predict

    test = sections[-1]
    training = [s for s in sections[:-1] if s.donor != test.donor]
    if not training:
        msg = f"every section is of donor {test.donor!r}. Give a section of another donor to learn from."
        raise LeakError(msg)
    start = time.perf_counter()
    bundle = train.fit(
        training,
        way.method,
        preset=way.preset,
        encoder=way.encoder,
        genes=genes,
        calibrated=way.preset is None,  # a network would be trained once more for each donor
        seed=seed,
    )
    prediction = predict(test.blind(), bundle)
    # A control's row may not carry a control's name; the record is given the method's own name again below.
    verdict = evaluate(prediction, test, training=training, method_name=f"run:{way.method}", seed=seed)
    record = verdict.record
    scores = {
        (way.method if name == f"run:{way.method}" else f"control:{name}"): s for name, s in record.scores.items()
    }
    return replace(
        record,
        benchmark="paper-run",
        method=way.method,
        encoder=way.encoder,
        scores=scores,
        seconds=round(time.perf_counter() - start, 3),
    )
