"""`histoscribe deconvolve`: the share of each cell type in each observation of a measured section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anndata import AnnData


def deconvolve(
    section: Annotated[
        str,
        typer.Argument(help="Section: .h5ad, a table of counts (.csv, .tsv, .rds), or [READER:]PATH[?key=value&...]."),
    ],
    reference: Annotated[
        Path,
        typer.Option(help="Single cells (.h5ad, spacexr .rds, or a table with --labels FILE), or a table of profiles."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="AnnData to write.")],
    labels: Annotated[
        str | None, typer.Option(help="Cell types: obs column of an .h5ad; FILE or FILE:COLUMN beside a table.")
    ] = None,
    method: Annotated[str, typer.Option(help="Deconvolver.")] = "polaris",
    layers: Annotated[
        str | None, typer.Option(help="obs column with the layer of each observation, or 'domains' to find some.")
    ] = None,
    min_cells: Annotated[int, typer.Option(min=1, help="Leave out types of fewer cells.")] = 10,
    drop: Annotated[list[str] | None, typer.Option(help="Leave out this type; repeatable.")] = None,
    cell_size: Annotated[
        str, typer.Option(help="'equal', or 'reference' where the reference is of the section's own technique.")
    ] = "equal",
    param: Annotated[list[str] | None, typer.Option(help="Parameter name=value of the method; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Find the share of each cell type in each observation; no image is needed."""
    from histoscribe.cli._parse import parameters
    from histoscribe.core.files import atomic_path
    from histoscribe.methods import composition
    from histoscribe.methods._cell_tables import read_reference

    model = composition(method, **parameters(param or []))
    known = read_reference(reference, labels, min_cells=min_cells, drop=drop or ())
    result = model.fit(_section(section, known), known, layers=layers, cell_size=cell_size, seed=seed)
    with atomic_path(out) as temporary:
        result.write_h5ad(temporary)
    ours = result.uns["histoscribe"]
    mean = dict(zip(ours["cell_types"], result.obsm["composition"].mean(0).round(4).tolist(), strict=True))
    summary: dict[str, Any] = {"out": str(out), "method": method, "n_obs": result.n_obs, "genes": result.n_vars}
    summary |= {"mean": mean, "fit": json.loads(ours["fit"]), "notes": ours["notes"]}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {result.n_obs} observations x {len(mean)} cell types from {result.n_vars} genes")
    for name, share in sorted(mean.items(), key=lambda item: -item[1]):
        typer.echo(f"  {100 * share:5.1f} %  {name}")
    fit = summary["fit"]
    if "steps" in fit:
        typer.echo(f"fit: {fit['steps']} steps, {fit['stopped']}")
    if "without_layers" in fit and "heldout_loglik" in fit:
        gain = fit["heldout_loglik"] - fit["without_layers"]["heldout_loglik"]
        typer.echo(f"layers change the log-likelihood of held-out counts by {gain:+.0f} nats")
    if fit.get("strength_ratio", 1) > 2:
        typer.echo(
            "note: spots look more alike beside gene factors than without them; where the reference can be trusted, "
            "compare --param gene_factors=false"
        )
    for note in ours["notes"]:
        typer.echo(f"note: {note}")


def _section(text: str, reference: Any) -> AnnData:
    from histoscribe.io import read_spec
    from histoscribe.methods._cell_tables import is_table, read_spots
    from histoscribe.methods._r_files import is_r_file

    # Composition needs counts alone: a file without image or um/px is as good, and is not asked for them.
    path = Path(text)
    if path.is_file() and (path.suffix == ".h5ad" or is_table(path) or is_r_file(path)):
        return read_spots(path, reference)
    return read_spec(text).table
