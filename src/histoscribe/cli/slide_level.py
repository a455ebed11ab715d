"""`histoscribe slide-level`: bulk expression of whole slides from the features of their tiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from histoscribe.cli._slide_level_pretrain import embed, pretrain
from histoscribe.cli._slides import (
    About,
    AsJson,
    Encoder,
    Expression,
    Features,
    MaxTiles,
    Param,
    Seed,
    Slides,
    Unit,
    slide_bags,
    slide_pairs,
)

__all__ = ["slide_level"]

slide_level = typer.Typer(
    no_args_is_help=True, help="Bulk expression of whole slides from the features of their tiles."
)


@slide_level.command()
def fit(
    features: Features,
    expression: Expression,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model to write.")],
    method: Annotated[str, typer.Option(help="Slide-level regressor.")] = "cluster-ridge",
    unit: Unit = None,
    encoder: Encoder = None,
    max_tiles: MaxTiles = None,
    slides: Slides = None,
    about: About = None,
    param: Param = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn from slides of known bulk expression, all genes at once; write one file."""
    from histoscribe import methods
    from histoscribe.cli._parse import parameters

    model = methods.slide_level(method, **parameters(param or []))
    bags, profiles, left_out = slide_pairs(
        features, expression, unit=unit, slides=slides, about=about, encoder=encoder, max_tiles=max_tiles, seed=seed
    )
    model.fit(bags, profiles, seed=seed).save(out)
    summary = {"out": str(out), "method": method, "slides": len(bags), "donors": len({b.donor for b in bags})}
    summary |= {"sites": len({b.site for b in bags if b.site}), "genes": len(model.genes_), "unit": model.unit_}
    summary |= {"slides_without_profile": left_out}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(
        f"wrote {out}: {method} on {len(bags)} slides of {summary['donors']} donors, {len(model.genes_)} genes in "
        f"{model.unit_}"
    )
    if left_out:
        typer.echo(f"note: {len(left_out)} slides have no profile and were left out, the first {left_out[0]}")
    typer.echo("how far to trust it on other donors: histoscribe slide-level evaluate, with --apart site")


@slide_level.command()
def predict(
    model: Annotated[Path, typer.Argument(help="What `histoscribe slide-level fit` wrote.")],
    features: Features,
    out: Annotated[Path, typer.Option("--out", "-o", help="AnnData to write, slides x genes.")],
    maps: Annotated[Path | None, typer.Option(help="Folder for a map of each slide, tiles x genes.")] = None,
    genes: Annotated[str | None, typer.Option(help="Genes to map, comma-separated; default all.")] = None,
    encoder: Encoder = None,
    slides: Slides = None,
    about: About = None,
    as_json: AsJson = False,
) -> None:
    """Predict the profile of each slide, and map it where asked."""
    from histoscribe.core.files import atomic_path
    from histoscribe.core.progress import progress
    from histoscribe.methods._slide_level import load_slide_regressor

    fitted = load_slide_regressor(model)
    bags = slide_bags(features, slides, about=about, encoder=encoder)
    table = fitted.predict(bags)
    with atomic_path(out) as temporary:
        table.write_h5ad(temporary)
    wanted = None if genes is None else [g.strip() for g in genes.split(",") if g.strip()]
    if maps is not None:
        with progress("map", len(bags), unit="slides") as advance:
            for bag in bags:
                with atomic_path(maps / f"{bag.name}.h5ad") as temporary:
                    fitted.predict_tiles(bag, genes=wanted).write_h5ad(temporary)
                advance(1)
    summary = {"out": str(out), "slides": len(bags), "genes": table.n_vars, "unit": fitted.unit_}
    summary |= {"maps": None if maps is None else str(maps)}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {len(bags)} slides x {table.n_vars} genes in {fitted.unit_}")
    if maps is not None:
        typer.echo(f"wrote {len(bags)} maps below {maps}: the model's account of single tiles, which bulk cannot check")


@slide_level.command()
def evaluate(
    features: Features,
    expression: Expression,
    method: Annotated[list[str] | None, typer.Option(help="Slide-level regressor; repeatable.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    apart: Annotated[str, typer.Option(help="What folds keep apart: donor, or site (which implies donor).")] = "donor",
    genes_out: Annotated[Path | None, typer.Option(help="Table to write: each gene's correlation, by method.")] = None,
    unit: Unit = None,
    encoder: Encoder = None,
    max_tiles: MaxTiles = None,
    slides: Slides = None,
    about: About = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Cross-validate methods beside the controls on your own slides."""
    from histoscribe.bench.slide_evaluate import cross_validate_slides
    from histoscribe.core.errors import DataError
    from histoscribe.core.files import atomic_path

    if apart not in ("donor", "site"):
        msg = f"--apart {apart!r} is nothing that folds can keep apart. Give donor or site."
        raise DataError(msg)
    bags, profiles, _ = slide_pairs(
        features, expression, unit=unit, slides=slides, about=about, encoder=encoder, max_tiles=max_tiles, seed=seed
    )
    chosen = {name: {} for name in method or ["cluster-ridge"]}
    summary, per_gene = cross_validate_slides(bags, profiles, chosen, folds=folds, apart=apart, seed=seed)
    if genes_out is not None:
        with atomic_path(genes_out) as temporary:
            per_gene.to_csv(temporary, sep="\t")
    if as_json:
        typer.echo(json.dumps(json.loads(summary.to_json(orient="index")), ensure_ascii=False))
        return
    typer.echo(
        f"{len(bags)} slides, {profiles.n_vars} genes, {folds} folds by {apart}, seed {seed}; mean (sd) over folds"
    )
    for name, row in summary.iterrows():
        note = " (control)" if row["control"] else ""
        typer.echo(
            f"  pcc_sample {row['pcc_sample']:.3f} ({row['pcc_sample_sd']:.3f}), genes >= 0.4: {row['genes_04']:.0f}, "
            f"pcc_profile {row['pcc_profile']:.3f}  {name}{note}"
        )


slide_level.command()(pretrain)
slide_level.command()(embed)
