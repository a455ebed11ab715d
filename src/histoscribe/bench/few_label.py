"""What vectors of slides are worth with few labels: a logistic probe, prototypes, and retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FEW_LABEL_METRICS", "few_label", "retrieval_map"]

#: Name to direction and one sentence.
FEW_LABEL_METRICS = {
    "auc": ("higher", "Area under the ROC curve of a logistic probe on k labelled slides a class; 0.5 knows nothing."),
    "balanced_accuracy": ("higher", "Mean over classes of the share that the probe calls right."),
    "prototype_auc": (
        "higher",
        "Area under the ROC curve of the cosine to a class's mean vector less that to the others'; nothing is fitted.",
    ),
}


def few_label(
    vectors: np.ndarray, labels: Sequence[object], donors: Sequence[str], *, k: int, draws: int = 10, seed: int = 0
) -> dict[str, np.ndarray]:
    """Score vectors by probes on few labelled slides.

    Each draw labels `k` slides of each class; the slides of all other donors are the test. The probe is a logistic
    regression with C = (dimensions x classes) / 100 and no scaling of its own: bring vectors to a common scale first,
    by slides that are not scored. Source: the protocol of TANGLE (tangle-2024), where draws are seeds 0 to 9.

    Parameters
    ----------
    vectors
        ``(n, d)`` of slides that no pre-training has seen.
    labels
        ``(n,)`` classes, two or more.
    donors
        ``(n,)`` names.
    k
        Labelled slides a class.
    draws
        How often slides are drawn.
    seed
        Seed of the draws.

    Returns
    -------
    Name of `FEW_LABEL_METRICS` to ``(draws,)``. Draws share slides: their spread is that of the choice of labels, and
    says nothing of other slides or another pre-training.

    Raises
    ------
    DataError
        If a class has too few slides, or none for the test.
    """
    vectors, codes = np.asarray(vectors, dtype=np.float64), np.unique(np.asarray(labels), return_inverse=True)[1]
    groups = np.unique(np.asarray(donors), return_inverse=True)[1]
    n_classes = int(codes.max()) + 1
    if n_classes < 2 or not len(vectors) == len(codes) == len(groups):
        msg = (
            f"{len(vectors)} vectors with {len(codes)} labels of {n_classes} classes and {len(groups)} donors. "
            "Give each slide a label and a donor, of two classes or more."
        )
        raise DataError(msg)
    found: dict[str, list[float]] = {name: [] for name in FEW_LABEL_METRICS}
    for draw in range(draws):
        train, test = _split(codes, groups, k, np.random.default_rng([seed, draw]))
        for name, value in _probe(vectors, codes, train, test).items():
            found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def retrieval_map(vectors: np.ndarray, labels: Sequence[object], donors: Sequence[str]) -> tuple[float, float]:
    """Return the mean average precision of finding slides of one's class by cosine, and that of a random order.

    Each slide asks once, among the slides of other donors; slides whose class no other donor has are left out.
    """
    z = np.asarray(vectors, dtype=np.float64)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    labels, donors = np.asarray(labels), np.asarray(donors)
    near, scores, chance = z @ z.T, [], []
    for i, row in enumerate(near):
        others = donors != donors[i]
        relevant = labels[others] == labels[i]
        if relevant.any():
            scores.append(_average_precision(relevant, row[others]))
            chance.append(relevant.mean())
    if not scores:
        msg = f"none of {len(z)} slides shares its class with another donor's. Give classes of 2 donors or more."
        raise DataError(msg)
    return float(np.mean(scores)), float(np.mean(chance))


def _average_precision(relevant: np.ndarray, near: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(relevant, near))


def _split(codes: np.ndarray, groups: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    chosen = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        if len(members) < k:
            msg = f"{k} labelled slides a class were asked for, but a class has {len(members)}. Lower k."
            raise DataError(msg)
        chosen.append(rng.permutation(members)[:k])
    train = np.concatenate(chosen)
    test = np.flatnonzero(~np.isin(groups, groups[train]))
    if len(np.unique(codes[test])) < len(chosen):
        msg = f"with {k} labelled slides a class, the other donors' {len(test)} slides lack a class. Lower k."
        raise DataError(msg)
    return train, test


def _probe(z: np.ndarray, codes: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score

    n_classes = int(codes.max()) + 1
    probe = LogisticRegression(C=z.shape[1] * n_classes / 100, max_iter=10_000).fit(z[train], codes[train])
    share = probe.predict_proba(z[test])
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    means = np.stack([unit[train][codes[train] == c].mean(0) for c in range(n_classes)])
    cosine = unit[test] @ (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)).T  # (t, classes)
    # Less the mean of the other classes: with two classes, the difference.
    margin = cosine - (cosine.sum(1, keepdims=True) - cosine) / (n_classes - 1)
    return {
        "auc": _auc(codes[test], share),
        "balanced_accuracy": float(balanced_accuracy_score(codes[test], share.argmax(1))),
        "prototype_auc": _auc(codes[test], margin),
    }


def _auc(codes: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve of one class against the others, mean over classes."""
    from sklearn.metrics import roc_auc_score

    return float(np.mean([roc_auc_score(codes == c, scores[:, c]) for c in range(scores.shape[1])]))
