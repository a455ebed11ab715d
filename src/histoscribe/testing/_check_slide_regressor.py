"""Contract of slide-level regressors, checked on generated slides."""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.bag import Bag
from histoscribe.core.errors import BundleError, DataError, GeneError
from histoscribe.methods import SLIDE_LEVEL
from histoscribe.methods._slide_level import SlideRegressor, load_slide_regressor
from histoscribe.metrics import pcc_gene
from histoscribe.testing._bulk import PlantedBulk, make_bulk
from histoscribe.testing._promises import check_card, keep_all, promise

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SLIDE_REGRESSOR_CHECKS", "check_slide_regressor"]

#: Slides that are learned from, and where it does not matter how well.
_TRAIN, _FEW = 32, 10

Method = str | type[SlideRegressor]


def check_slide_regressor(method: Method) -> None:
    """Check every promise of a slide-level regressor, given by registry name or class.

    Raises
    ------
    ContractError
        Naming each broken promise; `SLIDE_REGRESSOR_CHECKS` lists them.
    """
    keep_all(f"slide-level regressor {_class(method).card.name!r}", SLIDE_REGRESSOR_CHECKS, method)


def _class(method: Method) -> type[SlideRegressor]:
    return SLIDE_LEVEL.get(method) if isinstance(method, str) else method


def _new(method: Method) -> SlideRegressor:
    """Make a small one: few epochs where it is trained."""
    made = _class(method)
    trained = "training" in made().params()
    return made(training={"epochs": 12, "patience": 4, "lr": 1e-2}) if trained else made()


@lru_cache
def _study() -> PlantedBulk:
    return make_bulk("diffuse", n_slides=44, n_sites=4, n_tiles=(12, 24), n_genes=10, dim=14, seed=3)


@lru_cache
def _fitted(method: Method) -> SlideRegressor:
    planted = _study()
    return _new(method).fit(planted.bags[:_TRAIN], planted.expression, seed=1)


def _test() -> tuple[Bag, ...]:
    return _study().bags[_TRAIN:]


def _predicted(model: SlideRegressor, bag: Bag) -> np.ndarray:
    return np.asarray(model.predict([bag]).X[0])


def _with(bag: Bag, features: np.ndarray, xy: np.ndarray | None = None) -> Bag:
    return Bag(bag.name, features, xy, bag.donor, bag.site, bag.encoder)


def _card(method: Method) -> None:
    check_card(_class(method).card, name=method if isinstance(method, str) else None)


def _parameters(method: Method) -> None:
    params = _new(method).params()
    promise(json.loads(json.dumps(params)) == params, f"params() {params} do not survive JSON")
    promise(_class(method)(**params).params() == params, "a method made from params() has other params()")


def _table(method: Method) -> None:
    table, planted = _fitted(method).predict(_test()), _study()
    promise(list(table.obs_names) == [b.name for b in _test()], "slides are not in the order given")
    promise(list(table.var_names) == list(planted.expression.var_names), "genes are not those of the expression")
    promise(table.uns[keys.UNS]["unit"] == "log2(x+1)", "the unit of the expression is not carried")
    promise(table.X.dtype == np.float32 and np.isfinite(table.X).all(), "predictions are not finite float32")
    promise(list(table.obs["donor"]) == [b.donor for b in _test()], "donors are not carried")


def _learns(method: Method) -> None:
    planted, model = _study(), _fitted(method)
    truth = planted.expression[[b.name for b in _test()]].X
    found = float(pcc_gene(truth, model.predict(_test()).X).mean())
    if model.card.control:
        promise(found > -0.3, f"the control's correlation across slides is {found:.2f}")
        return
    promise(found > 0.25, f"a signal all over the slide is predicted with a correlation of {found:.2f} only")


def _own_tiles_alone(method: Method) -> None:
    model = _fitted(method)
    together = model.predict(_test()).X
    alone = np.stack([_predicted(model, bag) for bag in _test()])
    promise(np.array_equal(together, alone), "a slide's prediction depends on the slides beside it")


def _order_of_tiles(method: Method) -> None:
    model, bag = _fitted(method), _test()[0]
    order = np.random.default_rng(0).permutation(len(bag.features))
    same = np.allclose(_predicted(model, _with(bag, bag.features[order])), _predicted(model, bag), atol=1e-4)
    promise(same, "the order of a slide's tiles changes its prediction")


def _places_do_not_matter(method: Method) -> None:
    model, bag = _fitted(method), _test()[0]
    same = np.array_equal(_predicted(model, _with(bag, bag.features)), _predicted(model, bag))
    promise(same, "a slide without positions is predicted otherwise")


def _sees_the_slide(method: Method) -> None:
    model, (one, other) = _fitted(method), _test()[:2]
    moved = not np.allclose(_predicted(model, _with(one, other.features)), _predicted(model, one), atol=1e-5)
    blind = _class(method).card.control and not model.has_maps
    promise(
        moved != blind, "the tiles make no difference" if not blind else "a control without maps looks at the tiles"
    )


def _repeats(method: Method) -> None:
    planted = _study()
    np.random.seed(5)  # noqa: NPY002 (a method that draws from the global generator must be caught)
    again = _new(method).fit(planted.bags[:_TRAIN], planted.expression, seed=1)
    promise(np.array_equal(again.predict(_test()).X, _fitted(method).predict(_test()).X), "two fits of one seed differ")


def _saves(method: Method) -> None:
    model = _fitted(method)
    with tempfile.TemporaryDirectory() as folder:
        path, second = Path(folder) / "a.bundle", Path(folder) / "b.bundle"
        model.save(path)
        if isinstance(method, str):
            again = load_slide_regressor(path)
        else:
            again = _class(method)(**model.params())
            again.genes_, again.unit_, again.encoder_ = model.genes_, model.unit_, model.encoder_
            again.seed_, again.training_, again.scale_ = model.seed_, model.training_, model.scale_
            again.load_state(model.state())
        again.save(second)
        promise(path.read_bytes() == second.read_bytes(), "a model that was saved and read is saved otherwise")
    promise(np.array_equal(again.predict(_test()).X, model.predict(_test()).X), "a read model predicts otherwise")
    if model.has_maps:
        maps = [m.predict_tiles(_test()[0]).X for m in (model, again)]
        promise(np.array_equal(*maps), "a read model maps otherwise")


def _maps(method: Method) -> None:
    model, bag = _fitted(method), _test()[0]
    if not model.has_maps:
        _refuses(lambda: model.predict_tiles(bag), "predict_tiles")
        return
    table, genes = model.predict_tiles(bag), model.genes_[3:5]
    promise(table.shape == (len(bag.features), len(model.genes_)), f"a map has shape {table.shape}")
    promise(np.array_equal(table.obsm[keys.SPATIAL_UM], bag.xy_um), "a map has not the bag's positions")
    few = model.predict_tiles(bag, genes=genes)
    promise(list(few.var_names) == genes and np.allclose(few.X, table[:, genes].X, atol=1e-5), "genes= maps otherwise")
    part = model.predict_tiles(_with(bag, bag.features[:5], bag.xy_um[:5])).X
    promise(np.allclose(part, table.X[:5], atol=1e-4), "a tile's prediction depends on the tiles beside it")
    try:
        model.predict_tiles(bag, genes=["no such gene"])
    except GeneError:
        return
    promise(kept=False, text="a map of an unknown gene is made")


def _weights(method: Method) -> None:
    model, bag = _fitted(method), _test()[0]
    if not model.has_attention:
        _refuses(lambda: model.attention(bag), "attention")
        return
    weights = model.attention(bag)
    promise(weights.shape[1] == len(bag.features), f"attention has shape {weights.shape}")
    promise(
        (weights >= 0).all() and np.allclose(weights.sum(1), 1, atol=1e-5), "weights are negative or do not sum to 1"
    )


def _refuses(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except DataError:
        return
    promise(kept=False, text=f"{what} answers though the class says that there is nothing to answer")


def _other_features(method: Method) -> None:
    model, bag = _fitted(method), _test()[0]
    for other in (_with(bag, bag.features[:, :-1]), Bag(bag.name, bag.features, encoder="another")):
        try:
            model.predict([other])
        except BundleError:
            continue
        promise(kept=False, text="features of another length or encoder are accepted")


def _constant_gene(method: Method) -> None:
    planted = _study()
    expression = planted.expression.copy()
    expression.X[:, 4] = 7.5
    model = _new(method).fit(planted.bags[:_FEW], expression, seed=1)
    promise(np.allclose(model.predict(_test()).X[:, 4], 7.5), "a constant gene is not predicted at its level")


def _leaves_inputs_alone(method: Method) -> None:
    planted = _study()
    before = planted.expression.X.copy(), [b.features.copy() for b in planted.bags]
    _new(method).fit(planted.bags[:_FEW], planted.expression, seed=2).predict(_test())
    same = all(np.array_equal(f, b.features) for f, b in zip(before[1], planted.bags, strict=True))
    promise(same and np.array_equal(before[0], planted.expression.X), "fit or predict changes its input")


SLIDE_REGRESSOR_CHECKS: dict[str, Callable[[Method], None]] = {
    "card": _card,
    "parameters survive JSON": _parameters,
    "prediction is a table of slides x genes with its unit": _table,
    "learns a signal that is all over the slide": _learns,
    "a slide depends on its own tiles alone": _own_tiles_alone,
    "the order of tiles does not matter": _order_of_tiles,
    "positions do not matter": _places_do_not_matter,
    "sees the slide": _sees_the_slide,
    "one seed, one model": _repeats,
    "save and load": _saves,
    "maps are of single tiles": _maps,
    "attention sums to 1": _weights,
    "other features are refused": _other_features,
    "a constant gene keeps its level": _constant_gene,
    "leaves inputs alone": _leaves_inputs_alone,
}
