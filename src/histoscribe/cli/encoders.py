"""`histoscribe encoders`: which image encoders there are, which compute here, how fast, and how to get the others."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from histoscribe.cli._parse import Weights

__all__ = ["encoders"]

encoders = typer.Typer(no_args_is_help=True, help="Image encoders: list, info, fetch, bench, doctor.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@encoders.command("list")
def list_encoders(
    ready: Annotated[bool, typer.Option("--ready", help="Only those that compute here and now.")] = False,
    commercial: Annotated[bool, typer.Option("--commercial", help="Only those that may be used commercially.")] = False,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """List every encoder with what decides whether it can be used: size, licence, and whether its weights are here."""
    from histoscribe.encoders import ENCODERS

    rows = [_facts(name) for name in ENCODERS]
    rows = [r for r in rows if not (ready and r["state"] not in ("built in", "ready"))]
    rows = [r for r in rows if r["commercial_use"] or not commercial]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from histoscribe.cli._catalogue import print_table

    header = ("encoder", "dim", "px", "um/px", "licence", "gated", "commercial", "state")
    columns = ("name", "dim", "tile_px", "mpp", "licence", "gated", "commercial_use", "state")
    print_table(header, [[_cell(row.get(key)) for key in columns] for row in rows], widest=34)
    lacking = sum(row["state"] == "not here" for row in rows)
    if lacking:
        typer.echo(f"{lacking} are not here: `histoscribe encoders info NAME` says how to get one.")


@encoders.command("info")
def info(
    name: Annotated[str, typer.Argument(help="Registry name of an encoder.")],
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Show an encoder's card, where its weights are, or how to get them."""
    facts = _facts(name)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{name}: {facts['summary']}")
    for key, label in _LABELS.items():
        stated = key != "pooling" or not facts.get("why_not")  # of a card alone, the pooling was not read
        if stated and facts.get(key) not in (None, "", [], {}):
            typer.echo(f"  {label}: {_cell(facts[key])}")
    if "hub" in facts:
        typer.echo(f"  revision: {facts['revision'] or 'not pinned'}")
    for text in facts["deviations"]:
        typer.echo(f"  deviation: {text}")
    typer.echo(f"  state: {facts['state']}{': ' + facts['detail'] if facts['detail'] else ''}")


@encoders.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Registry name of a foundation model.")], as_json: AsJson = False
) -> None:
    """Download a foundation model's weights into the hub's cache, with your own token; nothing else goes online."""
    from histoscribe.core.errors import RegistryError
    from histoscribe.encoders import ENCODERS
    from histoscribe.encoders._fetch import fetch_weights

    member = ENCODERS.get(name)
    if not member.takes_weights:
        msg = f"encoder {name!r} is part of the package, so there is nothing to fetch. Use it as it is."
        raise RegistryError(msg)
    if not as_json:
        uses = "" if member.card.commercial_use else "; not for commercial use"
        typer.echo(f"{name}: {member.card.address}, licence {member.card.licence}{uses}")
    found = fetch_weights(member.card)
    if as_json:
        said = {"encoder": name, "file": str(found.file), "sha256": found.sha256, "revision": found.revision}
        typer.echo(json.dumps(said | {"licence": member.card.licence}))
        return
    typer.echo(f"{found.file}\nrevision {found.revision}, SHA-256 {found.sha256}")


@encoders.command("bench")
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Encoders; default all that compute here and now.")] = None,
    tiles: Annotated[int, typer.Option(min=1, help="Tiles to time.")] = 16,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default as for `encode`.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Time encoders on this machine, each in a process of its own; those without weights with random ones."""
    from histoscribe.encoders import ENCODERS
    from histoscribe.encoders._measure import measure_encoder

    chosen = names or [name for name in ENCODERS if _facts(name)["state"] in ("built in", "ready")]
    rows = []
    for name in chosen:
        row = measure_encoder(name, n_tiles=tiles, threads=threads, device=_device(device))
        rows.append(row)
        if not as_json:
            noted = "" if row["weights"] == "own" else "  RANDOM WEIGHTS: the speed is real, the features are not"
            typer.echo(
                f"{name:<24}{row['tiles_per_second']:>9.2f} tiles/s  {row['dim']:>5} features  "
                f"{_memory(row)}  {row['runtime']}, {row['threads']} thread(s){noted}"
            )
    if as_json:
        typer.echo(json.dumps(rows))


@encoders.command("doctor")
def doctor(
    load: Annotated[
        bool, typer.Option("--load", help="Build every network whose weights are here; takes a while.")
    ] = False,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Check packages, torchvision, log-in and weights of foundation models; exit status 1 where something is broken."""
    findings = [*_machine(), *_weights_here(load=load)]
    if as_json:
        typer.echo(json.dumps(findings, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(f"{finding['state']:<5} {finding['name']}: {finding['detail']}")
    if any(finding["state"] == "FAIL" for finding in findings):
        raise typer.Exit(1)


_LABELS = {
    "paper": "paper",
    "reference": "cite",
    "licence": "licence",
    "gated": "gated",
    "commercial_use": "commercial use",
    "origin": "origin",
    "hub": "hub",
    "dim": "features",
    "pooling": "pooling",
    "tile_px": "input, px",
    "own_resize": "its authors resize",
    "mpp": "trained at, um/px",
    "mean": "mean",
    "std": "standard deviation",
    "precision": "precision on a GPU",
    "parameters": "parameters, millions",
    "trained_on": "trained on",
}


def _facts(name: str) -> dict[str, Any]:
    from dataclasses import asdict

    from histoscribe.encoders import ENCODERS
    from histoscribe.encoders._status import encoder_state

    member = ENCODERS.get(name)
    card = member.card.to_dict() | {"dim": member.dim, "tile_px": member.tile_px}
    return card | asdict(encoder_state(name)) | {"revision": card.get("revision")}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
    return "" if value is None else str(value)


def _memory(row: dict[str, Any]) -> str:
    peak = "peak memory unknown" if row["peak_gb"] is None else f"{row['peak_gb']:.2f} GB"
    return peak + (f" + {row['gpu_peak_gb']:.2f} GB on the GPU" if "gpu_peak_gb" in row else "")


def _device(text: str) -> Any:
    from histoscribe.core.errors import DataError

    if text not in ("auto", "cpu", "cuda"):
        msg = f"--device {text!r} is unknown. Give cpu, cuda or auto."
        raise DataError(msg)
    return text


def _machine() -> list[dict[str, str]]:
    import os
    from importlib.metadata import PackageNotFoundError, version

    from histoscribe.cli.doctor import torchvision
    from histoscribe.encoders._status import has_token
    from histoscribe.encoders._weights import PLACES, hub_cache, weight_places

    found = []
    for package in ("timm", "transformers", "huggingface-hub"):
        try:
            found.append(("ok", package, version(package)))
        except PackageNotFoundError:
            found.append(("warn", package, "not installed; foundation models need it: pip install 'histoscribe[hub]'"))
    state, detail = torchvision()
    found.append((state, "torchvision", detail))
    found.append(("ok", "hub log-in", "a token is there" if has_token() else "none; gated models need `hf auth login`"))
    for name, path in weight_places():
        said = f"{path} ({name or 'any encoder'})"
        found.append(("ok", PLACES, said) if path.exists() else ("FAIL", PLACES, f"{said} does not exist. Correct it."))
    cache = hub_cache()
    found.append(("ok", "hub cache", f"{cache}{'' if cache.is_dir() else ' (not made yet)'}"))
    commercial = os.environ.get("HISTOSCRIBE_COMMERCIAL") == "1"
    found.append(
        ("ok", "use", "commercial: other weights are refused" if commercial else "any; licences are yours to keep")
    )
    return [{"state": state, "name": name, "detail": detail} for state, name, detail in found]


def _weights_here(*, load: bool) -> list[dict[str, str]]:
    import numpy as np

    from histoscribe.core.errors import HistoScribeError
    from histoscribe.encoders import ENCODERS, make_encoder
    from histoscribe.encoders._status import encoder_state

    found, absent = [], []
    for name in ENCODERS:
        state = encoder_state(name)
        if state.state == "not here":
            absent.append(f"{name}{' (gated)' if ENCODERS.get(name).card.gated else ''}")
        elif state.state == "broken":
            found.append(("FAIL", name, state.detail))
        elif state.state == "ready":
            line = ("ok", name, f"{state.detail}{f', revision {state.revision}' if state.revision else ''}")
            if load:
                try:
                    encoder = make_encoder(name)
                    n = encoder.encode(np.zeros((1, 3, encoder.tile_px, encoder.tile_px), np.uint8)).shape[1]
                    line = ("ok", name, f"{line[2]}: loads, {n} features")
                except HistoScribeError as err:
                    line = ("FAIL", name, str(err))
            found.append(line)
    if absent:
        found.append(("ok", "not here", ", ".join(absent)))
    return [{"state": state, "name": name, "detail": detail} for state, name, detail in found]
