"""Where the files of one HEST sample are: in the tree of the hub, or in a folder that one HESTData object saved."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean
from histoscribe.io._files import first_existing, open_text, reading

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HestSample", "find_sample", "is_saved_object", "is_tree", "samples_of"]

#: Kind of file -> its place in the tree of the hub, and its name in the folder of one object; first match wins.
_PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "table": (("st/{id}.h5ad",), ("aligned_adata.h5ad",)),
    "slide": (("wsis/{id}.tif", "wsis/{id}.tiff", "wsis/{id}.*"), ("aligned_fullres_HE.*",)),
    "thumbnail": (("thumbnails/{id}_downscaled_fullres.*",), ("downscaled_fullres.*",)),
    "metadata": (("metadata/{id}.json",), ("metrics.json",)),
    "patches": (("patches/{id}.h5",), ("patches.h5", "patches/*.h5")),
    "tissue": (("tissue_seg/{id}_contours.geojson",), ("tissue_contours.geojson",)),
    "nuclei": (("cellvit_seg/{id}_cellvit_seg.parquet", "cellvit_seg/{id}_cellvit_seg.geojson*"), ()),
    "xenium-cells": (
        ("xenium_seg/{id}_xenium_cell_seg.parquet", "xenium_seg/{id}_xenium_cell_seg.geojson*"),
        ("he_cell_seg.parquet", "he_cell_seg.geojson*"),
    ),
    "xenium-nuclei": (
        ("xenium_seg/{id}_xenium_nucleus_seg.parquet", "xenium_seg/{id}_xenium_nucleus_seg.geojson*"),
        ("he_nucleus_seg.parquet", "he_nucleus_seg.geojson*"),
    ),
    "transcripts": (("transcripts/{id}_transcripts.parquet",), ("aligned_transcripts.parquet",)),
}


@dataclass(frozen=True)
class HestSample:
    """One sample's files.

    Attributes
    ----------
    root
        The tree, or the object's folder.
    id
        Sample id (of an object without one, the folder's name).
    files
        Kind (``"table"``, ``"slide"``, ``"nuclei"``, ...) to path, for the files that exist.
    metadata
        The sample's row: keys of the metadata table; NaN and blank entries are left out.
    sources
        Files that the metadata come from.
    """

    root: Path
    id: str
    files: dict[str, Path]
    metadata: dict[str, Any]
    sources: list[Path] = field(default_factory=list)

    def file(self, kind: str) -> Path:
        """Return the path of one kind of file.

        Raises
        ------
        DataError
            If it is not there, with the name that it should have.
        """
        if kind not in _PLACES:
            msg = f"there is no kind of HEST file called {kind!r}. {did_you_mean(kind, list(_PLACES))}"
            raise DataError(msg)
        if kind not in self.files:
            names = _PLACES[kind][1 if is_saved_object(self.root) else 0]
            wanted = " or ".join(name.format(id=self.id) for name in names) or "no such file"
            msg = (
                f"HEST sample {self.id!r} in {self.root} has no {kind} ({wanted}). Download the files of this sample "
                "whose names begin with its id; the hub keeps one folder for each kind."
            )
            raise DataError(msg)
        return self.files[kind]


def is_saved_object(path: Path) -> bool:
    """Say whether `path` is a folder that one HESTData object was saved to."""
    return (path / "aligned_adata.h5ad").is_file()


def is_tree(path: Path) -> bool:
    """Say whether `path` is a tree of the hub: ``st/<id>.h5ad`` beside at least one other folder of its kind."""
    others = {names[0].partition("/")[0] for names, _ in _PLACES.values()} - {"st"}
    return any((path / "st").glob("*.h5ad")) and any((path / name).is_dir() for name in others)


def samples_of(root: Path) -> list[str]:
    """Return the ids of a tree's samples, sorted."""
    return sorted(p.stem for p in (root / "st").glob("*.h5ad"))


def find_sample(path: Path, sample: str | None) -> HestSample:
    """Find one sample's files.

    Parameters
    ----------
    path
        A tree, one ``st/<id>.h5ad`` of it, or the folder of one HESTData object.
    sample
        Id; may be None where there is only one.

    Raises
    ------
    DataError
        If `path` is neither, or the sample is not there; the ids that are there are listed.
    """
    if not path.exists():
        msg = f"HEST folder {path} does not exist. Check the path."
        raise DataError(msg)
    if path.is_file() and path.suffix == ".h5ad" and path.parent.name == "st":
        path, sample = path.parent.parent, sample or path.stem
    if is_saved_object(path):
        return _saved_object(path, sample)
    ids = samples_of(path) if path.is_dir() else []
    if not ids:
        msg = (
            f"{path} holds no HEST sample: neither st/<id>.h5ad nor aligned_adata.h5ad. Give the folder into which "
            "the data set was downloaded."
        )
        raise DataError(msg)
    if sample is None and len(ids) > 1:
        shown = ", ".join(ids[:12]) + (f" and {len(ids) - 12} more" if len(ids) > 12 else "")
        msg = f"{path} holds {len(ids)} HEST samples ({shown}). Choose one: sample={ids[0]}."
        raise DataError(msg)
    sample = sample or ids[0]
    if sample not in ids:
        msg = f"{path} holds no HEST sample {sample!r} (st/{sample}.h5ad). {did_you_mean(sample, ids)}"
        raise DataError(msg)
    files = _existing(path, 0, sample)
    metadata, sources = _metadata(path, sample, files)
    return HestSample(path, sample, files, metadata, sources)


def _saved_object(path: Path, sample: str | None) -> HestSample:
    files = _existing(path, 1, "")
    metadata = _load(files["metadata"]) if "metadata" in files else {}
    own = str(metadata.get("id") or path.resolve().name)
    if sample is not None and sample != own:
        msg = f"{path} is the folder of one HEST object, {own!r}, not {sample!r}. Leave sample= out."
        raise DataError(msg)
    return HestSample(path, own, files, metadata, [files["metadata"]] if metadata else [])


def _existing(root: Path, layout: int, sample: str) -> dict[str, Path]:
    found = {
        kind: first_existing(root, [n.format(id=sample) for n in names[layout]]) for kind, names in _PLACES.items()
    }
    return {kind: path for kind, path in found.items() if path is not None}


def _metadata(root: Path, sample: str, files: dict[str, Path]) -> tuple[dict[str, Any], list[Path]]:
    """Read the sample's JSON, else its row of the newest metadata table at the root."""
    if "metadata" in files:
        return _load(files["metadata"]), [files["metadata"]]
    for path in sorted(root.glob("HEST_v*.csv"), reverse=True):
        # open_text drops the byte-order mark with which the published tables begin.
        with open_text(path, what="HEST metadata table") as handle:
            table = pd.read_csv(handle, dtype=object)
        if "id" in table and (row := table[table["id"] == sample]).shape[0]:
            return _stated(row.iloc[0].to_dict()), [path]
    return {}, []


def _load(path: Path) -> dict[str, Any]:
    with reading(path, what="HEST metadata"):
        try:
            value = json.loads(path.read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError as err:
            msg = f"HEST metadata {path} is not valid JSON ({err}). Download it again."
            raise DataError(msg) from err
    if not isinstance(value, dict):
        msg = f"HEST metadata {path} is not a JSON object. Download it again."
        raise DataError(msg)
    return _stated(value)


def _stated(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: None, NaN and blanks."""
    blank = {"", "nan", "none", "null"}
    return {k: v for k, v in row.items() if v is not None and str(v).strip().lower() not in blank}
