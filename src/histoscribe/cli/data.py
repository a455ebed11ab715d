"""`histoscribe data`: get data sets by name, and see whether they are whole and independent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli._catalogue import AsJson

if TYPE_CHECKING:
    from histoscribe.io.data import Choice, DataSet, Plan

__all__ = ["data"]

data = typer.Typer(help="Get data sets by name, and check that they are whole and independent.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a data set; `histoscribe data list` shows all.")]
Dir = Annotated[
    Path | None, typer.Option("--dir", help="Folder of all data sets; default HISTOSCRIBE_DATA, else ./data.")
]
Parts = Annotated[
    str, typer.Option("--parts", "--folders", help="Parts, separated by commas, or all; see `histoscribe data info`.")
]
Sample = Annotated[list[str] | None, typer.Option("--sample", help="Samples by name; * and ? match. Repeat it.")]
Where = Annotated[str, typer.Option(help="Samples by the metadata table, e.g. \"organ == 'Breast'\".")]
Everything = Annotated[bool, typer.Option("--all", help="All samples, where that is very much.")]
Revision = Annotated[str, typer.Option(help="Branch, tag or commit of a data set on a hub.")]


def _root(folder: Path | None) -> Path:
    """Return the folder given, else that of the benchmarks' data where there is one, else ./data."""
    from histoscribe.bench.suite import data_root

    if folder is not None:
        return folder
    root = data_root()
    return root if "HISTOSCRIBE_DATA" in os.environ or root.is_dir() else Path("data")


def _choice(parts: str, sample: list[str] | None, where: str, *, everything: bool, revision: str) -> Choice:
    from histoscribe.io.data import Choice

    chosen = tuple(part.strip() for part in parts.split(",") if part.strip())
    return Choice(chosen, tuple(sample or ()), where, everything, revision)


def _plan(entry: DataSet, choice: Choice) -> Plan:
    import tempfile

    from histoscribe.io.data import plan_files

    with tempfile.TemporaryDirectory() as scratch:
        return plan_files(entry, choice, scratch=Path(scratch))


def _present(folder: Path) -> dict[str, Any] | None:
    """Say what was fetched into a folder, or None."""
    from histoscribe.io.data import MANIFEST, Manifest

    if not (folder / MANIFEST).is_file():
        return None
    files = Manifest(folder).files
    return {"folder": str(folder), "files": len(files), "bytes": sum(about["size"] for about in files.values())}


def _size(n: float) -> str:
    """Write bytes as a person reads them, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"


@data.command("list")
def list_(folder: Dir = None, as_json: AsJson = False) -> None:
    """List the data sets that can be had by name, and which are there."""
    from histoscribe.cli._catalogue import print_table
    from histoscribe.io.data import data_sets

    rows = [
        {
            "id": entry.id,
            "licence": entry.licence,
            "gated": entry.gated,
            "size_gb": entry.size_gb,
            "platform": list(entry.platform),
            "present": _present(_root(folder) / entry.id),
        }
        for entry in data_sets().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    cells = [
        (
            row["id"],
            row["licence"],
            "yes" if row["gated"] else "",
            "not read" if row["size_gb"] is None else _size(row["size_gb"] * 1e9),
            ", ".join(row["platform"]),
            f"{row['present']['files']} files, {_size(row['present']['bytes'])}" if row["present"] else "",
        )
        for row in rows
    ]
    print_table(("id", "licence", "gated", "size", "platform", "here"), cells, widest=40)


@data.command()
def info(name: Name, folder: Dir = None, as_json: AsJson = False) -> None:
    """Show a data set: licence, source, parts, samples, and how to read it."""
    from histoscribe.io.data import data_set

    entry = data_set(name)
    where = _root(folder) / entry.id
    body: dict[str, Any] = {
        "id": entry.id,
        "title": entry.title,
        "licence": f"{entry.licence} (source: {entry.licence_source})",
        "gated": entry.gated,
        "homepage": entry.homepage,
        "cite": entry.paper or None,
        "catalogue": entry.catalogue or None,
        "platform": list(entry.platform),
        "species": list(entry.species),
        "size_gb": entry.size_gb,
        "parts": list(entry.parts),
        "fetched_by_default": list(entry.default_parts),
        "samples": list(entry.samples) or None,
        "donors": len(set(entry.donors.values())) or None,
        "passwords": sorted({f.password_source for f in entry.files if f.password_source}) or None,
        "note": entry.note or None,
        "read": [_filled(spec, entry, where) for spec in entry.read],
        "present": _present(where),
    }
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    for key, value in body.items():
        if value in (None, []):
            continue
        for line in value if key == "read" else [value]:
            shown = ", ".join(map(str, line)) if isinstance(line, list) else _shown(line)
            typer.echo(f"{key.replace('_', ' '):<20}{shown}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['files']} files, {_size(value['bytes'])}, in {value['folder']}"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _filled(spec: str, entry: DataSet, where: Path) -> str:
    """Fill in a specification's folder, and of the first sample its name and donor."""
    sample = entry.samples[0] if entry.samples else "<sample>"
    part = entry.parts[0] if entry.parts else ""
    text = spec.replace("{dir}", str(where)).replace("{sample}", sample).replace("{part}", part)
    return text.replace("{donor}", entry.donors.get(sample, "<donor>"))


@data.command()
def fetch(
    name: Name,
    folder: Dir = None,
    parts: Parts = "",
    sample: Sample = None,
    where: Where = "",
    everything: Everything = False,
    revision: Revision = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and their size; download none.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=32, help="Files at a time.")] = 4,
    check: Annotated[bool, typer.Option("--check", help="Read what is there, and bring damaged files anew.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Bring everything anew and replace what is there.")] = False,
    accept_changed: Annotated[
        bool, typer.Option("--accept-changed", help="Accept a file that differs from its first download.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download a data set, or a part of it; an interrupted download goes on where it stopped."""
    from histoscribe.bench.suite import data_root
    from histoscribe.io.data import data_set
    from histoscribe.io.data import fetch as bring

    entry, target = data_set(name), _root(folder) / name
    if not as_json:
        typer.echo(f"{entry.title}\nlicence: {entry.licence} (source: {entry.licence_source})")
        if entry.paper:
            typer.echo(f"cite: {entry.paper} (histoscribe papers show {entry.paper})")
    plan = _plan(entry, _choice(parts, sample, where, everything=everything, revision=revision)).with_sizes()
    if dry_run:
        _show_plan(plan, target, as_json=as_json)
        return
    if not as_json:
        typer.echo(f"{len(plan.items)} files, {_known_size(plan)}, into {target}")
    fetched = bring(plan, target, jobs=jobs, check=check, again=again, accept_changed=accept_changed)
    if as_json:
        body = {"id": entry.id, "folder": str(target), "licence": entry.licence, "revision": plan.revision}
        typer.echo(json.dumps(body | vars(fetched), ensure_ascii=False, indent=2))
        return
    for note in fetched.notes:
        typer.echo(f"note: {note}")
    replaced = f", {len(fetched.replaced)} replaced" if fetched.replaced else ""
    typer.echo(f"{len(fetched.new)} files new, {len(fetched.present)} were there{replaced}: see histoscribe.json")
    typer.echo(f"read: {_filled(entry.read[0], entry, target)}")
    if data_root().resolve() != target.parent.resolve():
        typer.echo(f"benchmarks look elsewhere: export HISTOSCRIBE_DATA={target.parent.resolve()}")


def _known_size(plan: Plan) -> str:
    unknown = f"{plan.unknown} of unknown size" if plan.unknown else ""
    return ", ".join(filter(None, (_size(plan.size) if plan.size or not plan.unknown else "", unknown)))


def _show_plan(plan: Plan, target: Path, *, as_json: bool) -> None:
    if as_json:
        files = [
            {"path": i.path, "part": i.part, "sample": i.sample, "bytes": i.size, "unpacked": i.archive}
            for i in plan.items
        ]
        body = {"id": plan.data_set.id, "folder": str(target), "revision": plan.revision, "bytes": plan.size}
        typer.echo(json.dumps(body | {"unknown": plan.unknown, "files": files}, ensure_ascii=False, indent=2))
        return
    for item in plan.items:
        size = "size not known" if item.size is None else _size(item.size)
        typer.echo(f"{size:>15}  {item.path}{' (is unpacked)' if item.archive else ''}")
    typer.echo(f"{len(plan.items)} files of {len(plan.samples)} samples, {_known_size(plan)}; nothing was downloaded")


@data.command()
def verify(name: Name, folder: Dir = None, as_json: AsJson = False) -> None:
    """Read every file again and compare checksums; exit status 1 where one is damaged, missing or extra."""
    from histoscribe.io.data import Choice, data_set
    from histoscribe.io.data import verify as check

    entry, target = data_set(name), _root(folder) / name
    plan = None if entry.hub else _plan(entry, Choice(parts=("all",), everything=True))
    found = check(target, plan)
    if as_json:
        typer.echo(json.dumps({"id": name, "folder": str(target)} | vars(found), ensure_ascii=False, indent=2))
    else:
        for kind in ("damaged", "outdated", "missing", "extra"):
            for path in getattr(found, kind):
                typer.echo(f"{kind:<9} {path}")
        said = "" if found.ok else f" Bring damaged and missing ones anew: histoscribe data fetch {name} --check."
        typer.echo(f"{found.good} files are as they were fetched.{said}")
    if not found.ok:
        raise typer.Exit(1)


@data.command()
def duplicates(
    sections: Annotated[
        list[str], typer.Argument(help="Sections: [READER:]PATH[?key=value&...], or a .toml manifest.")
    ],
    images: Annotated[bool, typer.Option(help="Compare the slides, too; each is read once.")] = True,
    as_json: AsJson = False,
) -> None:
    """Find sections that are the same tissue under two names; exit status 1 where there are some.

    Counts are compared observation by observation, whatever their order, barcodes and file format; besides, the
    pattern of places, what the slides look like, and what is known of HEST-1k.
    """
    from dataclasses import asdict

    from histoscribe.bench.identity import find_duplicates
    from histoscribe.io import read_specs

    read = read_specs(sections, outside="keep")
    found = find_duplicates(read, positions=True, images=images)
    if as_json:
        body = {"sections": [s.name for s in read], "duplicates": [asdict(d) for d in found]}
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
    else:
        for duplicate in found:
            typer.echo(f"{duplicate.reason:<22} {duplicate.what}")
        pairs = len({(d.first, d.second) for d in found})
        typer.echo(f"{len(read)} sections, {pairs} pairs that are the same tissue. What was changed is not recognised.")
    if found:
        raise typer.Exit(1)
