"""`histoscribe fit`: learn from measured sections and write one bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoscribe.cli._parse import Weights

if TYPE_CHECKING:
    from histoscribe.core.composition import AnyTarget
    from histoscribe.methods.bundle import Bundle


def fit(
    sections: Annotated[
        list[str], typer.Argument(help="Measured sections: [READER:]PATH[?key=value&...], or a .toml.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write.")],
    method: Annotated[
        str | None, typer.Option(help="Predictor; default ridge, or histology-composition with --composition.")
    ] = None,
    composition: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn cell composition: what `histoscribe deconvolve` wrote, or a table of observations x cell "
            "types, once for each section in order."
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Named set of the method's parameters, e.g. laptop.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Encoder; '+' concatenates; default the method's own.")] = None,
    size_um: Annotated[
        str | None, typer.Option(help="Tile sides in um, comma-separated; several give context; default the method's.")
    ] = None,
    genes: Annotated[
        str, typer.Option(help="Number of genes of highest mean, or a file with one symbol a line.")
    ] = "250",
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="Method parameter, name=value (JSON).")
    ] = None,
    level: Annotated[float, typer.Option(help="Highest interval level wanted, 0-1.")] = 0.9,
    no_calibration: Annotated[
        bool, typer.Option("--no-calibration", help="Save the refits: no intervals, and no gene is trusted.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    weights: Weights = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Fit even where spots do not lie on tissue.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Learn from measured sections: tile, encode, fit, calibrate; write one file."""
    from histoscribe.cli._parse import gene_list, parameters, sections_with_composition, sizes
    from histoscribe.core.processes import rank
    from histoscribe.io import read_specs
    from histoscribe.methods import train

    loaded = read_specs(sections)
    if composition:
        loaded = sections_with_composition(loaded, composition)
    method = method or ("histology-composition" if composition else "ridge")
    if not no_check:
        for section in loaded:
            section.check().raise_for_problems()
            if section.slide is not None:
                section.slide.close()  # it opens again by itself; one decoded slide at a time is enough memory
    bundle = train.fit(
        loaded,
        method,
        preset=preset,
        encoder=encoder,
        size_um=None if size_um is None else sizes(size_um),
        genes=gene_list(genes),
        params=parameters(param or []),
        target=_target(composition),
        level=level,
        calibrated=not no_calibration,
        seed=seed,
    )
    if rank() != 0:
        return  # under torchrun every process holds the same model; the first one writes it
    bundle.save(out)
    summary = _summary(bundle, out)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    unit, n = summary["calibration_unit"], summary["n_units"]
    typer.echo(
        f"wrote {out}: {method}, {len(bundle.genes)} {_what(bundle)}, {summary['n_obs']} observations of "
        f"{len(summary['donors'])} donor(s)"
    )
    if unit == "none":
        typer.echo("not calibrated: no interval is given, and nothing is called trusted.")
        return
    level_text = "no interval: too few units" if summary["level"] is None else f"intervals at {summary['level']:.0%}"
    typer.echo(f"held out {n} {unit}(s): {summary['trusted']} {_what(bundle)} trusted; {level_text}")
    if summary["donor_assumed"]:
        names = ", ".join(summary["donor_assumed"])
        typer.echo(
            f"note: no donor was stated for {names}; each counts as its own. Give ?donor=... where they share one."
        )
    if unit != "donor":
        typer.echo("note: one donor only, so neither flags nor intervals speak for a new donor.")


def _target(composition: list[str] | None) -> AnyTarget:
    from histoscribe.core.composition import CompositionTarget
    from histoscribe.core.target import Target

    return CompositionTarget() if composition else Target()


def _what(bundle: Bundle) -> str:
    """Name what the bundle's variables are."""
    return f"{bundle.predictor.target_.axis.replace('_', ' ')}s"


def _summary(bundle: Bundle, out: Path) -> dict[str, object]:
    cal = bundle.calibration
    training = bundle.provenance["training"]
    strengths = getattr(bundle.predictor, "strengths_", None)
    return {
        "bundle": str(out),
        "digest": bundle.digest(),
        _what(bundle).replace(" ", "_"): len(bundle.genes),
        "n_obs": sum(t["n_obs"] for t in training),
        "donors": sorted({t["donor"] for t in training}),
        "donor_assumed": [t["name"] for t in training if not t["donor_stated"]],
        "sections": [t["name"] for t in training],
        "calibration_unit": cal.unit,
        "n_units": cal.n_units,
        "level": cal.level,
        "trusted": int(cal.trusted.sum()),
        "strengths": None if strengths is None else [float(s) for s in strengths],
    }
