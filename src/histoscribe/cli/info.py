"""`histoscribe info`: what a section, slide, bundle or prediction file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from histoscribe.core.section import Section


def info(
    things: Annotated[
        list[str], typer.Argument(help="Sections ([READER:]PATH[?key=value&...]), slides, bundles or predictions.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Say what a file or folder is: numbers, um/px, size in px and mm, genes, donor."""
    found = [record for thing in things for record in _describe(thing)]
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for record in found:
        typer.echo(f"{record.pop('kind')} {record.pop('name')}")
        for key, value in record.items():
            if value is None:
                continue
            for line in value if isinstance(value, list) else [value]:
                typer.echo(f"  {key.replace('_', ' ')}: {line}")


def _describe(thing: str) -> list[dict[str, Any]]:
    from histoscribe.io import read_specs

    path = Path(thing.partition("?")[0].removeprefix("h5ad:"))
    if path.is_file():
        if path.suffix == ".h5ad" and (prediction := _prediction(path)) is not None:
            return [prediction]
        if _is_safetensors(path):
            return [_bundle(path)]
    # A description is no use of the coordinates: what lies outside is reported, not refused.
    return [_section(section) for section in read_specs([thing], outside="keep")]


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as handle:
        head = handle.read(9)  # eight bytes of length, then JSON
    return head[8:9] == b"{"


def _bundle(path: Path) -> dict[str, Any]:
    from histoscribe.methods.bundle import Bundle

    bundle = Bundle.load(path)
    calibration, provenance = bundle.calibration, bundle.provenance
    training = provenance.get("training", [])
    spec = bundle.predictor.spec_
    what = f"{bundle.predictor.target_.axis}s"
    return {
        "kind": "bundle",
        "name": str(path),
        "digest": bundle.digest(),
        "method": bundle.predictor.card.name,
        "encoder": spec.encoder if spec is not None else None,
        "tile_sides_um": list(spec.geometry["sides_um"]) if spec is not None else None,
        "unit": bundle.predictor.target_.unit,
        what: len(bundle.genes),
        f"trusted_{what}": int(calibration.trusted.sum()),
        "held_out": f"{calibration.n_units} {calibration.unit}(s)",
        "training_sections": [t["name"] for t in training],
        "donors": sorted({t["donor"] for t in training}),
    }


def _prediction(path: Path) -> dict[str, Any] | None:
    """Describe a prediction file from its metadata alone, or return None where it is none."""
    import h5py

    from histoscribe.core import keys
    from histoscribe.core.errors import DataError

    try:
        with h5py.File(path) as file:
            ours = file.get(f"uns/{keys.UNS}")
            if ours is None or "kind" not in ours or _scalar(ours["kind"]) != "prediction":
                return None
            values = {key: _scalar(node) for key, node in ours.items() if isinstance(node, h5py.Dataset)}
            shape = [len(file[axis][file[axis].attrs["_index"]]) for axis in ("obs", "var")]
            trusted = file["var/trusted"][:].sum() if "var/trusted" in file else None
            what = "cell_types" if f"obsm/{keys.COMPOSITION}" in file else "genes"
    except OSError as err:
        msg = f"{path} cannot be read ({err}). It is truncated or no HDF5 file; copy or write it again."
        raise DataError(msg) from err
    shown = ("unit", "method", "encoder", "section", "slide", "mpp", "bundle", "level", "calibration_unit", "n_units")
    record = {"kind": "prediction", "name": str(path), "places": shape[0], what: shape[1]}
    record |= {f"trusted_{what}": None if trusted is None else int(trusted)}
    return record | {key: values[key] for key in (*shown, "ood_slide", "synthetic") if key in values}


def _scalar(node: Any) -> Any:
    value = node[()]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if hasattr(value, "item") and value.shape == () else str(value)


def _section(section: Section) -> dict[str, Any]:
    import numpy as np

    from histoscribe.core import keys

    ours = section.table.uns.get(keys.UNS, {})
    record: dict[str, Any] = {
        "kind": "section" if section.n_obs else "slide",
        "name": section.name,
        "donor": section.donor if ours.get("donor_stated", True) else f"{section.donor} (not stated)",
        "platform": section.platform,
        "species": section.species,
        "um_per_px": round(section.mpp, 5),
    }
    if section.slide is not None:
        width, height = section.slide.size
        record["image"] = str(section.slide.path)
        record["image_px"] = f"{width} x {height}"
        record["image_mm"] = f"{width * section.mpp / 1000:.2f} x {height * section.mpp / 1000:.2f}"
    if section.n_obs:
        record |= {"observations": section.n_obs, "genes": section.table.n_vars}
        record |= {"spot_um": section.spot_um, "pitch_um": section.pitch_um}
    if section.n_obs and section.measured:
        record |= {"median_counts": float(np.median(section.depth)), "total_counts": float(section.depth.sum())}
        record["observations_without_counts"] = int((section.depth == 0).sum())
    if section.origin is not None:
        record["reader"], record["digest"] = section.origin.reader, section.origin.digest
    record["notes"] = list(map(str, ours.get("notes", [])))
    return record
