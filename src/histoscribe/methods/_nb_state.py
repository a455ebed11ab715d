"""The unknowns of a mixture of cell-type profiles, and one step for each block of them; see `_nb_mixture`."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

__all__ = ["FACTOR_SD", "STRENGTHS", "Problem", "State"]

#: Standard deviation of a log factor per square root of lambda; chosen on heart ISS and on POLARIS's simulation.
FACTOR_SD = 1 / 50
_START_STRENGTH = 4.0
STRENGTHS = (0.2, 5_000.0)
#: Shares below exp(-25) of the largest cannot be told from 0.
_FLOOR = 25.0
#: The noise profile is there for what no type explains: its prior share, worth this many cells.
_NOISE_SHARE, _NOISE_STRENGTH = 0.02, 3.0
#: Least, first and largest standard deviation of the noise's log difference from the mean of all types.
_NOISE_SD = (0.02, 0.5, 2.0)


class Problem:
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


class State:
    """The unknowns, and one step for each block of them."""

    def __init__(self, problem: Problem, layers: np.ndarray | None, *, noise: bool) -> None:
        n, g = problem.x.shape
        self.n_types = len(problem.profiles)
        self.noise = noise
        if noise:
            problem = Problem(problem.x, np.vstack([problem.profiles, problem.profiles.mean(0)]), problem.dispersion)
        self.problem = problem
        self.layers = np.zeros(n, dtype=int) if layers is None else layers
        self.n_layers = int(self.layers.max()) + 1
        self.u, self.T, self.log_noise = np.zeros(g), np.zeros((self.n_layers, g)), np.zeros(g)
        self.platform, self.gene_sd, self.unexplained = False, 1.0, 1.0
        self.noise_sd = _NOISE_SD[1]
        self.restart(STRENGTHS[1])

    def restart(self, ceiling: float) -> None:
        """Begin again at equal shares; the strength may not exceed `ceiling`."""
        n, k = len(self.problem.x), len(self.problem.profiles)
        start = np.full(k, 1.0 / self.n_types)
        start[self.n_types :] = _NOISE_SHARE
        self.log_v = np.log(self.problem.x.sum(1))[:, None] + np.log(start)
        self.strength, self.ceiling = min(_START_STRENGTH, ceiling), ceiling
        self.last_step, self.damping = np.zeros_like(self.log_v), np.ones((n, 1))
        self.hessian = np.zeros((n, k, k))

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
        target = np.clip(decided / (2 * divergence + 1e-9), *STRENGTHS)
        self.strength = min(float(np.sqrt(self.strength * target)), self.ceiling)

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
        """Move the noise profile, which starts as the mean of all types, and its spread around it by the evidence."""
        precision = 1 / self.noise_sd**2
        part = np.exp(self.log_v[:, -1:]) * self.problem.profiles[-1] * self.factors()
        mean = self.mean()
        gradient = (self.problem.score(mean) * part).sum(0) - self.log_noise * precision
        curvature = (part * part / (mean * self.problem.dispersion)).sum(0) + precision
        self.log_noise = self.log_noise + np.clip(gradient / curvature, -1, 1)
        # MacKay's update, half way in the logarithm, as for lambda; a fixed spread keeps the fit creeping on.
        decided = (1 - precision / curvature).sum()
        target = np.sqrt((self.log_noise**2).sum() / max(decided, 1e-6))
        self.noise_sd = float(np.clip(np.sqrt(self.noise_sd * target), _NOISE_SD[0], _NOISE_SD[2]))
        profile = self.problem.profiles[:-1].mean(0) * np.exp(self.log_noise)
        self.problem.set_profiles(np.vstack([self.problem.profiles[:-1], profile / profile.sum()]))

    def sd(self) -> np.ndarray:
        """Return ``(n, k)`` standard deviations of the proportions from the curvature at the optimum."""
        return np.sqrt(np.maximum(self._variance(np.linalg.inv(self.hessian)), 0.0))

    def sampling_variance(self) -> np.ndarray:
        """Return ``(n,)`` variances, summed over types, that counts of the assumed noise give the proportions.

        That of a penalised estimate, ``H^-1 I H^-1`` with the information I of the counts alone: a repetition of the
        experiment would scatter like this, whatever the prior.
        """
        slope, prior = np.zeros_like(self.log_v), np.zeros_like(self.hessian)
        self._add_prior(slope, prior)
        inverse = np.linalg.inv(self.hessian)
        return self._variance(inverse @ (self.hessian - prior) @ inverse).sum(1)

    def _variance(self, covariance: np.ndarray) -> np.ndarray:
        """Return ``(n, k)`` variances of the proportions from ``(n, k', k')`` covariances of log v."""
        p, diagonal = self.proportions(), np.arange(self.n_types)
        jacobian = -p[:, :, None] * p[:, None, :]  # d p / d log v = diag p - p p'
        jacobian[:, diagonal, diagonal] += p
        inner = covariance[:, : self.n_types, : self.n_types]
        return np.einsum("nij,njk,nik->ni", jacobian, inner, jacobian, optimize=True)
