"""Facts: what a prediction says about itself, as plain Python values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.bench.training import training_entries
from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.units import check_mpp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

__all__ = ["Facts"]


@dataclass(frozen=True, eq=False)
class Facts:
    """`uns["histoscribe"]` of a prediction, read once.

    Attributes
    ----------
    unit, method, encoder, section, donor, species, slide, bundle, scale, code
        Text; empty where the prediction does not say.
    mpp
        um per level-0 px.
    step_um, spot_um
        Distance between places and diameter of an observation, um; None where not recorded.
    level
        Interval level, 0-1, or None where there is none.
    calibration_unit, n_units
        What was held out (donor, section, block or none), and how many.
    ood_slide, ood_warn_above
        Share of tiles unlike the training tiles and the share above which that is alarming, percent; or None.
    synthetic
        True where the data were generated.
    training
        Training sections: name, donor, reader, path, options, digest.
    params, seed, feature_spec
        What the method was called with, and how its features were made.
    """

    unit: str
    method: str
    encoder: str
    section: str
    donor: str
    species: str
    slide: str
    slide_digest: str
    bundle: str
    scale: str
    code: str
    mpp: float
    step_um: float | None
    spot_um: float | None
    level: float | None
    calibration_unit: str
    n_units: int
    ood_slide: float | None
    ood_warn_above: float | None
    synthetic: bool
    training: list[dict[str, Any]]
    params: dict[str, Any]
    seed: int | None
    feature_spec: dict[str, Any]

    @classmethod
    def of(cls, prediction: AnnData) -> Facts:
        """Read the facts of a prediction.

        Raises
        ------
        DataError
            If the AnnData is not a prediction, is empty, or lacks what every prediction has.
        ScaleError
            If it states no plausible um/px.
        """
        info = dict(prediction.uns.get(keys.UNS, {}))
        _check(prediction, info)
        words = {
            name: str(info.get(name, ""))
            for name in ("unit", "method", "encoder", "section", "donor", "species", "bundle", "scale", "code")
        }
        return cls(
            **words,
            slide=str(info.get("slide", "")),
            slide_digest=str(info.get("slide_digest", "")),
            mpp=check_mpp(info.get("mpp"), where="the prediction", remedy="Set uns['histoscribe']['mpp']."),
            step_um=_positive(info, "step_um"),
            spot_um=_positive(info, "spot_um"),
            level=_positive(info, "level"),
            calibration_unit=str(info.get("calibration_unit", "none")),
            n_units=int(info.get("n_units", 0)),
            ood_slide=_known(info, "ood_slide"),
            ood_warn_above=_known(info, "ood_warn_above"),
            synthetic=bool(info.get("synthetic", False)),
            training=training_entries(prediction),
            params=_json(info, "params"),
            seed=int(info["seed"]) if "seed" in info else None,
            feature_spec=_json(info, "feature_spec"),
        )

    @property
    def donors(self) -> list[str]:
        """Names of the training donors, sorted."""
        return sorted({str(entry["donor"]) for entry in self.training})

    @property
    def sides_um(self) -> list[float]:
        """Sides of the tiles, um; empty where the method used no features."""
        return [float(side) for side in self.feature_spec.get("geometry", {}).get("sides_um", [])]

    @property
    def ood_limit(self) -> float:
        """Share of unlike tiles above which a slide is unlike the training slides, percent."""
        # 20 % is the floor that the novelty score itself uses where a prediction does not carry its own limit.
        return self.ood_warn_above or 20.0

    @property
    def unlike(self) -> bool:
        """True where more of the slide is unlike the training slides than any held-out training slide was."""
        return self.ood_slide is not None and self.ood_slide > self.ood_limit


def _check(prediction: AnnData, info: Mapping[str, Any]) -> None:
    if "unit" not in info or info.get("kind", "prediction") != "prediction":
        msg = (
            f"this AnnData ({prediction.n_obs} x {prediction.n_vars}) is not a prediction: uns['{keys.UNS}'] has no "
            "'unit' or another kind. Give what `histoscribe predict` wrote."
        )
        raise DataError(msg)
    if keys.COMPOSITION in prediction.obsm:
        msg = (
            f"the prediction of {info.get('section', 'unnamed')!r} is of cell composition, and reports are of "
            "expression. Score it with `histoscribe evaluate --composition FILE`; draw obsm['composition']."
        )
        raise DataError(msg)
    if not prediction.n_obs or not prediction.n_vars:
        msg = (
            f"the prediction of {info.get('section', 'unnamed')!r} is empty ({prediction.n_obs} places x "
            f"{prediction.n_vars} genes), so there is nothing to report. Predict again on a slide with tissue."
        )
        raise DataError(msg)
    lacking = [c for c in (keys.TRUSTED, keys.TRUST_MEAN, keys.TRUST_LOWER) if c not in prediction.var]
    if lacking:
        msg = (
            f"the prediction of {info.get('section', 'unnamed')!r} lacks {', '.join(lacking)} in var, so no gene could "
            "be called trusted or not. Predict with a calibrated bundle."
        )
        raise DataError(msg)
    bad = int((~np.isfinite(np.asarray(prediction.X))).sum())
    if bad:
        msg = f"the prediction of {info.get('section', 'unnamed')!r} holds {bad} NaN or infinite values. Predict again."
        raise DataError(msg)


def _known(info: Mapping[str, Any], name: str) -> float | None:
    """Return a value of at least 0, or None: -1 stands for 'not known' in a file."""
    value = info.get(name)
    return None if value is None or not float(value) >= 0 else float(value)


def _positive(info: Mapping[str, Any], name: str) -> float | None:
    return _known(info, name) or None


def _json(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        value = json.loads(info.get(name) or "{}")
    except (TypeError, ValueError) as err:
        msg = f"uns['{keys.UNS}']['{name}'] is not JSON ({err}). Predict again."
        raise DataError(msg) from err
    return value if isinstance(value, dict) else {}
