"""Contract of imputers, checked on stacks of planted gradients."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError, HistoScribeError, LeakError
from histoscribe.core.stack import Stack
from histoscribe.core.target import Target
from histoscribe.methods import VOLUME
from histoscribe.methods._volume import Imputer
from histoscribe.testing._promises import check_card, keep_all, promise
from histoscribe.testing._stack import make_stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["IMPUTER_CHECKS", "check_imputer"]

_GENES = [f"G{g}" for g in range(8)]


def check_imputer(method: str | type[Imputer]) -> None:
    """Check every promise of an imputer, given by registry name or class.

    Raises
    ------
    ContractError
        Naming each broken promise; `IMPUTER_CHECKS` lists them.
    """
    keep_all(f"imputer {_class(method).card.name!r}", IMPUTER_CHECKS, method)


def _make(method: str | type[Imputer]) -> Imputer:
    """Make the method, quick where it has a preset for that."""
    made = _class(method)
    return made(**made.presets.get("tiny", {}))


def _class(method: str | type[Imputer]) -> type[Imputer]:
    return VOLUME.get(method) if isinstance(method, str) else method


@lru_cache
def _study() -> tuple[list[Stack], Stack]:
    made = [make_stack(f"planted-{i}", n_sections=3, side=6, n_genes=len(_GENES), seed=3).stack for i in range(3)]
    return made[1:], made[0]


@lru_cache
def _fitted(method: str | type[Imputer]) -> Imputer:
    return _make(method).fit(_study()[0], _GENES)


@lru_cache
def _imputed(method: str | type[Imputer]) -> tuple[AnnData, ...]:
    stack = _study()[1]
    return tuple(_fitted(method).impute(stack, labelled=stack.names[:1]))


def _changed(stack: Stack, sections: Sequence[Section]) -> Stack:
    return Stack(tuple(sections), stack.xy_um, stack.z_um)


def _same(found: Sequence[AnnData], others: Sequence[AnnData], atol: float = 0.0) -> bool:
    return all(np.allclose(a.X, b.X, rtol=0, atol=atol) for a, b in zip(found, others, strict=True))


def _card(method: str | type[Imputer]) -> None:
    check_card(_class(method).card, name=method if isinstance(method, str) else None)


def _parameters(method: str | type[Imputer]) -> None:
    params = _class(method)().params()
    promise(json.loads(json.dumps(params)) == params, f"params() {params} do not survive JSON")
    promise(_class(method)(**params).params() == params, "a method made from params() has other params()")


def _output(method: str | type[Imputer]) -> None:
    stack, found, fitted = _study()[1], _imputed(method), _fitted(method)
    wanted = stack.sections[1:]
    promise([t.uns[keys.UNS]["section"] for t in found] == stack.names[1:], "not one table for each unlabelled section")
    for table, section, xy in zip(found, wanted, stack.xy_um[1:], strict=True):
        right = list(table.obs_names) == list(section.table.obs_names) and list(table.var_names) == _GENES
        promise(right, "observations or genes are not those of the section and the panel")
        promise(table.X.dtype == np.float32 and np.isfinite(table.X).all(), "X is not finite float32")
        promise(np.array_equal(table.obsm[keys.SPATIAL_3D][:, :2], xy), "places in the stack's frame are not kept")
        ours = table.uns[keys.UNS]
        promise(ours["unit"] == Target().unit and ours["regime"] == fitted.regime, "unit or regime is not stated")
        has = keys.LOWER in table.layers
        promise(has == fitted.has_uncertainty, f"has_uncertainty is not what the output has ({has})")
        inside = not has or ((table.layers[keys.LOWER] <= table.X) & (table.layers[keys.UPPER] >= table.X)).all()
        promise(inside, "an interval does not hold its own prediction")


def _blind(method: str | type[Imputer]) -> None:
    stack, rng = _study()[1], np.random.default_rng(5)
    table = stack.sections[1].table.copy()
    counts = rng.integers(0, 1000, table.shape).astype(np.float64)
    counts[0, 0] = np.nan
    table.layers[keys.COUNTS], table.X = counts, counts.copy()
    table.obs[keys.DEPTH] = 1e9
    # One poisoned, one without any expression at all.
    sections = [stack.sections[0], stack.sections[1].replace(table=table), stack.sections[2].blind()]
    found = _fitted(method).impute(_changed(stack, sections), labelled=stack.names[:1])
    promise(_same(found, _imputed(method)), "the answer changes with the expression of an unlabelled section")


def _regime(method: str | type[Imputer]) -> None:
    (training, stack), fitted = _study(), _fitted(method)
    labelled = stack.sections[0]
    table = labelled.table.copy()
    table.layers[keys.COUNTS] = table.layers[keys.COUNTS][:, ::-1].tocsr()
    turned = _changed(stack, [labelled.replace(table=table), *stack.sections[1:]])
    changes = not _same(fitted.impute(turned, labelled=stack.names[:1]), _imputed(method), 1e-4)
    promise(changes == fitted.uses_labelled, f"uses_labelled is {fitted.uses_labelled}, but the answer says otherwise")
    if not fitted.uses_training_donors:
        alone = _make(method).fit(training[:1], _GENES).impute(stack, labelled=stack.names[:1])
        promise(_same(alone, _imputed(method)), "other donors change the answer of a method that does not use them")


def _learns(method: str | type[Imputer]) -> None:
    stack, target = _study()[1], Target()
    truth = [target(s, _GENES) for s in stack.sections]

    def error(parts: Sequence[np.ndarray]) -> float:
        return float(np.mean([((y - p) ** 2).mean() for y, p in zip(truth[1:], parts, strict=True)]))

    own = error([np.asarray(t.X) for t in _imputed(method)])
    section = error([np.tile(truth[0].mean(0), (len(y), 1)) for y in truth[1:]])
    training = np.concatenate([target(s, _GENES) for other in _study()[0] for s in other.sections]).mean(0)
    donors = error([np.tile(training, (len(y), 1)) for y in truth[1:]])
    if _class(method).card.control:
        promise(own <= 1.01 * donors, f"the control's error {own:.3f} is above that of the training mean, {donors:.3f}")
        return
    promise(own < 0.6 * section, f"the error {own:.3f} is not below 0.6 of that of the labelled mean, {section:.3f}")


def _deterministic(method: str | type[Imputer]) -> None:
    stack = _study()[1]
    np.random.seed(3)  # noqa: NPY002 (a method that draws from the global generator must be caught)
    again = _make(method).fit(_study()[0], _GENES)
    promise(_same(again.impute(stack, labelled=stack.names[:1]), _imputed(method)), "two fits under one seed differ")
    promise(
        _same(again.impute(stack, labelled=stack.names[:1]), _imputed(method)), "a second call gives another answer"
    )


def _follows_order(method: str | type[Imputer]) -> None:
    stack, rng = _study()[1], np.random.default_rng(11)
    rows = rng.permutation(stack.sections[1].n_obs)
    sections, places = list(stack.sections), list(stack.xy_um)
    sections[1], places[1] = sections[1].subset(rows), places[1][rows]
    found = _fitted(method).impute(Stack(tuple(sections), tuple(places), stack.z_um), labelled=stack.names[:1])
    same = np.allclose(found[0].X, _imputed(method)[0].X[rows], atol=0.02)
    promise(same, "permuting the observations of an unlabelled section does not permute its prediction alike")


def _refuses(method: str | type[Imputer]) -> None:
    stack, fitted = _study()[1], _fitted(method)
    cases: list[tuple[str, Stack, list[str], type[HistoScribeError]]] = [
        ("no labelled section", stack, [], DataError),
        ("all sections labelled", stack, stack.names, DataError),
        ("an unknown section", stack, ["nobody"], DataError),
    ]
    if fitted.uses_training_donors:
        known = _study()[0][0]
        cases.append(("a donor that it was fitted on", known, known.names[:1], LeakError))
    for what, given, labelled, error in cases:
        try:
            fitted.impute(given, labelled=labelled)
        except error:
            continue
        promise(kept=False, text=f"{what} is accepted")


def _can_be_called_again(method: str | type[Imputer]) -> None:
    stack = _study()[1]
    before = [s.table.layers[keys.COUNTS].copy() for s in stack.sections]
    again = _fitted(method).impute(stack, labelled=stack.names[:1])
    same = all((a != s.table.layers[keys.COUNTS]).nnz == 0 for a, s in zip(before, stack.sections, strict=True))
    promise(same, "impute changes the sections")
    promise(_same(again, _imputed(method)), "a second call gives another answer")


#: Promise to its check; each takes a registry name or a class and raises `ContractError`.
IMPUTER_CHECKS = {
    "its card is complete": _card,
    "its parameters are JSON and rebuild it": _parameters,
    "its output is complete": _output,
    "it never sees an unlabelled section's expression": _blind,
    "it uses what it says it uses": _regime,
    "it beats the labelled mean": _learns,
    "it is deterministic under one seed": _deterministic,
    "it follows observations": _follows_order,
    "it refuses what cannot be imputed": _refuses,
    "it can be called again, and leaves its inputs alone": _can_be_called_again,
}
