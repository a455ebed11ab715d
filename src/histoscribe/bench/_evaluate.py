"""Evaluate: compare predictions with measured sections, beside every control."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from histoscribe.bench._inputs import make_case, pair_up, reason, training_of
from histoscribe.bench._match import check_panel, ours, scored_genes, target_of
from histoscribe.bench._scoring import Case, Row, score
from histoscribe.bench._verdict import verdict
from histoscribe.bench.controls import CONTROLS, Task
from histoscribe.core.errors import DataError, HistoScribeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from anndata import AnnData

    from histoscribe.bench._evaluation import Evaluation
    from histoscribe.bench.controls import Control
    from histoscribe.core.section import Section
    from histoscribe.core.target import Target

__all__ = ["evaluate"]


def evaluate(
    prediction: AnnData | Path | str | Sequence[AnnData | Path | str],
    measured: Section | Sequence[Section],
    *,
    training: Sequence[Section] | Sequence[Sequence[Section]] | None = None,
    method_name: str | None = None,
    controls: Sequence[str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Score a prediction against a measured section, or several pairs of them, beside every control.

    Truth is the target that the prediction states: by default with full library size, unsmoothed. Scores are computed
    in each section, averaged per donor and then over donors; intervals exist over donors only.

    Parameters
    ----------
    prediction
        What `histoscribe.predict` returned, or its file; a list for several pairs.
    measured
        The measured section of each.
    training
        Measured training sections, for the controls: one list for all pairs, or one list per pair. None reads them
        again from where the prediction says they came from; ``()`` leaves the controls that need them out.
    method_name
        Name of the method's row; default what the prediction says.
    controls
        Registry names of the controls to run; default all. Without them nothing says what the score is worth, so leave
        some out only where they were scored before.
    seed
        Seed of count splitting and of the controls.

    Returns
    -------
    The verdict; see `Evaluation`.

    Raises
    ------
    LeakError
        If a scored observation was trained on.
    CoordinateError
        If the prediction's places are not those of the section.
    GeneError
        If no predicted gene was measured.
    """
    start = time.perf_counter()
    predictions, sections = pair_up(prediction, measured)
    target = _common_target(predictions)
    genes, dropped = scored_genes(predictions, sections)
    check_panel(target, dropped)
    cases = [
        make_case(p, s, genes=genes, target=target, training=t, seed=seed)
        for p, s, t in zip(predictions, sections, training_of(predictions, training), strict=True)
    ]
    name = method_name or "+".join(sorted({str(ours(p).get("method", "method")) for p in predictions}))
    if name in CONTROLS:
        msg = f"{name!r} is the name of a control, so its row could not be told apart. Pass another method_name."
        raise DataError(msg)
    rows = [Row(name, "method", "", "", *score(cases, [case.values() for case in cases]))]
    wanted = CONTROLS if controls is None else controls
    rows += [_run(CONTROLS.get(control), cases, target=target, seed=seed) for control in wanted]
    result = verdict(cases, rows, target=target, dropped=dropped, seed=seed)
    return replace(result, record=replace(result.record, seconds=round(time.perf_counter() - start, 3)))


def _common_target(predictions: Sequence[AnnData]) -> Target:
    targets = sorted({target_of(p) for p in predictions}, key=lambda t: t.unit)
    if len(targets) > 1:
        msg = f"the predictions are in different units ({', '.join(t.unit for t in targets)}). Evaluate each alone."
        raise DataError(msg)
    return targets[0]


def _run(control: Control, cases: Sequence[Case], *, target: Target, seed: int) -> Row:
    """Run a control on all test sections, those of one model together, and score it where it ran on all."""
    values: dict[int, np.ndarray] = {}
    relative = False
    for members in _of_one_model(cases):
        first = cases[members[0]]
        task = Task(
            tests=tuple(s if control.uses_depth else s.blind() for s in (cases[i].section for i in members)),
            training=first.training,
            why_no_training=first.why_no_training,
            genes=first.genes,
            target=target,
            train_mean=first.context.train_mean,
            geometry=first.geometry,
            seed=seed,
        )
        try:
            output = control.run(task)
        except HistoScribeError as err:
            # A mean over fewer sections than the method's would not be comparable: all of them or none.
            where = "" if len(members) == len(cases) else f" (first at test section {first.section.name})"
            return Row(control.name, control.kind, control.label, reason(err) + where)
        relative = relative or output.relative
        values |= dict(zip(members, output.values, strict=True))
    scored = score(cases, [values[i] for i in range(len(cases))], relative=relative)
    label = f"{control.label}; pattern only" if relative else control.label
    return Row(control.name, control.kind, label, "", *scored)


def _of_one_model(cases: Sequence[Case]) -> list[list[int]]:
    """Group cases by training sections, tiles and training mean, so that a control is fitted once for each."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, case in enumerate(cases):
        mean = b"" if case.context.train_mean is None else case.context.train_mean.tobytes()
        key = (tuple(map(id, case.training)), json.dumps(case.geometry, sort_keys=True), mean)
        groups.setdefault(key, []).append(i)
    return list(groups.values())
