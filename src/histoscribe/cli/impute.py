"""`histoscribe impute`: the expression of unmeasured sections of a stack, from its measured ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from histoscribe.core.stack import Stack


def impute(
    sections: Annotated[
        list[str],
        typer.Argument(
            help="Folder that `align` wrote, or two or more sections in order of depth, [READER:]PATH[?key=value&...], "
            "which are then aligned by their outlines."
        ),
    ],
    labelled: Annotated[list[str], typer.Option(help="Name of a measured section to impute from; repeatable.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for one .h5ad a section, and a picture.")],
    method: Annotated[str, typer.Option(help="Imputer.")] = "kernel-transfer",
    genes: Annotated[
        str, typer.Option(help="Number of genes (those of highest mean), or a file with one symbol a line.")
    ] = "250",
    train: Annotated[
        list[str] | None, typer.Option(help="Another donor's measured stack (a folder that `align` wrote); repeatable.")
    ] = None,
    z_um: Annotated[str | None, typer.Option(help="Depth of each section, um, comma-separated.")] = None,
    picture: Annotated[str | None, typer.Option(help="Gene to draw; default the panel's first.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="Parameter name=value of the method; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Predict sections of a stack that were not measured."""
    from histoscribe.align import read_stack
    from histoscribe.cli._parse import gene_list, parameters
    from histoscribe.core.files import atomic_path
    from histoscribe.core.target import Target
    from histoscribe.io._write import refuse_existing
    from histoscribe.methods import volume
    from histoscribe.reports.stack import stack_figure

    model = volume(method, **parameters(param or []))
    panel, target = gene_list(genes), Target()
    stack = _stack(sections, z_um)
    places = {name: out / f"{name}.h5ad" for name in stack.names if name not in labelled}
    for path in places.values():
        refuse_existing(path, overwrite=overwrite)
    tables = model.fit([read_stack(folder) for folder in train or ()], panel, target=target, seed=seed).impute(
        stack, labelled=labelled
    )
    out.mkdir(parents=True, exist_ok=True)
    for name, table in zip(places, tables, strict=True):
        with atomic_path(places[name]) as temporary:
            table.write_h5ad(temporary)
    figure = stack_figure(stack, tables, picture or tables[0].var_names[0], target=target)
    with atomic_path(out / "stack.png") as temporary:
        figure.savefig(temporary, format="png")
    summary: dict[str, Any] = {"out": str(out), "donor": stack.donor, "method": method, "regime": model.regime}
    summary |= {"labelled": labelled, "imputed": list(places), "genes": tables[0].n_vars, "unit": target.unit}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {len(tables)} sections of donor {stack.donor} x {tables[0].n_vars} genes, {target.unit}")
    typer.echo(f"{method} looked at: {model.regime}")
    if z_um is None and len(sections) > 1:
        typer.echo("note: depths are guessed, 10 um apart; give them with --z-um")


def _stack(sections: list[str], z_um: str | None) -> Stack:
    from histoscribe.align import align_stack, read_stack
    from histoscribe.core.errors import DataError
    from histoscribe.core.stack import Stack
    from histoscribe.io import read_spec

    if len(sections) == 1:
        if z_um is not None:
            msg = f"--z-um goes with sections, but {sections[0]} is a stack that states its depths. Leave it out."
            raise DataError(msg)
        return read_stack(sections[0])
    read = [read_spec(text) for text in sections]
    depths = None if z_um is None else [float(part) for part in z_um.split(",")]
    # By outlines alone: a section that is to be imputed has no genes to align by.
    stack, _ = align_stack([s.blind() for s in read], z_um=depths, genes="never")
    return Stack(tuple(read), stack.xy_um, stack.z_um)
