"""Open an item: from a specification to what is shown of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.spacing import spacing_um
from histoscribe.core.target import Target
from histoscribe.core.units import check_mpp
from histoscribe.io import parse_spec, read
from histoscribe.slide import open_slide
from histoscribe.studio.items._imputed import on_its_section
from histoscribe.studio.items._opened import Opened, categories_of, composition_of
from histoscribe.studio.items._watch import Watched
from histoscribe.studio.pixels._tiles import SlideTiles
from histoscribe.studio.values._columns import CountColumns, DenseColumns, GivenColumns
from histoscribe.studio.values._trust import trust_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.core.pixels import PixelSource
    from histoscribe.slide._cache import TileCache

__all__ = ["open_prediction", "open_section", "open_slide_item"]

#: Observations as wide as this share of their distance are bins of a grid, not spots on glass.
_TOUCHING = 0.9


def open_slide_item(spec: str, cache: TileCache) -> Opened:
    """Open a slide alone; its um/px may be unknown."""
    _, path, options = parse_spec(spec)
    slide = open_slide(path)
    given = options.get("mpp")
    mpp = check_mpp(float(given), where=f"slide {Path(path).name}") if given else slide.mpp
    name = options.get("name") or Path(path).name.split(".")[0]
    return Opened(
        name=name,
        donor=options.get("donor"),
        tiles=_tiles(slide, cache),
        size=slide.size,
        slide=slide.path.resolve(),
        mpp=mpp,
        xy=np.zeros((0, 2), dtype="<f4"),
        names=pd.Index([]),
        notes=[] if mpp else ["um/px unknown: give ?mpp=<um per px> for a scale bar and for predictions"],
        watched=[Watched.of(slide.path)],
    )


def open_section(spec: str, cache: TileCache) -> Opened:
    """Open a measured section; its counts are held by gene, and nowhere else."""
    reader, path, options = parse_spec(spec)
    section = read(reader, path, **options)
    table = section.table
    own: CountColumns | GivenColumns | None = None
    genes = [str(g) for g in table.var_names]
    if section.measured:
        own = CountColumns(sp.csc_matrix(table.layers[keys.COUNTS]), section.depth, Target())
        # What matching needs of the counts is that they exist.
        table.layers[keys.COUNTS] = sp.csr_matrix(table.shape, dtype=np.int32)
        table.X = None
    elif genes and table.X is not None:
        own = GivenColumns(table.X)
        table.X = None
    else:
        genes = []
    spot_px, pitch_px, shape = _sizes(section.xy_um, section.spot_um, section.pitch_um, section.mpp)
    slide = section.slide
    return Opened(
        name=section.name,
        donor=section.donor,
        tiles=None if slide is None else _tiles(slide, cache),
        size=_extent(section.xy, slide),
        slide=None if slide is None else slide.path.resolve(),
        mpp=section.mpp,
        xy=np.ascontiguousarray(section.xy, dtype="<f4"),
        names=table.obs_names,
        shape=shape,
        spot_px=spot_px,
        pitch_px=pitch_px,
        genes=genes,
        means=np.zeros(0) if own is None else own.means(),
        own=own,
        target=Target() if section.measured else None,
        unit=Target().unit if section.measured else "values as given",
        subject=section.name,
        categories=categories_of(table),
        composition=composition_of(table),
        notes=[str(n) for n in dict(table.uns.get(keys.UNS, {})).get("notes", [])],
        section=section,
        watched=_watched(Path(path), slide),
    )


def open_prediction(spec: str, cache: TileCache, *, roots: Sequence[Path] = ()) -> Opened:
    """Open what `histoscribe predict` wrote, on the slide that ``?slide=`` gives or that it names below `roots`."""
    from histoscribe.bench._inputs import load_prediction
    from histoscribe.bench._match import ours, target_of

    _, path, options = parse_spec(spec)
    table = on_its_section(load_prediction(Path(path)), options)
    about = ours(table)
    mpp = check_mpp(about.get("mpp"), where=f"prediction {Path(path).name}")
    given, named = options.get("slide"), str(about.get("slide", ""))
    slide = open_slide(given) if given else _named_slide(named, near=Path(path), roots=roots)
    xy = np.asarray(table.obsm[keys.SPATIAL], dtype=np.float64)
    spot_px, pitch_px, shape = _sizes(xy * mpp, _positive(about, "spot_um"), _positive(about, "step_um"), mpp)
    own, width, unit = DenseColumns(table.X), None, str(about["unit"])
    if keys.LOWER in table.layers and keys.UPPER in table.layers:
        width = DenseColumns(np.asarray(table.layers[keys.UPPER]) - np.asarray(table.layers[keys.LOWER]))
    level = _positive(about, "level")
    opened = Opened(
        name=options.get("name") or Path(path).name.split(".")[0],
        donor=str(about.get("donor", "")) or None,
        tiles=None if slide is None else _tiles(slide, cache),
        size=_extent(xy, slide),
        slide=None if slide is None else slide.path.resolve(),
        mpp=mpp,
        xy=np.ascontiguousarray(xy, dtype="<f4"),
        names=table.obs_names,
        shape=shape,
        spot_px=spot_px,
        pitch_px=pitch_px,
        genes=[str(g) for g in table.var_names],
        means=own.means(),
        own=own,
        width=width,
        target=target_of(table),
        unit=unit,
        width_unit=f"width of the {100 * level:.0f} % interval, {unit}" if level else f"width of the interval, {unit}",
        subject=str(about.get("section", "")),
        trust=trust_of(table),
        categories=categories_of(table),
        composition=composition_of(table),
        notes=[*_slide_note(named, slide), *_notes(about)],
        watched=_watched(Path(path), slide),
    )
    opened.prediction = _light(table)
    return opened


def _light(table: AnnData) -> AnnData:
    """Return a prediction's names, places and facts without its matrices."""
    from anndata import AnnData

    return AnnData(obs=table.obs, var=table.var, obsm={keys.SPATIAL: table.obsm[keys.SPATIAL]}, uns=dict(table.uns))


def _tiles(slide: PixelSource, cache: TileCache) -> SlideTiles:
    return SlideTiles(slide, cache)  # type: ignore[arg-type]


def _named_slide(text: str, *, near: Path, roots: Sequence[Path]) -> PixelSource | None:
    """Open the slide that a prediction names: there, or beside the prediction where both were moved.

    Only below `roots`: whoever sends a prediction must not choose which files of this machine are shown.
    """
    if not text:
        return None
    places = (place.resolve() for place in (Path(text), near.parent / Path(text).name))
    found = next((p for p in places if any(p.is_relative_to(root) for root in roots) and p.exists()), None)
    return None if found is None else open_slide(found)


def _slide_note(named: str, slide: PixelSource | None) -> list[str]:
    if slide is not None:
        return []
    if not named:
        return ["the prediction names no slide; give one: histoscribe studio PREDICTION?slide=SLIDE"]
    name = Path(named).name
    return [f"its slide {name} was not given, so it is not read; start with it: histoscribe studio PREDICTION {name}"]


def _extent(xy: np.ndarray, slide: PixelSource | None) -> tuple[int, int]:
    if slide is not None:
        return slide.size
    w, h = np.ceil(xy.max(0)).astype(int) + 1 if len(xy) else (1, 1)
    return max(1, int(w)), max(1, int(h))


def _sizes(
    xy_um: np.ndarray, spot_um: float | None, pitch_um: float | None, mpp: float
) -> tuple[float, float | None, Literal["circle", "square"]]:
    """Return diameter or edge and pitch in px, and the shape."""
    step = pitch_um or (spacing_um(xy_um) if len(xy_um) > 1 else None)
    size = spot_um or step or 10.0
    circle = bool(spot_um and (step is None or spot_um < _TOUCHING * step))
    return size / mpp, None if step is None else step / mpp, "circle" if circle else "square"


def _positive(about: dict[str, Any], key: str) -> float | None:
    value = about.get(key)
    return float(value) if value is not None and float(value) > 0 else None


def _notes(about: dict[str, Any]) -> list[str]:
    method = about.get("method", "unknown method")
    if "regime" in about:
        notes = [f"imputed by {method} from {', '.join(map(str, about['labelled']))}; it looked at: {about['regime']}"]
    else:
        notes = [f"{method} on {about.get('encoder', 'no encoder')}"]
    notes += [str(about["scale"])] if about.get("scale") else []
    if about.get("synthetic"):
        notes.append("SYNTHETIC: the model was trained on generated sections")
    if about.get("calibration_unit") not in {None, "donor"}:
        notes.append(f"calibrated over {about['calibration_unit']}s: flags and intervals do not speak for a new donor")
    ood, limit = _positive(about, "ood_slide"), _positive(about, "ood_warn_above")
    if ood and limit and ood > limit:
        notes.append(f"{ood:.0f} % of the tiles are unlike the training tiles (5 % is ordinary)")
    return notes


def _watched(path: Path, slide: PixelSource | None) -> list[Watched]:
    found = [path] if path.is_file() else []
    found += [slide.path] if slide is not None and slide.path.exists() else []
    return [Watched.of(p) for p in found]
