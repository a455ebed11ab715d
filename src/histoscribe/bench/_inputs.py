"""From what a caller gives to pairs, training sections and cases that can be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData, read_h5ad

from histoscribe.bench._match import match, ours
from histoscribe.bench._scoring import Case
from histoscribe.bench.identity import refuse_twins
from histoscribe.bench.training import relation, training_entries, training_from_prediction
from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.core.section import Section
from histoscribe.metrics import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.target import Target

__all__ = ["load_prediction", "make_case", "pair_up", "reason", "training_of"]


def pair_up(
    prediction: AnnData | Path | str | Sequence[AnnData | Path | str], measured: Section | Sequence[Section]
) -> tuple[list[AnnData], list[Section]]:
    """Return as many predictions, loaded, as measured sections."""
    given = [prediction] if isinstance(prediction, (AnnData, Path, str)) else list(prediction)
    sections = [measured] if isinstance(measured, Section) else list(measured)
    if len(given) != len(sections) or not given:
        msg = (
            f"{len(given)} predictions and {len(sections)} measured sections do not pair up. Give one measured section "
            "for each prediction."
        )
        raise DataError(msg)
    return [p if isinstance(p, AnnData) else load_prediction(Path(p)) for p in given], sections


def load_prediction(path: Path) -> AnnData:
    """Read a prediction's file, or say in one line why it cannot be read."""
    try:
        return read_h5ad(path)
    except FileNotFoundError as err:
        msg = f"prediction {path} does not exist. Check the path, or make it with `histoscribe predict`."
        raise DataError(msg) from err
    except (OSError, KeyError, ValueError) as err:
        msg = f"prediction {path} cannot be read as AnnData ({err}). Predict again."
        raise DataError(msg) from err


def reason(err: HistoScribeError) -> str:
    """Return an error's text as the reason in a table's row."""
    return str(err).rstrip(". ")


def training_of(
    predictions: Sequence[AnnData], training: Sequence[Section] | Sequence[Sequence[Section]] | None
) -> list[tuple[tuple[Section, ...], str]]:
    """Return the training sections of each pair, and why there are none; those of one model are the same objects."""
    if training is None:
        return _read_again(predictions)
    given: list[Any] = list(training)
    why = "no training section was given"
    if not given or isinstance(given[0], Section):
        return [(tuple(given), why)] * len(predictions)
    if len(given) != len(predictions):
        msg = f"{len(given)} lists of training sections for {len(predictions)} predictions. Give one for each."
        raise DataError(msg)
    return [(tuple(part), why) for part in given]


def _read_again(predictions: Sequence[AnnData]) -> list[tuple[tuple[Section, ...], str]]:
    read: dict[str, tuple[tuple[Section, ...], str]] = {}
    found = []
    for prediction in predictions:
        key = json.dumps(training_entries(prediction), sort_keys=True)
        if key not in read:
            try:
                read[key] = (tuple(training_from_prediction(prediction)), "")
            except HistoScribeError as err:
                # Not fatal: the method can be scored all the same, and the controls' rows say why they are empty.
                read[key] = ((), reason(err))
        found.append(read[key])
    return found


def make_case(
    prediction: AnnData,
    section: Section,
    *,
    genes: list[str],
    target: Target,
    training: tuple[tuple[Section, ...], str],
    seed: int,
) -> Case:
    """Match one pair, refuse what was trained on, and compute truth and reliability."""
    matched = match(prediction, section)
    scored, entries = matched.section, training_entries(prediction)
    related = relation(scored, entries, training[0])
    refuse_twins(scored, training[0])
    context = Context(
        depth=scored.depth,
        xy_um=scored.xy_um,
        train_mean=_train_mean(prediction, training[0], genes, target),
        reliability=matched.reliability(target, genes, seed=seed),
    )
    spec = json.loads(str(ours(prediction).get("feature_spec", "null")))
    return Case(
        prediction=prediction,
        info=ours(prediction),
        genes=genes,
        matched=matched,
        truth=matched.target(target, genes),
        context=context,
        partial_reliability=matched.reliability(target, genes, depth_partial=True, seed=seed),
        training=training[0],
        why_no_training=training[1],
        entries=entries,
        relation=related,
        geometry=None if spec is None else dict(spec["geometry"]),
    )


def _train_mean(
    prediction: AnnData, training: tuple[Section, ...], genes: list[str], target: Target
) -> np.ndarray | None:
    if "train_mean" in prediction.var:
        return prediction.var.loc[genes, "train_mean"].to_numpy(dtype=np.float64)
    if training:
        return np.concatenate([target(s, genes) for s in training]).mean(0, dtype=np.float64)
    return None
