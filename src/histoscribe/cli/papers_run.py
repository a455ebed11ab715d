"""`histoscribe papers run`: run the method of a paper and store the record that moves it up the ladder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli._catalogue import AsJson, Records, Results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.records import RunRecord
    from histoscribe.core.section import Section
    from histoscribe.methods.papers import Plan

__all__ = ["run"]

#: Generated donors: three to learn from, so that flags and controls exist, and one to be judged on.
_DONORS = 4
#: Side of a generated section, um.
_SIDE_UM = 900.0


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
    """Run a paper's method on generated data, or on --data, and store the record."""
    from histoscribe.cli._catalogue import load
    from histoscribe.methods.papers import plan, results_folder

    paper = load(records).paper(key)
    way = plan(key)
    if way.study:
        record = _of_study(way, data, seed=seed)
    else:
        sections = _measured(data) if data else _generated(seed)
        record = _record(way, sections, genes=genes, seed=seed)
    path = record.save(results_folder(results) / record.benchmark / record.method)
    score = record.scores.get(record.method, {})
    if as_json:
        found = {"paper": key, "run": record.id, "path": str(path), "method": way.method, "encoder": way.encoder}
        typer.echo(json.dumps(found | {"scores": score, "synthetic": record.synthetic}, ensure_ascii=False))
        return
    kind = f"the SYNTHETIC data of {way.study}" if way.study else "SYNTHETIC sections"
    kind = kind if record.synthetic else "measured sections"
    encoder = "" if way.study else f" with {way.encoder}"
    typer.echo(f"{paper.id}: ran {way.method}{encoder} on {kind} in {record.seconds:.1f} s")
    lead = next(iter(score), "pcc_gene") if way.study else "pcc_gene"
    typer.echo(f"{lead} {_number(score.get(lead))}; record {path}")
    if way.control:
        typer.echo("note: a control of this paper's setting, not its own method; the ladder does not count it.")


def _number(value: Any) -> str:
    value = value.get("mean", value.get("value")) if isinstance(value, dict) else value
    return f"{value:.3f}" if isinstance(value, int | float) else "none"


def _generated(seed: int) -> list[Section]:
    from histoscribe.testing import make_section

    return [make_section(donor, seed=seed, size_um=_SIDE_UM) for donor in range(_DONORS)]


def _of_study(way: Plan, data: Sequence[str] | None, *, seed: int) -> RunRecord:
    """Run the method's row of a study on generated data; its first case is the record."""
    import time
    from dataclasses import replace

    from histoscribe.bench.studies import STUDIES
    from histoscribe.bench.suite import data_root
    from histoscribe.core.errors import DataError

    if data:
        msg = (
            f"--data is for methods that predict expression; {way.method} runs on generated data of {way.study}. "
            f"Leave --data out, or see `histoscribe methods info {way.method}` for how it runs on yours."
        )
        raise DataError(msg)
    study = STUDIES.get(way.study)()
    entries = [e for e in study.entries if e.method == way.method]
    if not entries:
        msg = f"study {study.id} has no row of {way.method}, so there is no generated data to run it on. Add one."
        raise DataError(msg)
    # The fullest form of a method stands last; one that takes minutes only where there is no other.
    entry = next((e for e in reversed(entries) if not e.slow), entries[0])
    start = time.perf_counter()
    record = next(iter(study.run(entry, seed=seed, root=data_root())))
    return replace(
        record,
        benchmark="paper-run",
        family=study.family,
        split=record.split | {"study": study.id},
        scores={way.method: record.scores[entry.label]},
        seconds=round(time.perf_counter() - start, 3),
    )


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
