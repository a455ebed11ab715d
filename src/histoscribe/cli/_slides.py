"""What the commands of `histoscribe slide-level` take: features of slides, and expression beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.bag import Bag

Features = Annotated[
    Path, typer.Argument(help="Folder of features, one .h5 (TRIDENT, CLAM) or .pt a slide; or one such file.")
]
Expression = Annotated[Path, typer.Argument(help="Samples x genes: UCSC Xena, GCT, .tsv, .csv or .h5ad.")]
Unit = Annotated[str | None, typer.Option(help="Unit of the values, where the file does not say it.")]
Encoder = Annotated[str | None, typer.Option(help="What made the features, where the files do not say it.")]
MaxTiles = Annotated[
    int | None, typer.Option(min=1, help="Read at most this many tiles of a slide, drawn by the seed.")
]
Slides = Annotated[Path | None, typer.Option(help="File with the names of the slides to use, one a line.")]
About = Annotated[Path | None, typer.Option(help="Table: slide, and its donor, site or both; TCGA names say them.")]
Param = Annotated[list[str] | None, typer.Option("--param", "-p", help="Method parameter, name=value (JSON).")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]


def slide_bags(features: Path, slides: Path | None, **options: Any) -> list[Bag]:
    """Read the slides of a folder, or those that a list names; `options` are those of `io.read_bags`."""
    from histoscribe.core.errors import DataError
    from histoscribe.io import read_bags

    if slides is None:
        return read_bags(features, **options)
    from histoscribe.io._files import existing

    text = existing(slides, what="list of slides", remedy="Check the path.").read_text(encoding="utf-8")
    only = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
    bags = read_bags(features, only=only, **options)
    if lacking := set(only) - {b.name for b in bags}:
        msg = (
            f"{len(lacking)} of {len(only)} slides of {slides} have no file in {features}, the first {min(lacking)}. "
            "Names are those of the files, without the ending; correct the list, or encode these slides."
        )
        raise DataError(msg)
    return bags


def slide_pairs(
    features: Path, expression: Path, *, unit: str | None, slides: Path | None, **options: Any
) -> tuple[list[Bag], AnnData, list[str]]:
    """Return the slides that have a profile, their profiles, and the names of slides without one."""
    from histoscribe.io import read_expression_table
    from histoscribe.io.xena import rows_of_slides

    table = read_expression_table(expression, unit=unit)
    bags = slide_bags(features, slides, **options)
    profiles = rows_of_slides(table, [b.name for b in bags])
    known = set(profiles.obs_names)
    return [b for b in bags if b.name in known], profiles, [b.name for b in bags if b.name not in known]
