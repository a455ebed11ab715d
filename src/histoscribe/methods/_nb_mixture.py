"""Counts as mixtures of cell-type profiles: a negative-binomial fit that stops by itself.

The model of every method of the stereoscope kind. Observation s, gene g, type z, layer l(s):

    mean_sg = sum_z v_sz P_zg * exp(u_g + T_l(s)g),   variance_sg = dispersion_g * mean_sg,

with P from a single-cell reference, v_sz >= 0 the amount of type z, u a factor of the platform and T of the layer.

What the released fits lack, and why more steps of them give worse proportions:

- a prior of the proportions p = v / sum v. Here -lambda KL(p || uniform): lambda is what a composition drawn from that
  many cells would have, and is set so that the prior is as wide as the fitted proportions are (MacKay's evidence
  update); the optimum in v is then unique and is the end of the fit, whatever the number of steps;
- a scale. Each gene's factors sum to 0 over layers, and a layer's mean over genes is taken out (it is depth); what is
  left has a small standard deviation, sqrt(lambda) / 50: where observations differ much in composition (small lambda),
  layers may as well, so a difference between layers is read as composition unless counts say otherwise. It is never
  larger than the scatter that a fit of composition alone leaves unexplained;
- an honest noise: where the model is wrong, genes are off together, and counts say less than each gene's own dispersion
  has it; see `_nb_inflation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from histoscribe.methods._nb_state import FACTOR_SD, STRENGTHS, Problem, State

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FACTOR_SD",
    "PLATFORM_SD",
    "MixtureFit",
    "fit_mixture",
    "layer_scale",
    "nb_loglik",
    "platform_log_ratio",
    "scatter",
]

#: Log gene factors that scatter more than this between section and reference mean two platforms: a factor of 2.
PLATFORM_SD = 0.7
#: How much stronger the prior may be beside factors than for composition alone; see `fit_mixture`.
_TIGHTER = 3.0


@dataclass(frozen=True, eq=False)
class MixtureFit:
    """What was fitted.

    Attributes
    ----------
    proportions, sd
        ``(n, k)`` shares of the types, noise left out, and their posterior standard deviations (Laplace).
    sampling
        ``(n,)`` variance of the shares, summed over types, that the assumed noise of the counts makes.
    noise
        ``(n,)`` share of the noise profile; zeros where there is none.
    gene_factors, layer_factors
        ``(g,)`` and ``(l, g)`` log factors; layer factors sum to 0 over layers.
    mean
        ``(n, g)`` fitted mean counts.
    strength
        lambda, in cells.
    variety
        lambda of the fit of composition alone.
    platform
        True where section and reference were judged to be of two platforms.
    steps, stopped
        Number of steps, and ``"converged"`` or ``"max_iter"``.
    loglik
        Log-likelihood of the counts at their own dispersion, nats.
    inflation
        What the dispersion was multiplied by; see `_nb_inflation`.
    """

    proportions: np.ndarray
    sd: np.ndarray
    sampling: np.ndarray
    noise: np.ndarray
    gene_factors: np.ndarray
    layer_factors: np.ndarray
    mean: np.ndarray
    strength: float
    variety: float
    platform: bool
    steps: int
    stopped: str
    loglik: float
    inflation: float


def nb_loglik(counts: np.ndarray, mean: np.ndarray, dispersion: np.ndarray) -> float:
    """Return the log-likelihood, nats, of counts whose variance is `dispersion` times their mean."""
    mean = np.maximum(mean, 1e-12)
    size = mean / (dispersion - 1.0)
    at = np.nonzero(counts)
    x, r = counts[at], size[at]
    value = (gammaln(x + r) - gammaln(r) - gammaln(x + 1)).sum() - (size * np.log(dispersion)).sum()
    return float(value + (x * np.log((dispersion - 1.0) / dispersion)[at[1]]).sum())


def platform_log_ratio(counts: np.ndarray, profiles: np.ndarray) -> np.ndarray:
    """Return ``(g,)`` log ratio of a section's total counts to the nearest mixture of the profiles, mean 0."""
    from scipy.optimize import nnls

    bulk = counts.sum(0) + 0.5
    scale = 1.0 / np.sqrt(bulk)
    amount, _ = nnls((profiles * scale).T * bulk.sum(), bulk * scale)
    mixed = np.maximum(amount @ profiles, 1e-3 * profiles.mean(0)) * bulk.sum()
    ratio = np.log(bulk / (mixed + 0.5))
    return ratio - np.median(ratio)


def layer_scale(counts: np.ndarray, without: MixtureFit, layers: np.ndarray, dispersion: np.ndarray) -> float:
    """Return the standard deviation of log layer factors for a section whose fit without layers is `without`.

    sqrt(lambda) / 50, or the scatter of log observed over fitted counts per layer and gene (less what counting alone
    makes, robustly) where that is smaller: what composition explains leaves nothing to layers. At least 0.005.
    """
    members = (np.arange(layers.max() + 1)[:, None] == layers).astype(float)  # (l, n)
    fitted = members @ without.mean + 0.5
    ratio = np.log((members @ counts + 0.5) / fitted)
    ratio -= ratio.mean(0)
    ratio -= np.median(ratio, axis=1, keepdims=True)
    excess = scatter(ratio) ** 2 - float(np.median(dispersion / fitted))
    return float(np.clip(np.sqrt(max(excess, 0.0)), 0.005, FACTOR_SD * np.sqrt(without.strength)))


def fit_mixture(
    counts: np.ndarray,
    profiles: np.ndarray,
    dispersion: np.ndarray,
    *,
    layers: np.ndarray | None = None,
    noise: bool = False,
    gene_factors: bool = True,
    layer_sd: float = 0.05,
    inflation: float = 1.0,
    max_iter: int = 300,
    tolerance: float = 2e-3,
    watch: Callable[[str, np.ndarray], None] | None = None,
) -> MixtureFit:
    """Fit amounts, gene factors and layer factors to counts.

    Parameters
    ----------
    counts
        ``(n, g)`` float64 counts, each row with at least one.
    profiles
        ``(k, g)`` share of each gene in a type's transcripts, positive, rows summing to 1.
    dispersion
        ``(g,)`` variance over mean, above 1.
    layers
        ``(n,)`` codes 0, 1, ... of the layer of each observation, or None.
    noise
        True to add a profile that is learned beside those of the types (stereoscope).
    gene_factors
        False to trust the reference's profiles as they are.
    layer_sd
        Standard deviation of the log layer factors; see `layer_scale`.
    inflation
        Factor of the dispersion; see `histoscribe.methods._nb_inflation`.
    max_iter, tolerance
        The fit ends when a step changes the proportions by less than `tolerance` of their distance from equal shares
        (root mean squares).
    watch
        Called with the stage (``"composition"``, ``"factors"``, ``"strength"``) and the proportions after each step;
        for studies of convergence.
    """
    state = State(Problem(counts, profiles, dispersion * inflation), layers, noise=noise)
    state.unexplained = max(scatter(platform_log_ratio(counts, profiles)), 0.01)
    state.platform = gene_factors and state.unexplained > PLATFORM_SD
    steps, stopped, variety = 0, "converged", 0.0
    with_factors = gene_factors or state.n_layers > 1 or noise
    # Composition alone says how much it varies. Beside factors its prior may become at most `_TIGHTER` times as
    # strong: factors must not be rewarded without end for making all observations alike. At last factors are fixed,
    # and the bound lifted; not beside noise, whose share still moves in each observation.
    stages = ("composition", "factors", "strength") if with_factors else ("composition",)
    for stage in stages:
        if stage == "factors":
            state.restart(_TIGHTER * variety)
        if stage == "strength" and not noise:
            state.ceiling = STRENGTHS[1]
        before = state.proportions()
        for step in range(1, max_iter + 1):
            state.move_amounts()
            if step > 3 or stage == "strength":
                state.move_strength()
            if stage == "factors":
                state.move_factors(genes=gene_factors, layer_sd=layer_sd)
                if noise:
                    state.move_noise()
            now = state.proportions()
            if watch is not None:
                watch(stage, now)
            if np.linalg.norm(now - before) <= tolerance * np.linalg.norm(now - 1 / now.shape[1]):
                break
            before = now
        else:
            stopped = "max_iter"
        steps += step
        variety = state.strength if stage == "composition" else variety
    mean = state.mean()
    return MixtureFit(
        state.proportions(),
        state.sd(),
        state.sampling_variance(),
        state.noise_share(),
        state.u,
        state.T,
        mean,
        state.strength,
        variety,
        state.platform,
        steps,
        stopped,
        nb_loglik(counts, mean, dispersion),
        inflation,
    )


def scatter(values: np.ndarray) -> float:
    """Return a standard deviation that a few genes cannot move: 1.48 times the median distance from the median."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
