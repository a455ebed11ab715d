"""`histoscribe check`: do the observations lie where they should on the slide?"""  # noqa: D400

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def check(
    sections: Annotated[
        list[str], typer.Argument(help="Sections: [READER:]PATH[?key=value&...], or a .toml manifest.")
    ],
    overlay: Annotated[
        Path | None,
        typer.Option(help="Draw the observations on the slide: a PNG, or a folder where several sections are given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as a JSON list.")] = False,
) -> None:
    """Find swapped axes, flips, wrong scale and coordinates of another image.

    Exit status: 0 all confirmed, 1 something is wrong, 3 nothing wrong but some cannot be told, 2 unreadable.
    """
    from histoscribe.io import read_specs
    from histoscribe.tiles.check import check as run

    reports = []
    for section in read_specs(sections, outside="keep"):
        report = run(section)
        reports.append(report.to_dict())
        target = None
        if overlay is not None and section.slide is not None:
            several = len(sections) > 1 or sections[0].endswith(".toml") or overlay.is_dir()
            target = report.overlay(overlay / f"{section.name}.png" if several else overlay)
            reports[-1]["overlay"] = str(target)
        if section.slide is not None:
            section.slide.close()
        if not as_json:
            _show(reports[-1])
    if as_json:
        typer.echo(json.dumps(reports, indent=2, ensure_ascii=False))
    verdicts = {r["verdict"] for r in reports}
    if verdicts != {"ok"}:
        raise typer.Exit(1 if "wrong" in verdicts else 3)


def _show(report: dict[str, object]) -> None:
    typer.echo(f"{report['section']}: {report['verdict']}. {report['reason']}")
    for problem in report["problems"]:  # type: ignore[attr-defined]
        typer.echo(f"  {problem}")
    if "overlay" in report:
        typer.echo(f"  drawn in {report['overlay']}")
