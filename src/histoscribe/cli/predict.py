"""`histoscribe predict`: expression, or cell composition, on a slide that was never measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoscribe.cli._parse import Weights

if TYPE_CHECKING:
    from histoscribe.core.section import Section


def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle that `histoscribe fit` wrote.")],
    slide: Annotated[str, typer.Argument(help="Slide: PATH or PATH?mpp=0.5 (um/px), or a section specification.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="AnnData file (.h5ad) to write.")],
    at: Annotated[
        str | None,
        typer.Option(help="Predict at this section's positions instead of on a grid; its counts are not used."),
    ] = None,
    step_um: Annotated[float | None, typer.Option(help="Distance of grid points, um; default the tile side.")] = None,
    tissue_filters: Annotated[
        str, typer.Option(help="Drop more than glass under the grid, e.g. 'pen,grey'; default none.")
    ] = "",
    rescale: Annotated[bool, typer.Option("--rescale", help="Allow a slide coarser than the training slides.")] = False,
    species: Annotated[str | None, typer.Option(help="Species of the slide, e.g. human.")] = None,
    weights: Weights = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Predict genes or cell types on a slide, with intervals, trust flags and an out-of-distribution score."""
    from histoscribe.cli._parse import tissue_filters as filters_of
    from histoscribe.core.files import atomic_path
    from histoscribe.io import read_spec
    from histoscribe.methods.apply import predict as run

    filters = filters_of(tissue_filters)
    section = read_spec(slide)
    if at is not None:
        section = _places(read_spec(at), section)
    result = run(section, bundle, step_um=step_um, tissue_filters=filters, rescale=rescale, species=species)
    with atomic_path(out) as temporary:
        result.write_h5ad(temporary)
    ours = result.uns["histoscribe"]
    what = "cell types" if "composition" in result.obsm else "genes"
    summary = {
        key: ours[key]
        for key in (
            "unit",
            "method",
            "encoder",
            "mpp",
            "scale",
            "level",
            "calibration_unit",
            "n_units",
            "ood_slide",
            "ood_warn_above",
            "synthetic",
        )
    }
    summary |= {
        "out": str(out),
        "n_obs": result.n_obs,
        what.replace(" ", "_"): result.n_vars,
        "trusted": int(result.var["trusted"].sum()),
    }
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {result.n_obs} places x {result.n_vars} {what}, {ours['unit']}")
    if ours["synthetic"]:
        typer.echo("SYNTHETIC: the bundle was trained on generated sections.")
    typer.echo(f"scale: {ours['scale']}")
    uncalibrated = ours["calibration_unit"] == "none"
    if uncalibrated:
        typer.echo("the bundle is not calibrated: no interval is given, and nothing is called trusted.")
    else:
        held_out = f"{ours['n_units']} {ours['calibration_unit']}(s)"
        typer.echo(f"{summary['trusted']} {what} are trusted (held out: {held_out})")
    if ours["ood_slide"] > ours["ood_warn_above"]:
        typer.echo(f"WARNING: {ours['ood_slide']:.0f} % of the tiles are unlike the training tiles (5 % is ordinary).")
    if not uncalibrated and ours["calibration_unit"] != "donor":
        typer.echo("note: the bundle saw one donor only, so neither flags nor intervals speak for a new donor.")


def _places(at: Section, section: Section) -> Section:
    """Put the positions of `at`, and nothing else of it, on the slide of `section`."""
    from histoscribe.core.errors import CoordinateError

    if at.slide is not None and section.slide is not None and at.slide.size != section.slide.size:
        msg = (
            f"the positions of {at.name!r} are in pixels of a {at.slide.size} px image, but the slide has "
            f"{section.slide.size} px. Give the positions of this very image."
        )
        raise CoordinateError(msg)
    return at.blind().replace(slide=section.slide, mpp=section.mpp)
