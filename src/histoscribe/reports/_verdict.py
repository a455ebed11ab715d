"""The verdict in plain words, the most important first: controls, trust, novelty, intervals, depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.bench import CONTROLS
from histoscribe.core import keys
from histoscribe.reports._words import Text, words
from histoscribe.reports.charts import HEADLINES

if TYPE_CHECKING:
    from histoscribe.bench import Evaluation
    from histoscribe.reports._atlas import Atlas
    from histoscribe.tiles.check import CheckReport

__all__ = ["Statement", "control_name", "number", "verdict"]

Level = Literal["good", "warn", "bad", "info"]

#: Below this share of its score without depth, the score is mostly depth; at or above the second, depth alone would do.
_KEPT, _SUFFICES = 0.5, 0.9
#: A control this near to the model in both headline scores does as well: nothing a reader could see.
_TIE = 0.005
#: Levels that need no apology for being coarse.
_FINE = 0.9


@dataclass(frozen=True)
class Statement:
    """One thing a reader must know, with how good or bad it is."""

    level: Level
    parts: tuple[Text, ...]


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign; a dash where there is none."""
    if not np.isfinite(value):
        return "–"
    # Adding 0 turns the -0.0 that rounding leaves into 0.
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def verdict(
    atlas: Atlas, evaluation: Evaluation | None, check: CheckReport | None, *, slide_differs: bool = False
) -> list[Statement]:
    """Return every statement that applies; what beats the method comes first."""
    found = [
        *_relation(atlas, evaluation),
        _place(check),
        _ood(atlas),
        _depth(evaluation),
        _interval(atlas, evaluation),
    ]
    rest = [s for s in (*found, *_slide(atlas, differs=slide_differs)) if s is not None]
    # Controls and trust stay in front; among the rest, what is bad comes before what is merely to be known.
    return [_controls(evaluation), _trust(atlas, evaluation), *sorted(rest, key=lambda s: s.level != "bad")]


def control_name(name: str) -> Text | str:
    """Return a control's everyday name, or the registry's where a plug-in brought it."""
    return Text(f"control_{name}") if f"control_{name}" in words() else name


def _controls(evaluation: Evaluation | None) -> Statement:
    if evaluation is None:
        return Statement("warn", (Text("v_not_evaluated"),))
    table = evaluation.table
    own = table.iloc[0]
    rivals = table.iloc[1:][table["available"].iloc[1:].astype(bool)]
    beats = [
        (name, metric, float(row[metric]))
        for metric in HEADLINES
        for name, row in rivals.iterrows()
        if row[metric] > own[metric]
    ]
    if beats:
        beats.sort(key=lambda b: float(own[b[1]]) - b[2])
        listed = [
            Text(
                "v_beaten_by",
                control=control_name(str(name)),
                metric=metric,
                value=number(value, 3),
                own=number(own[metric], 3),
            )
            for name, metric, value in beats
        ]
        names = {b[0] for b in beats}
        # Diagnostics and copies of a sister section use what a new slide does not have; they are named all the same.
        fair = bool((rivals.loc[list(names), "kind"] == "control").any())
        text = Text("v_beaten" if fair else "v_reference", n=len(names), list=listed)
        return Statement("bad" if fair else "warn", (text,))
    if not len(rivals):
        return Statement("warn", (Text("v_no_controls", own=number(own["pcc_gene"], 3)),))
    best = rivals["pcc_gene"].astype(float).fillna(-np.inf).idxmax()
    ties = all(float(rivals.loc[best, metric]) >= float(own[metric]) - _TIE for metric in HEADLINES)
    text = Text(
        "v_ties" if ties else "v_wins",
        own=number(own["pcc_gene"], 3),
        partial=number(own["depth_partial_pcc_gene"], 3),
        control=control_name(str(best)),
        value=number(rivals.loc[best, "pcc_gene"], 3),
        control_partial=number(rivals.loc[best, "depth_partial_pcc_gene"], 3),
    )
    return Statement("warn" if ties else "good", (text,))


def _trust(atlas: Atlas, evaluation: Evaluation | None) -> Statement:
    facts, var = atlas.facts, atlas.prediction.var
    k, total = int(var[keys.TRUSTED].sum()), len(var)
    units = _units(atlas)
    parts: tuple[Text, ...]
    if k:
        parts = (Text("v_trust", k=k, total=total, n=facts.n_units, units=units, rest=total - k),)
    else:
        parts = (Text("v_trust_none", total=total, n=facts.n_units, units=units),)
        if facts.n_units < 1:
            parts = (Text("v_trust_none_one", total=total),)
    if evaluation is not None and k and keys.TRUSTED in evaluation.per_gene:
        genes = evaluation.per_gene[evaluation.per_gene["varies"].astype(bool)]
        flag = genes[keys.TRUSTED].astype(bool)
        positive = genes["depth_partial_pcc_gene"] > 0
        here = Text(
            "v_trust_here",
            k=int((positive & flag).sum()),
            n=int(flag.sum()),
            k_not=int((positive & ~flag).sum()),
            n_not=int((~flag).sum()),
        )
        parts = (*parts, here)
    return Statement("bad" if not k else "good" if facts.calibration_unit == "donor" else "warn", parts)


def _units(atlas: Atlas) -> Text:
    key = f"unit_{atlas.facts.calibration_unit}"
    return Text(key if key in words() else "unit_none", n=atlas.facts.n_units)


def _relation(atlas: Atlas, evaluation: Evaluation | None) -> list[Statement]:
    said = []
    if atlas.facts.calibration_unit != "donor":
        bare = f"bare_{atlas.facts.calibration_unit}"
        units = Text(bare if bare in words() else "bare_none")
        said.append(Statement("warn", (Text("v_unit_not_donor", units=units),)))
    if evaluation is not None:
        apart = set(evaluation.record.split.get("apart", ()))
    else:
        apart = {"same donor"} if atlas.facts.donor and atlas.facts.donor in atlas.facts.donors else set()
    known = {"same section": "v_same_section", "same donor": "v_same_donor", "unknown": "v_relation_unknown"}
    return said + [Statement("warn", (Text(key),)) for relation, key in known.items() if relation in apart]


def _ood(atlas: Atlas) -> Statement:
    facts = atlas.facts
    if facts.ood_slide is None:
        return Statement("info", (Text("v_ood_none"),))
    limit = f"{facts.ood_limit:.0f}"
    share = f"{facts.ood_slide:.{0 if facts.ood_slide >= 1 else 1}f}"
    level: Level = "bad" if facts.unlike else "good"
    return Statement(level, (Text(f"v_ood_{level}", share=share, limit=limit),))


def _interval(atlas: Atlas, evaluation: Evaluation | None) -> Statement:
    facts, units = atlas.facts, _units(atlas)
    if facts.level is None:
        return Statement("warn", (Text("v_interval_none", n=facts.n_units, units=units),))
    coarse = facts.level < _FINE
    key = "v_interval" if coarse else "v_interval_fine"
    parts = (Text(key, level=f"{100 * facts.level:.0f}", n=facts.n_units, units=units),)
    if evaluation is not None and evaluation.coverage:
        parts = (*parts, Text("v_coverage", measured=f"{100 * float(evaluation.coverage['measured']):.0f}"))
    return Statement("info", parts)


def _depth(evaluation: Evaluation | None) -> Statement | None:
    if evaluation is None:
        return None
    own, partial = (float(evaluation.table.iloc[0][metric]) for metric in HEADLINES)
    if not np.isfinite([own, partial]).all() or own <= 0 or partial >= _KEPT * own:
        return None
    values = {"own": number(own, 3), "partial": number(partial, 3)}
    oracle = np.nan
    if "log-depth-oracle" in CONTROLS and "log-depth-oracle" in evaluation.table.index:
        oracle = float(evaluation.table.loc["log-depth-oracle", "pcc_gene"])
    if oracle >= _SUFFICES * own:
        return Statement("bad", (Text("v_depth_all", oracle=number(oracle, 3), **values),))
    return Statement("warn", (Text("v_depth_much", **values),))


def _slide(atlas: Atlas, *, differs: bool) -> list[Statement]:
    if atlas.view.pixels is None:
        return [Statement("info", (Text("v_slide_missing", slide=atlas.facts.slide or "–"),))]
    return [Statement("bad", (Text("v_slide_differs"),))] if differs else []


def _place(check: CheckReport | None) -> Statement | None:
    if check is None or not check.problems:
        return None
    return Statement("bad", (Text("v_place_wrong", n=len(check.problems)),))
