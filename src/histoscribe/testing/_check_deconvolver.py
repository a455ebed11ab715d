"""Contract of deconvolvers, checked on spots of planted composition."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.methods import COMPOSITION
from histoscribe.methods._cell_reference import Reference
from histoscribe.methods._composition import Deconvolver
from histoscribe.testing._composition import PlantedSpots, make_spots
from histoscribe.testing._promises import check_card, keep_all, promise

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["DECONVOLVER_CHECKS", "check_deconvolver"]


def check_deconvolver(method: str | type[Deconvolver]) -> None:
    """Check every promise of a deconvolver, given by registry name or class.

    Raises
    ------
    ContractError
        Naming each broken promise; `DECONVOLVER_CHECKS` lists them.
    """
    keep_all(f"deconvolver {_class(method).card.name!r}", DECONVOLVER_CHECKS, method)


def _class(method: str | type[Deconvolver]) -> type[Deconvolver]:
    return COMPOSITION.get(method) if isinstance(method, str) else method


@lru_cache
def _study() -> tuple[PlantedSpots, Reference]:
    """Spots without layer effects in which composition varies widely: a type more or less is easily seen."""
    planted = make_spots(
        n_spots=60, n_types=4, n_genes=60, unaffected=1.0, cells_per_type=(200, 300), alone=True, seed=5
    )
    return planted, Reference.from_cells(planted.cells, "cell_type")


@lru_cache
def _fitted(method: str | type[Deconvolver]) -> AnnData:
    planted, reference = _study()
    return _class(method)().fit(planted.spots, reference, layers="layer")


def _shares(table: AnnData) -> np.ndarray:
    return np.asarray(table.obsm[keys.COMPOSITION])


def _card(method: str | type[Deconvolver]) -> None:
    check_card(_class(method).card, name=method if isinstance(method, str) else None)


def _parameters(method: str | type[Deconvolver]) -> None:
    params = _class(method)().params()
    promise(json.loads(json.dumps(params)) == params, f"params() {params} do not survive JSON")
    promise(_class(method)(**params).params() == params, "a method made from params() has other params()")


def _proportions(method: str | type[Deconvolver]) -> None:
    found, (planted, reference) = _fitted(method), _study()
    p = _shares(found)
    promise(p.shape == planted.truth.shape and np.isfinite(p).all(), f"proportions have shape {p.shape} or hold NaN")
    promise((p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-9), "proportions are negative or do not sum to 1")
    promise(list(found.uns[keys.UNS]["cell_types"]) == reference.types, "cell types are not those of the reference")
    promise(list(found.obs_names) == list(planted.spots.obs_names), "observations are not in the section's order")
    has = keys.COMPOSITION_LOWER in found.obsm
    promise(has == _class(method).has_uncertainty, f"has_uncertainty is not what the output has ({has})")
    if has:
        low, high = found.obsm[keys.COMPOSITION_LOWER], found.obsm[keys.COMPOSITION_UPPER]
        promise(((low <= p + 1e-9) & (p <= high + 1e-9) & (low >= 0) & (high <= 1)).all(), "an interval is no interval")


def _beats_uniform(method: str | type[Deconvolver]) -> None:
    planted, _ = _study()
    error = float(np.sqrt(((_shares(_fitted(method)) - planted.truth) ** 2).mean()))
    uniform = float(np.sqrt(((1 / planted.truth.shape[1] - planted.truth) ** 2).mean()))
    if _class(method).card.control:
        promise(error <= 1.05 * uniform, f"the control's error {error:.3f} is above that of equal shares {uniform:.3f}")
        return
    promise(error < 0.5 * uniform, f"the error {error:.3f} is not below half of that of equal shares, {uniform:.3f}")


def _deterministic(method: str | type[Deconvolver]) -> None:
    planted, reference = _study()
    np.random.seed(3)  # noqa: NPY002 (a method that draws from the global generator must be caught)
    again = _class(method)().fit(planted.spots, reference, layers="layer")
    promise(np.array_equal(_shares(again), _shares(_fitted(method))), "two fits under one seed differ")
    promise(again.uns[keys.UNS]["fit"] == _fitted(method).uns[keys.UNS]["fit"], "two fits report other facts")


def _follows_order(method: str | type[Deconvolver]) -> None:
    planted, reference = _study()
    rng = np.random.default_rng(11)
    rows, columns = rng.permutation(planted.spots.n_obs), rng.permutation(planted.spots.n_vars)
    found = _class(method)().fit(planted.spots[rows][:, columns].copy(), reference, layers="layer")
    same = np.allclose(_shares(found), _shares(_fitted(method))[rows], atol=1e-5)
    promise(same, "permuting observations and genes does not permute the proportions alike")


def _empty_observation(method: str | type[Deconvolver]) -> None:
    planted, reference = _study()
    spots = planted.spots.copy()
    spots.X[3] = 0
    found = _class(method)().fit(spots, reference)
    p = _shares(found)
    promise(np.isfinite(p).all() and np.isclose(p[3].sum(), 1), "an observation without counts has no proportions")
    if keys.COMPOSITION_LOWER in found.obsm:
        ends = found.obsm[keys.COMPOSITION_LOWER][3], found.obsm[keys.COMPOSITION_UPPER][3]
        promise((ends[0] == 0).all() and (ends[1] == 1).all(), "without counts, intervals are not 0 to 1")
    promise(not found.obs[keys.INFORMED].iloc[3] and found.obs[keys.INFORMED].sum() == len(p) - 1, "it is not flagged")


def _one_type(method: str | type[Deconvolver]) -> None:
    planted, _ = _study()
    one = planted.cells[planted.cells.obs["cell_type"] == "type a"].copy()
    found = _class(method)().fit(planted.spots, Reference.from_cells(one, "cell_type"))
    promise(np.allclose(_shares(found), 1.0), "a reference of one type does not give it everything")


def _too_many_types(method: str | type[Deconvolver]) -> None:
    planted, _ = _study()
    cells = planted.cells.copy()
    labels = [f"t{i % 24}" for i in range(cells.n_obs)]
    reference = Reference.from_cells(cells, labels, min_cells=2)
    try:
        _class(method)().fit(planted.spots[:, :22].copy(), reference)
    except GeneError:
        return
    promise(kept=False, text="more types than genes are accepted")


def _leaves_inputs_alone(method: str | type[Deconvolver]) -> None:
    planted, reference = _study()
    before = planted.spots.X.copy(), reference.profiles.copy()
    _class(method)().fit(planted.spots, reference, layers="layer")
    same = np.array_equal(before[0], planted.spots.X) and np.array_equal(before[1], reference.profiles)
    promise(same, "fit changes the section or the reference")


#: Promise to its check; each takes a registry name or a class and raises `ContractError`.
DECONVOLVER_CHECKS = {
    "its card is complete": _card,
    "its parameters are JSON and rebuild it": _parameters,
    "its proportions sum to 1 and are named": _proportions,
    "it beats equal shares": _beats_uniform,
    "it is deterministic under one seed": _deterministic,
    "it follows observations and genes": _follows_order,
    "it flags an observation without counts": _empty_observation,
    "it takes a reference of one type": _one_type,
    "it refuses more types than genes": _too_many_types,
    "it leaves its inputs alone": _leaves_inputs_alone,
}
