"""`histoscribe slide-level pretrain` and `embed`: one vector for each slide, learned without labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from histoscribe.cli._slides import (
    About,
    AsJson,
    Encoder,
    Features,
    MaxTiles,
    Param,
    Seed,
    Slides,
    Unit,
    slide_bags,
    slide_pairs,
)

__all__ = ["embed", "pretrain"]


def pretrain(
    features: Features,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model to write.")],
    expression: Annotated[
        Path | None,
        typer.Option(help="Samples x genes, as `fit` takes it; without it, choose a method that needs none."),
    ] = None,
    method: Annotated[str, typer.Option(help="Pretrainer.")] = "tangle",
    preset: Annotated[str | None, typer.Option(help="One of the method's named sets of parameters.")] = None,
    unit: Unit = None,
    encoder: Encoder = None,
    max_tiles: MaxTiles = None,
    slides: Slides = None,
    about: About = None,
    param: Param = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn to give a slide one vector, from slides and, as the method wants, their bulk expression."""
    from histoscribe import methods
    from histoscribe.cli._parse import parameters
    from histoscribe.core.errors import DataError

    model = methods.pretraining(method, preset=preset, **parameters(param or []))
    options = {"slides": slides, "about": about, "encoder": encoder, "max_tiles": max_tiles, "seed": seed}
    profiles, left_out = None, []
    if not model.uses_expression:
        bags = slide_bags(features, **options)
    elif expression is None:
        msg = f"{method} learns from slides and their expression. Give --expression, or a --method that needs none."
        raise DataError(msg)
    else:
        bags, profiles, left_out = slide_pairs(features, expression, unit=unit, **options)
    model.fit(bags, profiles, seed=seed).save(out)
    summary = {"out": str(out), "method": method, "slides": len(bags), "donors": len({b.donor for b in bags})}
    summary |= {"genes": len(model.genes_), "unit": model.unit_, "slides_without_profile": left_out}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    beside = f", {len(model.genes_)} genes in {model.unit_}" if model.uses_expression else ", no expression"
    typer.echo(f"wrote {out}: {method} on {len(bags)} slides of {summary['donors']} donors{beside}")
    if left_out:
        typer.echo(f"note: {len(left_out)} slides have no profile and were left out, the first {left_out[0]}")


def embed(
    model: Annotated[Path, typer.Argument(help="What `histoscribe slide-level pretrain` wrote.")],
    features: Features,
    out: Annotated[Path, typer.Option("--out", "-o", help="AnnData to write, slides x vector.")],
    encoder: Encoder = None,
    slides: Slides = None,
    about: About = None,
    as_json: AsJson = False,
) -> None:
    """Write the vector of each slide: X, with donor, site and `trained_on` in obs."""
    import pandas as pd
    from anndata import AnnData

    from histoscribe.core import keys
    from histoscribe.core.files import atomic_path
    from histoscribe.methods._pretrain import load_slide_pretrainer

    fitted = load_slide_pretrainer(model)
    bags = slide_bags(features, slides, about=about, encoder=encoder)
    donors = {slide["donor"] for slide in fitted.training_["slides"]}
    columns = {"donor": [b.donor for b in bags], "site": [b.site for b in bags]}
    # A probe on slides of donors that were learned from flatters the vectors.
    columns |= {"trained_on": [b.donor in donors for b in bags], "n_tiles": [len(b.features) for b in bags]}
    table = AnnData(fitted.embed(bags), obs=pd.DataFrame(columns, index=[b.name for b in bags]))
    table.uns[keys.UNS] = {"method": fitted.card.name, "params": json.dumps(fitted.params()), "seed": fitted.seed_}
    table.uns[keys.UNS] |= {"encoder": fitted.encoder_, "genes": fitted.genes_, "unit": fitted.unit_}
    with atomic_path(out) as temporary:
        table.write_h5ad(temporary)
    known = int(table.obs["trained_on"].sum())
    summary = {"out": str(out), "slides": len(bags), "dim": table.n_vars, "trained_on": known}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {len(bags)} slides x {table.n_vars}, {known} of donors that the model learned from")
