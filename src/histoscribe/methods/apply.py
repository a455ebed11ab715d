"""Use a bundle: from a slide that was never measured to expression, intervals, trust flags and provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.composition import CompositionTarget
from histoscribe.core.errors import BundleError, ScaleError
from histoscribe.encoders import encode, make_encoder
from histoscribe.io import read_spec
from histoscribe.methods.bundle import Bundle
from histoscribe.tiles import tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["predict"]

#: A slide may be this much coarser than the training slides before it must be asked for: two scanners that both say
#: "20x" differ by up to about 10 %.
SCALE_TOLERANCE = 1.1


def predict(
    slide: Section | Path | str,
    bundle: Bundle | Path | str,
    *,
    step_um: float | None = None,
    tissue_filters: Sequence[str] = (),
    rescale: bool = False,
    species: str | None = None,
    cache: Path | None = None,
    show: bool | None = None,
) -> AnnData:
    """Predict a bundle's genes or cell types on a slide; what was measured in `slide`, if anything, is never seen.

    Parameters
    ----------
    slide
        A section (its observations are kept; without any, a grid is laid over the tissue), or a slide's path or
        specification (``"slide.jpg?mpp=0.5"``).
    bundle
        A bundle or its path.
    step_um
        Distance of grid points, um; default the smallest tile side. Ignored where there are observations.
    tissue_filters
        What further drops from the tissue under the grid, e.g. ``("pen",)``: names of `histoscribe.tiles.FILTERS`.
        Ignored where there are observations.
    rescale
        Allow a slide that is coarser than those the bundle was trained on; its tiles are then upsampled.
    species
        Species of the slide, where the section does not say.
    cache
        Folder of the feature cache; default the user's cache.
    show
        Show progress; default where stderr is a terminal.

    Returns
    -------
    AnnData, observations x genes: ``X`` and ``layers["lower"]``, ``["upper"]`` in ``uns["histoscribe"]["unit"]``;
    ``obs`` has ``ood_percentile`` and ``padded_share``; ``var`` has ``trusted``, the held-out depth-partial
    correlation with its lower bound, and ``train_mean``. Where the bundle learned cell composition, variables are cell
    types, the correlation is that of their shares (``pcc_type``), and ``obsm["composition"]``,
    ``["composition_lower"]`` and ``["composition_upper"]`` are as `Deconvolver.fit` writes them.

    Raises
    ------
    BundleError
        If the bundle does not fit: another encoder version, another species.
    ScaleError
        If the slide is coarser than the training slides and `rescale` is False.
    """
    bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    section = read_spec(str(slide)) if isinstance(slide, (str, Path)) else slide
    _check_species(bundle, section.species or species, section.name)
    predictor = bundle.predictor
    prepared = section.blind()
    scale = "not used (the method reads no pixels)"
    if predictor.read_mpp is not None:
        scale = _check_scale(predictor.read_mpp, section, rescale=rescale)
    if predictor.spec_ is not None:
        _check_encoder(bundle)
        geometry = predictor.spec_.geometry
        prepared = tile(
            prepared,
            geometry["sides_um"],
            tile_px=geometry["tile_px"],
            read_mpp=geometry["read_mpp"],
            step_um=step_um,
            tissue_filters=tissue_filters,
        )
        prepared = encode(prepared, predictor.spec_.encoder, cache=cache, show=show)
    elif not section.n_obs:
        prepared = tile(prepared, step_um or 100.0, step_um=step_um, tissue_filters=tissue_filters)
    result = predictor.predict(prepared)
    _annotate(result, bundle, prepared, scale=scale)
    if not section.n_obs:
        result.uns["histoscribe"]["tissue_filters"] = ",".join(tissue_filters)
    return result


def _check_encoder(bundle: Bundle) -> None:
    spec = bundle.predictor.spec_
    assert spec is not None
    here = make_encoder(spec.encoder).fingerprint()
    if here != spec.fingerprint:
        msg = (
            f"the bundle was fitted on {spec.encoder} [{spec.fingerprint}], but this installation's {spec.encoder} is "
            f"[{here}]; its features differ. Install the version that fitted it "
            f"(histoscribe {bundle.provenance.get('code', '?')}) or fit again."
        )
        raise BundleError(msg)


def _check_species(bundle: Bundle, species: str | None, name: str) -> None:
    trained = bundle.provenance.get("species")
    if species and trained and species != trained:
        msg = (
            f"section {name!r} is of species {species!r}, but the bundle was trained on {trained!r}; its genes do not "
            "exist there. Use a bundle of the same species."
        )
        raise BundleError(msg)


def _check_scale(trained: float, section: Section, *, rescale: bool) -> str:
    if section.mpp <= trained * SCALE_TOLERANCE:
        if section.mpp < trained / SCALE_TOLERANCE:
            return f"read at {trained:.4g} um/px instead of the slide's {section.mpp:.4g}, to match the training slides"
        return f"matches the training slides ({section.mpp:.4g} against {trained:.4g} um/px)"
    if not rescale:
        msg = (
            f"section {section.name!r} is scanned at {section.mpp:.4g} um/px, coarser than the {trained:.4g} um/px the "
            "bundle was trained at; upsampled tiles mislead its encoder. Use a finer scan, a bundle trained at this "
            "scale, or pass rescale=True (--rescale) to upsample all the same."
        )
        raise ScaleError(msg)
    return f"UPSAMPLED from {section.mpp:.4g} um/px to the {trained:.4g} um/px of the training slides, as asked for"


def _annotate(result: AnnData, bundle: Bundle, section: Section, *, scale: str) -> None:
    """Add intervals, trust, novelty and provenance to a prediction."""
    predictor, cal = bundle.predictor, bundle.calibration
    values = np.asarray(result.X)
    if cal.level is not None:
        width = cal.half_width.astype(np.float32)
        # No true value lies beyond the target's bounds, so cutting the interval there loses no coverage.
        result.layers[keys.LOWER] = np.clip(values - width, *predictor.target_.bounds)
        result.layers[keys.UPPER] = np.clip(values + width, *predictor.target_.bounds)
        predictor.target_.fill(result)
    of_types = predictor.target_.kind == CompositionTarget.kind
    result.var[keys.TRUSTED] = cal.trusted
    result.var[keys.TRUST_TYPE_MEAN if of_types else keys.TRUST_MEAN] = cal.trust_mean
    result.var[keys.TRUST_TYPE_LOWER if of_types else keys.TRUST_LOWER] = cal.trust_lower
    result.var["train_mean"] = predictor.train_mean_
    ood, warn = -1.0, -1.0
    if cal.novelty is not None:
        result.obs[keys.OOD] = cal.novelty.percentile(predictor.features(section).matrix)
        ood, warn = cal.novelty.slide_share(result.obs[keys.OOD].to_numpy()), cal.novelty.warn_above
    source = section.slide
    result.uns[keys.UNS] |= {
        "kind": "prediction",
        "encoder": "none" if predictor.spec_ is None else predictor.spec_.encoder,
        "feature_spec": json.dumps(None if predictor.spec_ is None else predictor.spec_.to_dict()),
        "params": json.dumps(predictor.params()),
        "seed": predictor.seed_,
        "donor": section.donor,
        "mpp": section.mpp,
        "step_um": -1.0 if section.pitch_um is None else float(section.pitch_um),
        "spot_um": -1.0 if section.spot_um is None else float(section.spot_um),
        "slide": "" if source is None else str(source.path),
        "slide_digest": "" if source is None else source.digest(),
        "scale": scale,
        "bundle": bundle.digest(),
        "level": -1.0 if cal.level is None else cal.level,
        "calibration_unit": cal.unit,
        "n_units": cal.n_units,
        "ood_slide": ood,
        "ood_warn_above": warn,
        "species": bundle.provenance.get("species") or "",
        "synthetic": bool(bundle.provenance.get("synthetic", False)),
        "training": json.dumps(bundle.provenance.get("training", [])),
        "code": bundle.provenance.get("code", ""),
    }
