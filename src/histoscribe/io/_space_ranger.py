"""Space Ranger's folders: what Visium and Visium HD share: matrix, positions, scale factors and reduced images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.files import read_json
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, first_existing, read_table, reading

__all__ = [
    "BIN_FOLDER",
    "POSITIONS",
    "ChosenImage",
    "choose_image",
    "cross_check",
    "holds_hd",
    "image_factors",
    "matrix_path",
    "positions_path",
    "read_factors",
    "read_positions",
    "run_name",
]

#: Columns of a positions file, in order; Space Ranger 1 writes no header.
POSITIONS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
#: Folders of Visium HD, one for each size of its bins.
BIN_FOLDER = "square_[0-9][0-9][0-9]um"

_IMAGES = {
    "hires": (["tissue_hires_image.png", "tissue_hires_image.jp*g", "*tissue_hires_image*"], "tissue_hires_scalef"),
    "lowres": (
        ["tissue_lowres_image.png", "tissue_lowres_image.jp*g", "*tissue_lowres_image*"],
        "tissue_lowres_scalef",
    ),
}
#: Space Ranger's fiducial circles are 105 um across; its own files reproduce that to 0.5 %.
_FIDUCIAL_UM = 105.0


@dataclass(frozen=True)
class ChosenImage:
    """An image and px of it per full-resolution px; `note` says what was chosen without being named."""

    path: Path | None
    scale: float
    note: str | None


def holds_hd(path: Path) -> bool:
    """Say whether `path` is (or holds) bins or cells of Visium HD, not spots of Visium."""
    if any((path / part).is_dir() for part in ("binned_outputs", "segmented_outputs", "outs/binned_outputs")):
        return True
    if any(p.is_dir() for p in path.glob(BIN_FOLDER)):
        return True
    factors = path / "spatial" / "scalefactors_json.json"
    # A folder of bins may have been renamed; its scale factors then still say what it is.
    return factors.is_file() and b'"bin_size_um"' in factors.read_bytes()


def run_name(outs: Path) -> str:
    """Name the run that wrote `outs`."""
    outs = outs.resolve()
    return outs.parent.name if outs.name == "outs" else outs.name


def matrix_path(outs: Path, matrix: str) -> Path:
    """Return the matrix of a kind (``"filtered"``, else raw; ``"raw"``), or of a path."""
    if matrix not in ("filtered", "raw"):
        return existing(matrix, what="feature-barcode matrix", remedy="Give matrix=filtered, raw or a path.")
    kinds = ["filtered", "raw"] if matrix == "filtered" else ["raw"]
    patterns = [
        f"{prefix}{kind}_feature_bc_matrix{end}" for kind in kinds for end in (".h5", "") for prefix in ("", "*")
    ]
    found = first_existing(outs, patterns)
    if found is None:
        have = ", ".join(sorted(p.name for p in outs.iterdir())[:8])
        msg = (
            f"{outs} has no {matrix}_feature_bc_matrix.h5 and no such folder (it has {have}). Copy the matrix beside "
            "spatial/, or give matrix=<path>."
        )
        raise DataError(msg)
    return found


def positions_path(outs: Path, where: str) -> Path:
    """Return the positions file of any version of Space Ranger."""
    patterns = [f"tissue_positions{end}" for end in (".csv", ".parquet", "_list.csv", "_list.txt", "*.csv*")]
    path = first_existing(outs / "spatial", patterns)
    if path is None:
        msg = f"{where}: {outs / 'spatial'} has no tissue_positions file. Copy Space Ranger's whole spatial folder."
        raise DataError(msg)
    return path


def read_positions(path: Path) -> pd.DataFrame:
    """Read a positions file whole: a table of numbers, indexed by barcode."""
    if path.suffix == ".parquet":
        with reading(path, what="positions"):
            try:
                table = pd.read_parquet(path)
            except ValueError as err:
                msg = f"positions {path} is not Parquet ({err}). Copy or download it again."
                raise DataError(msg) from err
    else:
        table = read_table(path, what="positions", columns=POSITIONS, header=None)
    lacking = [c for c in POSITIONS if c not in table]
    if lacking:
        msg = f"positions {path} lacks the column(s) {', '.join(lacking)}. Give Space Ranger's own file."
        raise DataError(msg)
    table = table.set_index("barcode")
    check_unique(table.index, what="barcode", where=f"positions {path}")
    numbers = table[list(POSITIONS[1:])].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().to_numpy().any():
        msg = (
            f"positions {path}: {int(numbers.isna().any(axis=1).sum())} rows hold values that are not numbers; it "
            "is truncated or damaged. Copy or download it again."
        )
        raise DataError(msg)
    return numbers


def read_factors(path: Path) -> dict[str, Any]:
    """Read ``scalefactors_json.json`` and refuse scale factors that cannot be ones."""
    path = existing(path, what="scale factors", remedy="Copy Space Ranger's spatial folder.")
    factors = read_json(path)
    if not isinstance(factors, dict):
        msg = f"scale factors {path} is not a JSON object. Copy Space Ranger's own file."
        raise DataError(msg)
    for key in ("tissue_hires_scalef", "tissue_lowres_scalef"):
        value = factors.get(key)
        if value is not None and not (isinstance(value, int | float) and 0 < value <= 1):
            msg = f"scale factors {path}: {key} is {value!r}, not between 0 and 1. Copy Space Ranger's own file."
            raise ScaleError(msg)
    return factors


def image_factors(factors: dict[str, Any]) -> list[float]:
    """List the scale factors of the reduced images: what `check` tries when spots do not lie on tissue."""
    return [float(factors[k]) for _, k in _IMAGES.values() if factors.get(k) is not None]


def choose_image(
    outs: Path,
    image: str | None,
    factors: dict[str, Any],
    scale: float | None,
    *,
    also: Path | None = None,
) -> ChosenImage:
    """Choose the image that a reader's `image` and `scale` mean; reduced ones are looked for in `also`, too."""
    if image == "none":
        return ChosenImage(None, 1.0, None)
    folder = outs / "spatial"
    folders = [folder, *([also / "spatial"] if also is not None else [])]
    own = {
        kind: next((p for f in folders if (p := first_existing(f, patterns)) is not None), None)
        for kind, (patterns, _) in _IMAGES.items()
    }
    if image is not None and image not in _IMAGES:
        given = Path(image)
        same = [k for k, p in own.items() if p is not None and given.exists() and p.samefile(given)]
        if not same:
            return ChosenImage(given, 1.0 if scale is None else scale, None)
        image = same[0]
    kinds = [image] if image else [k for k in _IMAGES if own[k] is not None] or ["hires"]
    kind = kinds[0]
    key = _IMAGES[kind][1]
    path = own[kind] or folder / f"tissue_{kind}_image.png"
    if scale is not None:
        msg = f"scale= belongs to an image of your own; tissue_{kind}_image has its factor in {folder}. Leave it out."
        raise ScaleError(msg)
    if factors.get(key) is None:
        msg = f"{folder} has no {key} in scalefactors_json.json, so {path.name} cannot be used. Give image=<path>."
        raise ScaleError(msg)
    note = None if image else f"no image was named, so the {kind} image is used; give image=<full-resolution image>"
    return ChosenImage(path, float(factors[key]), note)


def cross_check(derived: float, factors: dict[str, Any], where: str) -> None:
    """Compare the derived um/px with the folder's other witnesses of scale."""
    stated = factors.get("microns_per_pixel")
    if stated is None and "bin_size_um" not in factors and factors.get("fiducial_diameter_fullres"):
        stated = _FIDUCIAL_UM / float(factors["fiducial_diameter_fullres"])
    if stated is not None and abs(float(stated) / derived - 1) > 0.05:
        msg = (
            f"{where}: the spot positions say {derived:.4g} um/px, scalefactors_json.json {float(stated):.4g}. "
            "The two belong to different images; copy the spatial folder of one run."
        )
        raise ScaleError(msg)
