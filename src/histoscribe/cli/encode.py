"""`histoscribe encode`: tiles to features, cached; what was encoded before is not computed again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli._parse import Weights

if TYPE_CHECKING:
    from histoscribe.core.section import Section


def encode(
    sections: Annotated[
        list[str] | None,
        typer.Argument(help="Sections or slides: [READER:]PATH[?key=value&...], a .toml, or folders of slides."),
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder; '+' concatenates.")] = "efficientnet-lite0+colour",
    size_um: Annotated[str, typer.Option(help="Tile sides in um, comma-separated; several give context.")] = "112",
    step_um: Annotated[
        float | None, typer.Option(help="Grid step in um where a slide has no observations; default the smallest side.")
    ] = None,
    tissue_filters: Annotated[
        str, typer.Option(help="Drop more than glass where a slide has no observations, e.g. 'pen,grey'; default none.")
    ] = "",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; default OMP_NUM_THREADS, else the free cores, at most 8.")
    ] = None,
    weights: Weights = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File (.h5ad) for one section, or folder for one file each; default: none."),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", help="CSV table of slides: path and, if you like, mpp, name, donor.")
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Look in the folders below a folder of slides, too.")
    ] = False,
    match: Annotated[str, typer.Option(help="Which files of a folder are taken, e.g. '*.svs'.")] = "*",
    mpp: Annotated[
        float | None, typer.Option(min=0.01, help="um per pixel of a folder's slides whose files do not state it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for many slides.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers encode many slides.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Encode finished slides of a folder again.")] = False,
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error", help="Begin no slide of a folder after one that failed.")
    ] = False,
    lock_age: Annotated[
        float, typer.Option(min=1, help="Minutes without a sign of life after which another host's lock is taken over.")
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Encode the tiles of sections into the cache, from where `fit` and `predict` take them.

    Sections that are given together are read at one common resolution, that of the coarsest, as `fit` does.
    A run that was stopped goes on where it was when the same command is given again.
    The slides of a folder or a list are encoded one by one into OUT, with a report; one that fails stops no other.
    """
    from histoscribe.cli._encode_many import is_folder_of_slides

    if listed is not None or any(is_folder_of_slides(text) for text in sections or ()):
        from histoscribe.cli._encode_many import default_threads_each, make_jobs, run_jobs
        from histoscribe.cli._parse import sizes
        from histoscribe.cli._parse import tissue_filters as filters_of
        from histoscribe.encoders import make_encoder
        from histoscribe.encoders.batch import Executor, Settings

        make_encoder(encoder)  # a mistyped name or absent weights are one error, and not one a slide
        settings = Settings(
            encoder=encoder,
            sides_um=tuple(sizes(size_um)),
            step_um=step_um,
            tissue_filters=filters_of(tissue_filters),
            threads=threads or (None if scheduler else default_threads_each(workers)),
            weights=os.environ.get("HISTOSCRIBE_WEIGHTS", "") if scheduler else "",
            overwrite=overwrite,
            lock_age_s=60 * lock_age,
        )
        jobs = make_jobs(sections or [], listed, settings, out, mpp=mpp, nested=nested, match=match)
        executor = Executor(workers=workers, scheduler=scheduler)
        run_jobs(jobs, out, executor, stop_on_error=stop_on_error, show=None, as_json=as_json)
        return
    grid = {"step_um": step_um, "tissue_filters": tissue_filters}
    _encode_together(sections or [], encoder, size_um, **grid, threads=threads, out=out, as_json=as_json)


def _encode_together(
    sections: list[str],
    encoder: str,
    size_um: str,
    *,
    step_um: float | None,
    tissue_filters: str,
    threads: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Encode sections at one common resolution."""
    from histoscribe.cli._parse import sizes
    from histoscribe.cli._parse import tissue_filters as filters_of
    from histoscribe.core.errors import DataError
    from histoscribe.encoders import make_encoder
    from histoscribe.io import read_specs, write
    from histoscribe.methods.train import prepare

    if not sections:
        msg = "there is nothing to encode. Give sections, slides, a folder of slides, or a --list."
        raise DataError(msg)
    sides, filters = sizes(size_um), filters_of(tissue_filters)
    tile_px = make_encoder(encoder).tile_px
    loaded = read_specs(sections)
    targets = _targets(loaded, out)
    start = time.perf_counter()
    encoded = prepare(
        loaded, encoder, size_um=sides, tile_px=tile_px, step_um=step_um, tissue_filters=filters, threads=threads
    )
    seconds = time.perf_counter() - start
    for section, target in zip(encoded, targets, strict=True):
        if target is not None:
            # Tiles and roles are in the file: what is read from it goes on from here.
            write(section, target, "h5ad", overwrite=True)
    summaries = [_summary(section, encoder, target) for section, target in zip(encoded, targets, strict=True)]
    if as_json:
        typer.echo(json.dumps({"encoder": encoder, "seconds": round(seconds, 3), "sections": summaries}))
        return
    for summary in summaries:
        wrote = f" -> {summary['out']}" if summary["out"] else ""
        typer.echo(f"{summary['section']}: {summary['n_obs']} tiles x {summary['dim']} features{wrote}")
    n_tiles = sum(summary["n_obs"] for summary in summaries) * len(sides)
    typer.echo(f"{encoder}: {n_tiles} tiles of {size_um} um in {seconds:.1f} s, cached ones included")


def _targets(sections: list[Section], out: Path | None) -> list[Path | None]:
    """Say which file each section's features go to, before any work is done."""
    from histoscribe.core.errors import DataError

    if out is None:
        return [None] * len(sections)
    if out.suffix == ".h5ad":
        if len(sections) > 1:
            msg = f"--out {out} is one file, but there are {len(sections)} sections. Give a folder instead."
            raise DataError(msg)
        return [out]
    return [out / f"{section.name.replace('/', '_')}.h5ad" for section in sections]


def _summary(section: Section, encoder: str, target: Path | None) -> dict[str, Any]:
    from histoscribe.core.features import Features

    spec = Features.of(section.table, encoder, name=section.name).spec
    return {
        "section": section.name,
        "donor": section.donor,
        "mpp": section.mpp,
        "n_obs": section.n_obs,
        "dim": spec.dim,
        "blocks": {name: list(span) for name, span in spec.blocks.items()},
        "fingerprint": spec.fingerprint,
        "read_mpp": spec.geometry["read_mpp"],
        "out": None if target is None else str(target),
    }
