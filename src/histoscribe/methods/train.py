"""Fit a bundle: from measured sections to one calibrated file, with every step resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.encoders import encode
from histoscribe.methods import predictor as make
from histoscribe.methods.bundle import Bundle, provenance
from histoscribe.methods.calibration import calibrate, no_calibration
from histoscribe.tiles import tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from histoscribe.core.composition import AnyTarget
    from histoscribe.core.section import Section

__all__ = ["fit", "prepare"]


def fit(
    sections: Sequence[Section],
    method: str = "ridge",
    *,
    preset: str | None = None,
    encoder: str | None = None,
    size_um: float | Sequence[float] | None = None,
    tile_px: int = 224,
    genes: int | Sequence[str] = 250,
    params: Mapping[str, Any] | None = None,
    target: AnyTarget | None = None,
    level: float = 0.9,
    calibrated: bool = True,
    seed: int = 0,
    cache: Path | None = None,
    show: bool | None = None,
) -> Bundle:
    """Tile, encode, fit and calibrate.

    Parameters
    ----------
    sections
        Measured sections of the training donors.
    method, preset, params
        Registry name of a predictor, one of its presets, and single parameters.
    encoder
        Registry name; ``+`` concatenates; default the method's own. Ignored by a method that uses no features.
    size_um
        Side of the tiles, um; several give context; default the method's own.
    tile_px
        Side given to the encoder, px.
    genes
        Panel, or how many genes of highest mean to choose from these sections; of no effect on cell types.
    target
        Transform of the counts; default ln(1 + CP10k). `CompositionTarget` for the sections' cell composition, which
        `histology-composition` learns by default; see `histoscribe.methods.with_composition`.
    level
        Highest interval level wanted.
    calibrated
        False saves the refits that calibration takes: the bundle then has no intervals and trusts no gene.
    seed
        Seed of everything random.
    cache
        Folder of the feature cache; default the user's cache.
    show
        Show progress; default where stderr is a terminal.

    Returns
    -------
    The bundle; `Bundle.save` writes it.
    """
    predictor = make(method, preset=preset, **(params or {}))
    encoder = encoder or predictor.default_encoder
    if predictor.uses_features:
        size_um = predictor.default_size_um if size_um is None else size_um
        sections = prepare(sections, encoder, size_um=size_um, tile_px=tile_px, cache=cache, show=show)
    predictor.fit(sections, genes, target=target, encoder=encoder if predictor.uses_features else None, seed=seed)
    if calibrated:
        calibration = calibrate(predictor, sections, level=level, seed=seed)
    else:
        calibration = no_calibration(len(predictor.genes_))
    return Bundle(predictor, calibration, provenance(sections))


def prepare(
    sections: Sequence[Section],
    encoder: str,
    *,
    size_um: float | Sequence[float],
    tile_px: int = 224,
    step_um: float | None = None,
    tissue_filters: Sequence[str] = (),
    threads: int | None = None,
    cache: Path | None = None,
    show: bool | None = None,
) -> list[Section]:
    """Tile and encode sections at one common resolution: that of the coarsest.

    `step_um` is the grid's step where a section has no observations, and `tissue_filters` is what further drops from
    the tissue there; see `histoscribe.tiles.tile`.
    """
    sides = [float(s) for s in np.atleast_1d(size_um)]
    read_mpp = max([min(sides) / tile_px, *(s.mpp for s in sections)])
    encoded = []
    for section in sections:
        tiled = tile(section, sides, tile_px=tile_px, read_mpp=read_mpp, step_um=step_um, tissue_filters=tissue_filters)
        encoded.append(encode(tiled, encoder, cache=cache, threads=threads, show=show))
        if section.slide is not None:
            # A large JPEG is decoded as a whole: only one is held at a time, and read again where it is needed again.
            section.slide.close()
    return encoded
