"""Contract of expression methods: what bundles, calibration and scores rely on, checked on planted sections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import BundleError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.files import digest
from histoscribe.methods._expression import Predictor
from histoscribe.testing._check_image import sees_the_image, trains_every_parameter
from histoscribe.testing._method_study import find, fitted
from histoscribe.testing._promises import check_card, keep_all, promise
from histoscribe.testing._truth import EXPECTED, Truth

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["METHOD_CHECKS", "check_method"]


def check_method(method: str | type[Predictor]) -> None:
    """Check every promise of an expression method.

    Parameters
    ----------
    method
        Registry name, or a `Predictor` class that can be made without arguments (with its preset ``"tiny"`` where it
        has one).

    Raises
    ------
    ContractError
        Naming each broken promise; `METHOD_CHECKS` lists them.
    """
    found = find(method)
    keep_all(f"method {found.cls.card.name!r}", METHOD_CHECKS, method)


def _values(table: AnnData) -> np.ndarray:
    return np.asarray(table.X)


def _card(method: str | type[Predictor]) -> None:
    subject = find(method)
    check_card(subject.cls.card, name=subject.name)


def _parameters(method: str | type[Predictor]) -> None:
    made = find(method).make()
    params = made.params()
    promise(json.loads(json.dumps(params)) == params, f"params() {params} do not survive JSON")
    for name, preset in made.presets.items():
        remade = type(made)(**preset).params()
        promise(remade.items() >= dict(preset).items(), f"preset {name!r} does not become the parameters it names")
    promise(type(made)(**params).params() == params, "a method made from params() has other params()")
    copy = made.clone()
    promise(copy is not made and copy.params() == params, "clone() has other params()")
    promise(not hasattr(fitted(method).clone(), "genes_"), "clone() of a fitted method is fitted")


def _contract_methods(method: str | type[Predictor]) -> None:
    ours = [k.__name__ for k in find(method).cls.__mro__ if k is not Predictor and {"fit", "predict"} & set(vars(k))]
    promise(not ours, f"{ours} overrides fit or predict, which keep expression from it; write _fit and _predict")


def _never_sees_the_truth(method: str | type[Predictor]) -> None:
    subject = find(method)
    model, section = fitted(method), subject.new
    before = _values(model.predict(section))
    rng = np.random.default_rng(7)
    table = section.table.copy()
    table.layers[keys.COUNTS] = sp.csr_matrix(rng.poisson(50, table.shape))
    table.layers[EXPECTED] = np.full(table.shape, np.nan)
    table.X = np.full(table.shape, np.nan, dtype=np.float32)
    for column in table.obs.columns.difference([keys.ARRAY_ROW, keys.ARRAY_COL]):
        table.obs[column] = np.nan
    spoilt = _values(model.predict(section.replace(table=table)))
    promise(np.array_equal(before, spoilt), "the prediction changes when the section's expression is replaced")
    promise(np.array_equal(before, _values(model.predict(section.blind()))), "a section without expression differs")


def _follows_observations(method: str | type[Predictor]) -> None:
    subject = find(method)
    model = fitted(method)
    order = np.random.default_rng(11).permutation(subject.new.n_obs)
    straight = _values(model.predict(subject.new))
    permuted = _values(model.predict(subject.new.subset(order)))
    same = np.allclose(permuted, straight[order], rtol=1e-4, atol=1e-4)
    promise(same, "permuting the observations does not permute the prediction")


def _deterministic(method: str | type[Predictor]) -> None:
    subject = find(method)
    results = []
    for noise in (1, 2):
        np.random.seed(noise)  # noqa: NPY002 (a method that draws from the global generator must be caught)
        model = subject.fit()
        results += [_values(model.predict(subject.new)), _values(model.predict(subject.new))]
    same = all(np.array_equal(results[0], other) for other in results[1:])
    promise(same, "two fits under one seed, or two predictions of one fit, differ")


def _survives_saving(method: str | type[Predictor]) -> None:
    subject = find(method)
    model = fitted(method)
    state = model.state()
    numeric = all(isinstance(v, np.ndarray) and v.dtype.kind in "biuf" for v in state.values())
    promise(numeric, "state() holds something other than numeric arrays")
    again = type(model)(**json.loads(json.dumps(model.params())))
    again.genes_, again.target_, again.seed_ = list(model.genes_), model.target_, model.seed_
    again.spec_ = None if model.spec_ is None else FeatureSpec.from_dict(json.loads(json.dumps(model.spec_.to_dict())))
    again.train_mean_ = model.train_mean_.copy()
    again.load_state({name: np.ascontiguousarray(value).copy() for name, value in state.items()})
    same = np.array_equal(_values(again.predict(subject.new)), _values(model.predict(subject.new)))
    promise(same, "a method restored from state() predicts otherwise")


def _output(method: str | type[Predictor]) -> None:
    subject = find(method)
    model = fitted(method)
    found = model.predict(subject.new)
    values = _values(found)
    promise(values.dtype == np.float32, f"X is {values.dtype}, not float32")
    promise(found.shape == (subject.new.n_obs, len(subject.panel)), f"X has shape {found.shape}")
    promise(np.isfinite(values).all(), "X holds NaN or infinity")
    promise(list(found.var_names) == list(subject.panel), "genes are not in the panel's order")
    promise(list(found.obs_names) == list(subject.new.table.obs_names), "observations are not in the section's order")
    promise(np.array_equal(found.obsm[keys.SPATIAL], subject.new.xy), "obsm['spatial'] is not the section's")
    promise(found.uns[keys.UNS]["unit"] == model.target_.unit, "the unit is not that of the target")
    one = _values(model.predict(subject.new.subset(np.array([0]))))
    promise(one.shape == (1, len(subject.panel)) and np.isfinite(one).all(), "a single observation cannot be predicted")


def _learns(method: str | type[Predictor]) -> None:
    subject = find(method)
    model = fitted(method)
    truth = Truth.of(subject.new, subject.panel)
    planted = truth.classes != "null"
    guess = _values(model.predict(subject.new)).astype(np.float64)[:, planted]
    if not subject.cls.predicts_level:
        guess += model.train_mean_[planted] - guess.mean(0)
    error = ((guess - truth.measured[:, planted]) ** 2).mean()
    baseline = ((model.train_mean_[planted] - truth.measured[:, planted]) ** 2).mean()
    if subject.cls.card.control:
        promise(
            error <= 1.05 * baseline, f"the control's error {error:.3f} is above the training mean's {baseline:.3f}"
        )
        return
    promise(error < 0.9 * baseline, f"the error {error:.3f} is not below the training mean's {baseline:.3f}")
    spread = guess.std(0) * truth.measured[:, planted].std(0)
    products = ((guess - guess.mean(0)) * (truth.measured[:, planted] - truth.measured[:, planted].mean(0))).mean(0)
    reached = float(np.where(spread > 0, products / np.where(spread > 0, spread, 1), 0).mean())
    ceiling = float(truth.ceiling()[planted].mean())
    promise(reached > 0.5 * ceiling, f"planted genes reach pcc_gene {reached:.2f} of a possible {ceiling:.2f}")


def _leaves_inputs_alone(method: str | type[Predictor]) -> None:
    subject = find(method)
    before = [_content(s) for s in (*subject.training, subject.new)]
    subject.fit().predict(subject.new)
    after = [_content(s) for s in (*subject.training, subject.new)]
    promise(before == after, "fit or predict changes the sections it is given")


def _content(section: Section) -> str:
    table = section.table
    arrays = [table.layers[keys.COUNTS].toarray(), table.layers[EXPECTED], *(table.obsm[k] for k in sorted(table.obsm))]
    return digest(*(np.ascontiguousarray(a).tobytes() for a in arrays), table.obs.to_csv(), repr(sorted(table.uns)))


def _refuses_other_features(method: str | type[Predictor]) -> None:
    subject = find(method)
    if not subject.cls.uses_features:
        return
    model = fitted(method)
    held = Features.of(subject.new.table)
    table = subject.new.table.copy()
    other = FeatureSpec(held.spec.encoder, "another", held.spec.blocks, held.spec.geometry)
    Features(held.matrix, other).attach(table)
    try:
        model.predict(subject.new.replace(table=table))
    except BundleError:
        return
    promise(kept=False, text="features of other weights are accepted")


#: Promise to its check; each takes a registry name or a class and raises `ContractError`.
METHOD_CHECKS = {
    "its card is complete": _card,
    "its parameters are JSON and rebuild it": _parameters,
    "it writes _fit and _predict, not fit and predict": _contract_methods,
    "it never sees the truth": _never_sees_the_truth,
    "it follows its observations": _follows_observations,
    "it is deterministic under one seed": _deterministic,
    "it survives saving": _survives_saving,
    "its output is finite, named and in order": _output,
    "it learns a planted signal": _learns,
    "it sees the image": sees_the_image,
    "it trains every parameter": trains_every_parameter,
    "it leaves its inputs alone": _leaves_inputs_alone,
    "it refuses features made otherwise": _refuses_other_features,
}
