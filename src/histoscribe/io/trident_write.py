"""Write tiles and features in the files of TRIDENT or CLAM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.features import Features
from histoscribe.core.files import atomic_path
from histoscribe.io._tile_files import ABOUT, BARCODES, CENTRES
from histoscribe.io._write import refuse_existing

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["magnification", "write_trident", "write_trident_coords", "write_trident_features"]

ENDINGS = (".h5",)
KEEPS = ("names", "donor", "mpp")

Layout = Literal["trident", "clam"]

#: TRIDENT's magnification of a slide by its um/px: the first bound that is not reached.
_MAGNIFICATIONS = ((0.16, 80), (0.2, 60), (0.3, 40), (0.6, 20), (1.2, 10), (2.4, 5))


def magnification(mpp: float) -> int | None:
    """Return the magnification that TRIDENT gives to a um/px, or None beyond 2.4, where it has none."""
    return next((value for bound, value in _MAGNIFICATIONS if round(mpp, 4) < bound), None)


def write_trident(
    section: Section,
    path: Path,
    *,
    overwrite: bool = False,
    what: Literal["auto", "coords", "features"] = "auto",
    encoder: str | None = None,
    layout: Layout = "trident",
) -> Path:
    """Write a section's tiles, with its features if it has any, as TRIDENT or CLAM does.

    Corners are whole level-0 px, as those tools want them. What they cannot hold (centres at fractions of a px, names,
    exact sides, donor, um/px) is added where they do not look, so that `hs.read` brings it back.

    Parameters
    ----------
    section
        A section with tiles (`histoscribe.tile`) and a slide.
    path
        The ``.h5`` file: in TRIDENT's tree ``patches/<slide>_patches.h5`` or ``features_<encoder>/<slide>.h5``.
    overwrite
        Replace an existing file.
    what
        ``"coords"``, ``"features"``, or ``"auto"``: with features where the section has some.
    encoder
        Which features, where there are several.
    layout
        Attributes of ``"trident"`` (sizes in px at a magnification and at level 0) or of ``"clam"`` (size at level 0).
    """
    if what not in ("auto", "coords", "features") or layout not in ("trident", "clam"):
        msg = f"what={what!r}, layout={layout!r} is not known. Choose auto, coords or features; trident or clam."
        raise DataError(msg)
    has_some = bool(dict(section.table.uns.get(keys.UNS, {})).get("features"))
    if what == "features" or (what == "auto" and has_some):
        return write_trident_features(section, path, encoder=encoder, layout=layout, overwrite=overwrite)
    return write_trident_coords(section, path, layout=layout, overwrite=overwrite)


def write_trident_coords(
    section: Section, path: Path | str, *, layout: Layout = "trident", overwrite: bool = False
) -> Path:
    """Write `coords`, ``(n, 2)`` int64 top-left corners; see `write_trident`."""
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    _write(section, path, layout, None)
    return path


def write_trident_features(
    section: Section,
    path: Path | str,
    *,
    encoder: str | None = None,
    layout: Layout = "trident",
    overwrite: bool = False,
) -> Path:
    """Write `features`, ``(n, d)`` float32 as they are, beside `coords`; see `write_trident`."""
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    _write(section, path, layout, Features.of(section.table, encoder, name=section.name))
    return path


def _write(section: Section, path: Path, layout: Layout, features: Features | None) -> None:
    grid, slide = section.grid, section.slide
    if grid is None or slide is None:
        what = "no tiles" if slide is not None else "no slide"
        remedy = "Make them with hs.tile(section, size_um=112)." if slide is not None else "Read it with its image."
        msg = f"section {section.name!r} has {what}, which these files need. {remedy}"
        raise DataError(msg)
    side = round(grid.side_px(min(grid.sides_um)))
    corners = np.floor(grid.centres - side / 2 + 0.5).astype(np.int64)
    attributes = (_trident if layout == "trident" else _clam)(section, side, path)
    about = _about(section, features)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        coords = file.create_dataset("coords", data=corners)
        coords.attrs.update(attributes)
        coords.attrs[ABOUT] = json.dumps(about)
        if not np.array_equal(corners + side / 2, grid.centres):
            file.create_dataset(CENTRES, data=np.asarray(grid.centres, dtype=np.float64))
        file.create_dataset(BARCODES, data=[str(n) for n in section.table.obs_names], dtype=h5py.string_dtype())
        if features is not None:
            stored = file.create_dataset("features", data=np.asarray(features.matrix, dtype=np.float32))
            stored.attrs.update(
                {"encoder": features.spec.encoder, "name": section.name, "savetodir": str(path.resolve().parent)}
            )


def _trident(section: Section, side: int, path: Path) -> dict[str, Any]:
    grid, slide = section.grid, section.slide
    assert grid is not None
    assert slide is not None
    source, target = magnification(section.mpp), magnification(min(grid.sides_um) / grid.tile_px)
    if source is None or target is None:
        msg = (
            f"section {section.name!r}: TRIDENT has no magnification for {section.mpp:.4g} um/px read at "
            f"{min(grid.sides_um) / grid.tile_px:.4g} um/px (its coarsest is 2.4). Write layout=clam, or finer tiles."
        )
        raise ScaleError(msg)
    step = section.pitch_um
    share = 0.0 if step is None else max(0.0, 1.0 - step / min(grid.sides_um))
    return {
        "patch_size": grid.tile_px,
        "patch_size_level0": side,
        "overlap": round(share * grid.tile_px),
        "target_magnification": target,
        "level0_magnification": source,
        "level0_width": slide.size[0],
        "level0_height": slide.size[1],
        "name": section.name,
        "savetodir": str(path.resolve().parent),
    }


def _clam(section: Section, side: int, path: Path) -> dict[str, Any]:
    assert section.slide is not None
    return {
        "patch_size": side,
        "patch_level": 0,
        "downsample": [1.0, 1.0],
        "downsampled_level_dim": list(section.slide.size),
        "level_dim": list(section.slide.size),
        "name": section.name,
        "save_path": str(path.resolve().parent),
    }


def _about(section: Section, features: Features | None) -> dict[str, Any]:
    grid, slide = section.grid, section.slide
    assert grid is not None
    about: dict[str, Any] = {"section": section.name, "donor": section.donor, "mpp": float(section.mpp)}
    about |= {"platform": section.platform, "grid": grid.geometry()}
    about |= {k: v for k in ("species", "spot_um", "pitch_um") if (v := getattr(section, k)) is not None}
    if slide is not None and slide.path.exists():
        about["slide"] = str(slide.path.resolve())
    if features is not None:
        about["features"] = features.spec.to_dict()
    return about
