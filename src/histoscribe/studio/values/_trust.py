"""Trust: what held-out evidence says of each predicted gene, in one word and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core import keys

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Flag", "Trust", "trust_of"]

Flag = Literal["good", "weak", "none"]


@dataclass(frozen=True)
class Trust:
    """A flag and why."""

    flag: Flag
    reason: str


def trust_of(prediction: AnnData) -> dict[str, Trust]:
    """Return gene to trust; empty where a prediction carries no evidence at all.

    ``good`` where the lower bound of the held-out depth-partial correlation lies above 0 (the prediction's own flag),
    ``weak`` where only the mean does, ``none`` where not even that, or where nothing was held out.
    """
    if keys.TRUSTED not in prediction.var or keys.TRUST_MEAN not in prediction.var:
        return {}
    ours = dict(prediction.uns.get(keys.UNS, {}))
    unit, n = str(ours.get("calibration_unit", "none")), int(ours.get("n_units", 0))
    if unit == "none":
        why = "the model was not calibrated: nothing was held out"
        return {str(gene): Trust("none", why) for gene in prediction.var_names}
    means = prediction.var[keys.TRUST_MEAN].to_numpy(dtype=float)
    lower = prediction.var[keys.TRUST_LOWER].to_numpy(dtype=float)
    trusted = prediction.var[keys.TRUSTED].to_numpy(dtype=bool)
    return {
        str(gene): Trust(_flag(mean, sure=sure), _reason(mean, low, unit, n))
        for gene, mean, low, sure in zip(prediction.var_names, means, lower, trusted, strict=True)
    }


def _flag(mean: float, *, sure: bool) -> Flag:
    if sure:
        return "good"
    return "weak" if np.isfinite(mean) and mean > 0 else "none"


def _reason(mean: float, low: float, unit: str, n: int) -> str:
    held = f"held-out depth-partial correlation {mean:.2f}, lower bound {low:.2f} ({n} {unit}{'s' * (n != 1)})"
    return held if unit == "donor" else f"{held}; this does not speak for a new donor"
