"""Errors and variances: how far off a prediction is, in the unit of the target."""

from __future__ import annotations

import numpy as np

from histoscribe.metrics._metric import Context, Metric, Score, checked, is_constant

__all__ = ["MAE", "MSE", "R2_TRAIN_MEAN", "VARIANCE_RATIO", "r2_train_mean", "variance_ratio"]


def r2_train_mean(truth: np.ndarray, prediction: np.ndarray, train_mean: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` share of squared error that a prediction saves over the training mean.

    1 is perfect, 0 is as good as predicting `train_mean` ((g,)) everywhere, below 0 is worse than that.
    """
    return _r2(*checked(truth, prediction), Context(train_mean=train_mean)).values


def variance_ratio(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` variance of the prediction over that of the truth; 0 where either is constant."""
    return _variance_ratio(*checked(truth, prediction), Context()).values


def _r2(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    assert context.train_mean is not None
    # Predictions are float32; rounding the mean alike makes the training mean score exactly 0.
    mean = np.asarray(context.train_mean, dtype=np.float32).astype(np.float64)
    error, reference = ((y - p) ** 2).sum(0), ((y - mean) ** 2).sum(0)
    counted = ~is_constant(y) & (reference > 0)
    share = np.divide(error, reference, out=np.ones_like(error), where=counted)
    return Score(1.0 - share, counted, is_constant(p))


def _variance_ratio(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    flat_y, flat_p = is_constant(y), is_constant(p)
    ratio = np.divide(p.var(0), y.var(0), out=np.zeros(y.shape[1]), where=~(flat_y | flat_p))
    return Score(ratio, ~flat_y, flat_p)


def _mse(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    return Score(((y - p) ** 2).mean(0), np.ones(y.shape[1], dtype=bool), is_constant(p))


def _mae(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    return Score(np.abs(y - p).mean(0), np.ones(y.shape[1], dtype=bool), is_constant(p))


R2_TRAIN_MEAN = Metric(
    name="r2_train_mean",
    summary="Share of a gene's squared error saved over predicting its training mean, mean over genes.",
    axis="gene",
    low=-np.inf,
    high=1.0,
    direction="higher",
    best=1.0,
    source="out-of-sample R2 (Campbell and Thompson 2008)",
    compute=_r2,
    needs=("train_mean",),
)

VARIANCE_RATIO = Metric(
    name="variance_ratio",
    summary="Variance of a gene's prediction over that of its truth, counting noise included, mean over genes.",
    axis="gene",
    low=0.0,
    high=np.inf,
    direction="nearer",
    best=1.0,
    source="cf. the relative variance distance of Stem (Zhu et al. 2025)",
    compute=_variance_ratio,
    invariances=("order", "shift"),
)

MSE = Metric(
    name="mse",
    summary="Mean squared error of a gene, mean over genes.",
    axis="gene",
    low=0.0,
    high=np.inf,
    direction="lower",
    best=0.0,
    source="Gauss 1809",
    compute=_mse,
    unit="target^2",
)

MAE = Metric(
    name="mae",
    summary="Mean absolute error of a gene, mean over genes.",
    axis="gene",
    low=0.0,
    high=np.inf,
    direction="lower",
    best=0.0,
    source="Laplace 1774",
    compute=_mae,
    unit="target",
)
