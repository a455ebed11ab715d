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
  larger than the scatter that a fit of composition alone leaves unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, gammaln

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FACTOR_SD", "PLATFORM_SD", "MixtureFit", "fit_mixture", "layer_scale", "nb_loglik", "platform_log_ratio", "scatter"]

#: Standard deviation of a log factor per square root of lambda; chosen on heart ISS and on POLARIS's simulation.
FACTOR_SD = 1 / 50
#: Log gene factors that scatter more than this between section and reference mean two platforms: a factor of 2.
PLATFORM_SD = 0.7
_START_STRENGTH = 4.0
_STRENGTHS = (0.2, 5_000.0)
#: Shares below exp(-25) of the largest cannot be told from 0.
_FLOOR = 25.0
#: The noise profile is there for what no type explains: its prior share, worth this many cells.
_NOISE_SHARE, _NOISE_STRENGTH = 0.02, 3.0


@dataclass(frozen=True, eq=False)
class MixtureFit:
    """What was fitted.

    Attributes
    ----------
    proportions, sd
        ``(n, k)`` shares of the types, noise left out, and their posterior standard deviations (Laplace).
    noise
        ``(n,)`` share of the noise profile; zeros where there is none.
    gene_factors, layer_factors
        ``(g,)`` and ``(l, g)`` log factors; layer factors sum to 0 over layers.
    mean
        ``(n, g)`` fitted mean counts.
    strength
        lambda, in cells.
    platform
        True where section and reference were judged to be of two platforms.
    steps, stopped
        Number of steps, and ``"converged"`` or ``"max_iter"``.
    loglik
        Log-likelihood of the counts, nats.
    """

    proportions: np.ndarray
    sd: np.ndarray
    noise: np.ndarray
    gene_factors: np.ndarray
    layer_factors: np.ndarray
    mean: np.ndarray
    strength: float
    platform: bool
    steps: int
    stopped: str
    loglik: float


class _Problem:
    """Counts, profiles and the quasi-score of the likelihood."""

    def __init__(self, counts: np.ndarray, profiles: np.ndarray, dispersion: np.ndarray) -> None:
        self.x, self.profiles, self.dispersion = counts, profiles, dispersion
        self.where = np.nonzero(counts)
        self.positive = counts[self.where]
        pairs = np.triu_indices(len(profiles))
        self.pairs = pairs
        self.products = (profiles[pairs[0]] * profiles[pairs[1]]).T  # (g, k (k + 1) / 2)

    def set_profiles(self, profiles: np.ndarray) -> None:
        self.profiles = profiles
        self.products = (profiles[self.pairs[0]] * profiles[self.pairs[1]]).T

    def score(self, mean: np.ndarray) -> np.ndarray:
        """Return ``(n, g)`` d log-likelihood / d mean of the negative binomial."""
        odds = self.dispersion - 1.0
        size = mean[self.where] / odds[self.where[1]]
        value = np.broadcast_to(-np.log(self.dispersion), mean.shape).copy()
        value[self.where] += _rising(size, self.positive)
        value /= odds
        return value


def _rising(size: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return digamma(size + x) - digamma(size) for whole x >= 1; a short sum where x is small, which is most often."""
    value = 1.0 / size
    for i in range(1, 6):
        more = np.flatnonzero((x > i) & (x <= 6))
        if len(more):
            value[more] += 1.0 / (size[more] + i)
    large = np.flatnonzero(x > 6)
    value[large] = digamma(size[large] + x[large]) - digamma(size[large])
    return value


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
    max_iter: int = 300,
    tolerance: float = 2e-3,
    watch: Callable[[np.ndarray], None] | None = None,
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
    max_iter, tolerance
        The fit ends when a step changes the proportions by less than `tolerance` of their distance from equal shares
        (root mean squares).
    watch
        Called with the proportions after each step; for studies of convergence.
    """
    state = _State(_Problem(counts, profiles, dispersion), layers, noise=noise)
    state.unexplained = max(scatter(platform_log_ratio(counts, profiles)), 0.01)
    state.platform = gene_factors and state.unexplained > PLATFORM_SD
    before, stopped, step = state.proportions(), "max_iter", 0
    for step in range(1, max_iter + 1):
        state.move_amounts()
        if step > 3:
            state.move_strength()
        state.move_factors(genes=gene_factors, layer_sd=layer_sd)
        if noise:
            state.move_noise()
        now = state.proportions()
        if watch is not None:
            watch(now)
        if np.linalg.norm(now - before) <= tolerance * np.linalg.norm(now - 1 / now.shape[1]):
            stopped = "converged"
            break
        before = now
    mean = state.mean()
    return MixtureFit(
        state.proportions(),
        state.sd(),
        state.noise_share(),
        state.u,
        state.T,
        mean,
        state.strength,
        state.platform,
        step,
        stopped,
        nb_loglik(counts, mean, dispersion),
    )


def scatter(values: np.ndarray) -> float:
    """Return a standard deviation that a few genes cannot move: 1.48 times the median distance from the median."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


class _State:
    """The unknowns, and one step for each block of them."""

    def __init__(self, problem: _Problem, layers: np.ndarray | None, *, noise: bool) -> None:
        n, g = problem.x.shape
        self.n_types = len(problem.profiles)
        self.noise = noise
        if noise:
            problem = _Problem(
                problem.x, np.vstack([problem.profiles, problem.profiles.mean(0)]), problem.dispersion
            )
        self.problem = problem
        start = np.full(len(problem.profiles), 1.0 / self.n_types)
        start[self.n_types :] = _NOISE_SHARE
        self.layers = np.zeros(n, dtype=int) if layers is None else layers
        self.n_layers = int(self.layers.max()) + 1
        self.log_v = np.log(problem.x.sum(1))[:, None] + np.log(start)
        self.u, self.T, self.log_noise = np.zeros(g), np.zeros((self.n_layers, g)), np.zeros(g)
        self.strength, self.platform, self.gene_sd, self.unexplained = _START_STRENGTH, False, 1.0, 1.0
        self.last_step, self.damping = np.zeros_like(self.log_v), np.ones((n, 1))
        self.hessian = np.zeros((n, len(start), len(start)))

    def factors(self) -> np.ndarray:
        """Return ``(n, g)`` or ``(1, g)`` factors of the profiles."""
        return np.exp(self.u + self.T)[self.layers] if self.n_layers > 1 else np.exp(self.u + self.T)

    def mean(self) -> np.ndarray:
        return np.maximum(np.exp(self.log_v) @ self.problem.profiles, 1e-12) * self.factors()

    def shares(self) -> np.ndarray:
        """Return ``(n, k)`` shares of all profiles, the noise included."""
        v = np.exp(self.log_v - self.log_v.max(1, keepdims=True))
        return v / v.sum(1, keepdims=True)

    def proportions(self) -> np.ndarray:
        p = self.shares()[:, : self.n_types]
        return p / p.sum(1, keepdims=True)

    def noise_share(self) -> np.ndarray:
        return self.shares()[:, self.n_types :].sum(1)

    def move_amounts(self) -> None:
        """Take one Fisher-scoring step in log v, of at most 1 for any type."""
        factors = self.factors()
        v = np.exp(self.log_v)
        mean = np.maximum(v @ self.problem.profiles, 1e-12) * factors
        gradient = ((self.problem.score(mean) * factors) @ self.problem.profiles.T) * v
        upper = (factors * factors / (mean * self.problem.dispersion)) @ self.problem.products
        i, j = self.problem.pairs
        hessian = np.empty((*v.shape, v.shape[1]))
        hessian[:, i, j] = upper
        hessian[:, j, i] = upper
        hessian *= v[:, :, None] * v[:, None, :]
        self._add_prior(gradient, hessian)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        step /= np.maximum(np.abs(step).max(1, keepdims=True), 1.0)
        # At few counts the expected information is below the true curvature: a step that turns back is shortened.
        turned = (step * self.last_step).sum(1, keepdims=True) < 0
        self.damping = np.where(turned, self.damping / 2, np.minimum(self.damping * 1.2, 1.0))
        self.last_step = step
        self.log_v = self.log_v + self.damping * step
        self.log_v = np.maximum(self.log_v, self.log_v.max(1, keepdims=True) - _FLOOR)
        self.hessian = hessian

    def _add_prior(self, gradient: np.ndarray, hessian: np.ndarray) -> None:
        """Add slope and curvature of lambda KL(p || uniform), and of the noise's own share."""
        k, p = self.n_types, self.proportions()
        log_ratio = np.log(np.maximum(p, 1e-300) * k)
        gradient[:, :k] -= self.strength * p * (log_ratio - (p * log_ratio).sum(1, keepdims=True))
        # A thousandth of the curvature is kept along v itself, where the prior has none.
        hessian[:, :k, :k] -= 0.999 * self.strength * p[:, :, None] * p[:, None, :]
        diagonal = np.arange(hessian.shape[1])
        hessian[:, diagonal[:k], diagonal[:k]] += self.strength * p
        hessian[:, diagonal, diagonal] += 1e-3
        if not self.noise:
            return
        q = self.shares()
        share = np.clip(q[:, -1:], 1e-12, 1 - 1e-12)
        slope = -share * q
        slope[:, -1:] += share  # d share / d log v
        odds = np.log(share / _NOISE_SHARE) - np.log((1 - share) / (1 - _NOISE_SHARE))
        gradient -= _NOISE_STRENGTH * odds * slope
        hessian += _NOISE_STRENGTH * (slope / (share * (1 - share)))[:, :, None] * slope[:, None, :]

    def move_strength(self) -> None:
        """Set lambda so that the prior is as wide as the proportions: MacKay's update, half way in the logarithm."""
        k, p = self.n_types, self.proportions()
        divergence = float((p * np.log(np.maximum(p, 1e-300) * k)).sum())
        inverse = np.linalg.inv(self.hessian)[:, :k, :k]
        # tr(H^-1 (diag p - p p')): the share of each direction that the prior, not the counts, decides.
        along = (inverse @ p[:, :, None])[:, :, 0]
        prior_decided = (np.diagonal(inverse, axis1=1, axis2=2) * p).sum(1) - (p * along).sum(1)
        decided = np.maximum(k - 1 - self.strength * prior_decided, 0.0).sum()
        target = np.clip(decided / (2 * divergence + 1e-9), *_STRENGTHS)
        self.strength = float(np.sqrt(self.strength * target))

    def move_factors(self, *, genes: bool, layer_sd: float) -> None:
        """Take one Newton step in the gene factors and one in the layer factors."""
        if not genes and self.n_layers == 1:
            return
        mean = self.mean()
        gradient, information = self.problem.score(mean) * mean, mean / self.problem.dispersion
        if genes:
            self._move_genes(gradient.sum(0), information.sum(0))
        if self.n_layers > 1:
            members = (np.arange(self.n_layers)[:, None] == self.layers).astype(float)  # (l, n)
            self._move_layers(members @ gradient, members @ information, layer_sd)

    def _move_genes(self, gradient: np.ndarray, information: np.ndarray) -> None:
        small = min(FACTOR_SD * np.sqrt(self.strength), self.unexplained)
        sd = self.gene_sd if self.platform else small
        curvature = information + 1 / sd**2
        self.u = self.u + np.clip((gradient - self.u / sd**2) / curvature, -1, 1)
        shift = np.average(self.u, weights=self.problem.profiles.mean(0))
        self.u -= shift
        self.log_v += shift
        # Evidence update: factors as found, and what the counts leave open.
        self.gene_sd = max(float(np.sqrt(np.mean(self.u**2 + 1 / curvature))), small)

    def _move_layers(self, gradient: np.ndarray, information: np.ndarray, sd: float) -> None:
        curvature = information + 1 / sd**2
        self.T = self.T + np.clip((gradient - self.T / sd**2) / curvature, -1, 1)
        # Each gene's factors sum to 0: the nearest such point in the metric of the curvature.
        self.T -= self.T.sum(0) / (1 / curvature).sum(0) / curvature
        shift = self.T.mean(1)
        self.T -= shift[:, None]
        self.log_v += shift[self.layers][:, None]

    def move_noise(self) -> None:
        """Move the noise profile, which starts as the mean of all types and has a standard deviation of 0.5."""
        v = np.exp(self.log_v[:, -1:])
        part = v * self.problem.profiles[-1] * self.factors()
        mean = self.mean()
        gradient = (self.problem.score(mean) * part).sum(0) - self.log_noise / 0.25
        curvature = (part * part / (mean * self.problem.dispersion)).sum(0) + 4.0
        self.log_noise = self.log_noise + np.clip(gradient / curvature, -1, 1)
        profile = self.problem.profiles[:-1].mean(0) * np.exp(self.log_noise)
        self.problem.set_profiles(np.vstack([self.problem.profiles[:-1], profile / profile.sum()]))

    def sd(self) -> np.ndarray:
        """Return ``(n, k)`` standard deviations of the proportions from the curvature at the optimum."""
        p = self.proportions()
        covariance = np.linalg.inv(self.hessian)[:, : self.n_types, : self.n_types]
        # d p / d log v = diag p - p p'
        jacobian = -p[:, :, None] * p[:, None, :]
        diagonal = np.arange(self.n_types)
        jacobian[:, diagonal, diagonal] += p
        variance = np.einsum("nij,njk,nik->ni", jacobian, covariance, jacobian, optimize=True)
        return np.sqrt(np.maximum(variance, 0.0))
