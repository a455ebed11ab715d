"""`histoscribe align`: register the sections of one donor into a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from histoscribe.align import PairAlignment


def align(
    sections: Annotated[
        list[str], typer.Argument(help="Two or more sections in order of depth: [READER:]PATH[?key=value&...].")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the stack.")],
    z_um: Annotated[str | None, typer.Option(help="Depth of each section, um, comma-separated.")] = None,
    reference: Annotated[
        str, typer.Option(help="Section that stays where it is: its number (1 is the first), or 'middle'.")
    ] = "1",
    genes: Annotated[
        str, typer.Option(help="'auto' lets genes choose among angles, 'place' move sections, too; 'never' neither.")
    ] = "auto",
    images: Annotated[
        str, typer.Option(help="'never', or register slides by 'intensity', 'keypoints' or 'auto' (the better).")
    ] = "never",
    pictures: Annotated[bool, typer.Option(help="Draw each pair before and after.")] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace a stack that is there.")] = False,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Register sections into one frame, and judge every pair."""
    from histoscribe.align import align_stack, write_stack
    from histoscribe.align.folder import STACK_FILE
    from histoscribe.io import read_spec
    from histoscribe.io._write import refuse_existing

    _choice("--genes", genes, ("auto", "place", "never"))
    _choice("--images", images, ("never", "intensity", "keypoints", "auto"))
    # Before minutes of work.
    refuse_existing(out / STACK_FILE, overwrite=overwrite)
    read = [read_spec(text) for text in sections]
    stack, reports = align_stack(
        read,
        z_um=None if z_um is None else _depths(z_um, len(read)),
        reference="middle" if reference == "middle" else _number(reference, len(read)),
        genes=genes,  # type: ignore[arg-type]
        images=images,  # type: ignore[arg-type]
        seed=seed,
    )
    write_stack(stack, out, reports=reports, overwrite=overwrite)
    by_name = {s.name: s for s in read}
    if pictures:
        from histoscribe.core.files import atomic_path
        from histoscribe.reports.alignment import alignment_figure

        for i, report in enumerate(reports):
            figure = alignment_figure(by_name[report.moving], by_name[report.fixed], report)
            with atomic_path(out / f"pair_{i + 1:02d}.png") as temporary:
                figure.savefig(temporary, format="png")
    if as_json:
        pairs = [{"moving": r.moving, "fixed": r.fixed, "source": r.source} | r.quality.to_dict() for r in reports]
        typer.echo(json.dumps({"out": str(out), "donor": stack.donor, "pairs": pairs}, ensure_ascii=False))
        return
    typer.echo(f"wrote {out}: {len(stack)} sections of donor {stack.donor}")
    for report in reports:
        typer.echo(_line(report))
    if z_um is None:
        typer.echo("note: depths are guessed, 10 um apart; give them with --z-um")


def _line(report: PairAlignment) -> str:
    q = report.quality
    genes = "" if q.agreement is None else f", genes agree by {q.agreement:.2f}"
    text = (
        f"{q.verdict:>8}  {report.moving} -> {report.fixed} (by {report.source}): overlap {100 * q.overlap:.0f} %, "
        f"outlines {q.residual_um:.0f} um apart, spread {q.spread_um:.0f} um ({q.spread_pitch:.2f} pitch){genes}"
    )
    return "\n".join([text, *(f"          {reason}" for reason in q.reasons)])


def _choice(option: str, value: str, known: tuple[str, ...]) -> None:
    from histoscribe.core.errors import DataError

    if value not in known:
        msg = f"{option} {value!r} is not known. Give {', '.join(known[:-1])} or {known[-1]}."
        raise DataError(msg)


def _depths(text: str, n: int) -> list[float]:
    from histoscribe.core.errors import DataError

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as err:
        msg = f"--z-um {text!r} are not numbers. Give {n} depths in um, separated by commas, e.g. 0,10,20."
        raise DataError(msg) from err
    if len(values) != n:
        msg = f"--z-um gives {len(values)} depths for {n} sections. Give one for each, separated by commas."
        raise DataError(msg)
    return values


def _number(text: str, n: int) -> int:
    from histoscribe.core.errors import DataError

    if not text.isdigit() or not 1 <= int(text) <= n:
        msg = f"--reference {text!r} is none of the {n} sections. Give 1 to {n}, or 'middle'."
        raise DataError(msg)
    return int(text) - 1
