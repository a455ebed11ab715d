"""GeoJSON as QuPath writes it: annotations become labels of observations, or the observations themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, SlideError
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import open_image
from histoscribe.io._files import content_digest
from histoscribe.io._geojson import Annotation, GeoJson, load_geojson
from histoscribe.io._polygons import assign_smallest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["annotate", "read_geojson"]

LOOKS_FOR = "a .geojson file"

_ENDINGS = (".geojson", ".geojson.gz", ".geojson.zip")


def looks_like(path: Path) -> bool:
    """Say whether `path` is named as a GeoJSON file."""
    return path.is_file() and path.name.lower().endswith(_ENDINGS)


def annotate(
    section: Section,
    source: Path | str | Sequence[Annotation],
    key: str = "annotation",
    *,
    scale: float = 1.0,
) -> Section:
    """Label each observation with the class of the annotation that its centre lies in.

    Where annotations overlap, the smallest counts (an inner region is meant where one is drawn inside another), and of
    equally large ones the last in the file.

    Parameters
    ----------
    section
        A section.
    source
        GeoJSON file, or annotations; in level-0 px of the section's image.
    key
        obs column to write; one that exists is refused.
    scale
        px of the section's image per px of the image that was annotated: below 1 where the section was read with a
        reduced image.

    Returns
    -------
    The section with ``obs[key]``, categorical, missing outside all annotations; ``uns["<key>_colors"]`` where every
    class has a colour; and notes in ``uns["histoscribe"]["notes"]``.

    Raises
    ------
    DataError
        If the file has no polygon, or the column exists.
    CoordinateError
        If no observation lies in any annotation.
    """
    if key in section.table.obs:
        msg = f"section {section.name!r} has an obs column {key!r} already. Give another key=, or drop the column."
        raise DataError(msg)
    what = f"annotations of {source}" if isinstance(source, (str, Path)) else f"{len(source)} annotations"
    found = load_geojson(source) if isinstance(source, (str, Path)) else GeoJson(list(source), [], {})
    items, notes = [a for a in found.items if a.region is not None], list(found.notes)
    if not items:
        msg = f"{what} hold no polygon ({'; '.join(notes) or 'no object'}). Draw areas, and export them as GeoJSON."
        raise DataError(msg)
    index = assign_smallest([a.region for a in items if a.region is not None], section.xy / scale)
    if section.n_obs and (index < 0).all():
        _refuse_apart(section, items, what, scale)
    labels = list(dict.fromkeys(a.label for a in items))
    codes = np.array([labels.index(a.label) for a in items] + [-1])
    table = section.table.copy()
    table.obs[key] = pd.Categorical.from_codes(codes[index], categories=labels)
    colours = {a.label: a.colour for a in items}
    if all(colours.values()):
        table.uns[f"{key}_colors"] = ["#{:02x}{:02x}{:02x}".format(*colours[label]) for label in labels]  # type: ignore[misc]
    notes.append(f"{key}: {int((index >= 0).sum())} of {section.n_obs} observations lie in {len(items)} annotations")
    ours = dict(table.uns.get(keys.UNS, {}))
    table.uns[keys.UNS] = ours | {"notes": [*map(str, ours.get("notes", [])), *notes]}
    return section.replace(table=table)


def read_geojson(
    path: Path,
    *,
    image: str | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read the objects of a GeoJSON file as the observations of a section without counts.

    So that a model predicts at cells or regions that were found in QuPath. Centres are centroids; ``obs`` has
    `annotation` (the class) and a column for each measurement.

    Parameters
    ----------
    path
        The ``.geojson``, plain, gzip or zip.
    image
        The image on which the objects were drawn, or ``"none"``.
    name, donor, species
        Names; both names default to the file's.
    mpp
        um per px of the image; needed where the image does not state it.
    """
    found = load_geojson(path, points=True)
    items, notes, about = found.items, list(found.notes), found.about
    name = name or about.get("section") or path.name.split(".")[0]
    where = f"section {name!r}"
    if not items:
        msg = f"{path} holds no polygon or point ({'; '.join(notes) or 'it is empty'}). Export objects from QuPath."
        raise DataError(msg)
    image = image or (about.get("slide") or ("none" if about else None))
    if image is None:
        msg = f"{where}: GeoJSON does not say which image it was drawn on. Give image=<path>, or image=none."
        raise SlideError(msg)
    slide = None if image == "none" else open_image(image, where=where)
    mpp = mpp or about.get("mpp") or (slide.mpp if slide is not None else None)
    obs = _observations(items, notes)
    table = AnnData(obs=obs)
    table.obsm[keys.SPATIAL] = np.array([a.centre for a in items], dtype=np.float64)
    table.uns[keys.UNS] = {"notes": notes, "donor_stated": donor is not None or "donor" in about}
    return Section(
        table,
        slide,
        check_mpp(mpp, where=where, remedy="Give mpp=<um per px of the image>."),
        name,
        donor=donor or about.get("donor") or name,
        platform="geojson",
        species=species or about.get("species"),
        spot_um=about.get("spot_um"),
        pitch_um=about.get("pitch_um"),
        origin=Origin("", "", {}, content_digest([path])),
    )


def _observations(items: Sequence[Annotation], notes: list[str]) -> pd.DataFrame:
    names = [a.name for a in items]
    if None in names or len(set(names)) < len(names):
        names = [f"object-{i + 1}" for i in range(len(items))]
        notes.append("objects have no names of their own, or share them, and are numbered")
    obs = pd.DataFrame(index=pd.Index(names, dtype=object))
    obs["annotation"] = pd.Categorical([a.label for a in items])
    measured = list(dict.fromkeys(m for a in items for m in a.measurements))
    return obs.assign(**{m: [a.measurements.get(m, np.nan) for a in items] for m in measured if m not in obs})


def _refuse_apart(section: Section, items: Sequence[Annotation], what: str, scale: float) -> None:
    corners = np.array([a.region.bounds for a in items if a.region is not None])
    left, top = corners[:, :2].min(0)
    right, bottom = corners[:, 2:].max(0)
    x, y = (section.xy / scale).T
    msg = (
        f"section {section.name!r}: none of {section.n_obs} observations (x {x.min():.0f} to {x.max():.0f}, y "
        f"{y.min():.0f} to {y.max():.0f}) lies in the {what} (x {left:.0f} to {right:.0f}, y {top:.0f} to "
        f"{bottom:.0f}). Use annotations of the same image, or give scale=<section px per annotated px>."
    )
    raise CoordinateError(msg)
