"""`histoscribe bench`: benchmarks as files: list, show, run, and the board of what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli._bench_study import (
    every_study,
    print_study_board,
    run_studies,
    show_study,
    study_called,
    study_facts,
)
from histoscribe.cli._parse import Weights
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from histoscribe.bench.board import Board
    from histoscribe.bench.board_text import Table as BoardTable
    from histoscribe.bench.runner import Done
    from histoscribe.bench.suite import Suite

bench = typer.Typer(help="Benchmarks as files: list, show, run, and the board.", no_args_is_help=True)

_SUITE = typer.Argument(metavar="SUITE", help="Id of a suite or study (`histoscribe bench list`), or a .toml file.")


@bench.command("list")
def list_suites(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the suites and studies, and whether their data are here."""
    from histoscribe.bench.suite import data_root, load_suite, suite_names

    suites = [load_suite(path) for path in suite_names().values()]
    missing = {suite.id: len(suite.data.missing(data_root())) for suite in suites}
    if as_json:
        rows = [
            {"id": s.id, "version": s.version, "protocol": s.protocol, "heading": s.heading.en}
            | {"missing_files": missing[s.id]}
            for s in suites
        ]
        rows += [study_facts(study) for study in every_study()]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for suite in suites:
        n = missing[suite.id]
        data = "generated" if suite.data.source else "data here" if not n else f"{n} files missing"
        typer.echo(f"{suite.id} {suite.version} [{suite.protocol}; {data}]\n    {suite.heading.en}")
    for study in every_study():
        n = study_facts(study)["missing_files"]
        data = "generated" if not study.files else "data here" if not n else f"{n} files missing"
        typer.echo(f"{study.id} {study.version} [{study.family}; {study.protocol}; {data}]\n    {study.heading.en}")


@bench.command("show")
def show_suite(
    suite: Annotated[str, _SUITE],
    ceiling: Annotated[
        bool, typer.Option("--ceiling/--no-ceiling", help="Read the data and compute n and noise ceiling.")
    ] = True,
) -> None:
    """Print what a suite fixes, its controls, n and noise ceiling; or which files are missing."""
    from histoscribe.bench.about import measured_facts, stated_facts
    from histoscribe.bench.suite import load_suite

    study = study_called(suite)
    if study is not None:
        show_study(study)
        return
    loaded = load_suite(suite)
    for key, value in stated_facts(loaded).items():
        typer.echo(f"{key + ':':<14}{value}")
    if ceiling:
        for key, value in measured_facts(loaded).items():
            typer.echo(f"{key + ':':<14}{value}")


@bench.command("run")
def run(
    suite: Annotated[str, _SUITE],
    methods: Annotated[
        str | None,
        typer.Option(
            help="METHOD or METHOD@PRESET, comma-separated; default all that the suite lists. Of a study: methods, or "
            "labels of rows, separated by semicolons where a label holds a comma."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of methods, controls and count splitting.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the records.")] = Path("results"),
    work: Annotated[Path, typer.Option(help="Folder of the folds' predictions, by which a run goes on.")] = Path(
        ".bench"
    ),
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of every method that uses features; default what the suite says.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of your own features in an encoder's place: <task>/<section>.h5 or <section>.h5 with "
            "`embeddings` and `barcodes`."
        ),
    ] = None,
    weights: Weights = None,
    slow: Annotated[bool, typer.Option("--slow", help="Run a study's slow rows, too.")] = False,
    no_controls: Annotated[bool, typer.Option("--no-controls", help="Leave the controls out.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was done before.")] = False,
    any_code: Annotated[
        bool, typer.Option("--any-code", help="Keep records of the same run that older source code made.")
    ] = False,
) -> None:
    """Fit, predict and score every fold; one record for each run; stopped and started again, it repeats nothing.

    Studies (cell composition, stacks, whole slides) run row by row in this process, with all of their seeds unless one
    is given; options about folds, encoders and threads are those of suites.
    """
    from histoscribe.bench.about import stated_facts
    from histoscribe.bench.runner import run_suite
    from histoscribe.bench.suite import load_suite

    study = study_called(suite)
    if study is not None:
        # Labels of rows hold commas, so several are parted by semicolons, and names of methods by either.
        rows = {entry.label for entry in study.entries}
        by = ";" if methods and (";" in methods or methods in rows) else ","
        named = [m.strip() for m in methods.split(by) if m.strip()] if methods else []
        seeds = [] if seed is None else [seed]
        run_studies(study, methods=named, seeds=seeds, out=out, slow=slow, fresh=fresh, any_code=any_code)
        return
    loaded = load_suite(suite)
    for key, value in stated_facts(loaded).items():
        typer.echo(f"{key + ':':<14}{value}")
    wanted = [m.strip() for m in methods.split(",") if m.strip()] if methods else []
    done = run_suite(
        loaded,
        methods=wanted,
        seed=seed,
        workers=workers,
        threads=threads,
        out=out,
        work=work,
        fresh=fresh,
        any_code=any_code,
        controls=not no_controls,
        encoder=encoder,
        embeddings=embeddings,
        report=lambda d: typer.echo(_line(d, loaded)),
    )
    failed = [d.record.method for d in done if d.record.failure]
    if failed:
        msg = (
            f"{len(failed)} of {len(done)} runs failed ({', '.join(failed)}); their records say why. Mend them and run "
            "the same command: what is done is kept."
        )
        raise DataError(msg)


def _line(done: Done, suite: Suite) -> str:
    record = done.record
    name = f"{record.method}@{record.preset}" if record.preset else record.method
    if record.failure:
        return f"{name}: FAILED, {record.failure['error']}: {record.failure['message']}"
    scores = record.scores[record.method]
    if "not_applicable" in scores:
        return f"{name}: not applicable, {scores['not_applicable']}"
    shown = ", ".join(f"{m} {scores[m]:.3f}" for m in suite.metrics[:3] if m in scores)
    cost: dict[str, Any] = record.cost
    when = "recorded before" if done.earlier else f"fit {cost['fit_s']:.1f} s, peak {cost['peak_mb']:.0f} MB"
    return f"{name}: {shown} ({when})"


@bench.command("board")
def board(
    suites: Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...", help="Suites; default all.")] = None,
    layout: Annotated[str, typer.Option("--format", help="terminal, markdown or html.")] = "terminal",
    records: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; needed for html.")] = None,
) -> None:
    """Show what was measured: one board a suite, controls that win first, paired differences, cost, failures."""
    from histoscribe.bench.board import load_records, make_boards
    from histoscribe.bench.board_text import markdown
    from histoscribe.core.files import atomic_path

    if layout not in ("terminal", "markdown", "html"):
        msg = f"--format {layout!r} is not known. Choose terminal, markdown or html."
        raise DataError(msg)
    from histoscribe.bench.studies._board import make_study_boards
    from histoscribe.bench.studies._text import study_markdown

    studies = [s for s in every_study() if not suites or s.id in suites]
    named = [name for name in suites or () if name not in {s.id for s in studies}]
    boards = make_boards(load_records(records, named)) if named or not suites else []
    study_boards = make_study_boards(studies, records)
    if suites and len(study_boards) < len(studies):
        lacking = next(s.id for s in studies if s.id not in {b.id for b in study_boards})
        msg = f"there is no record of study {lacking!r} below {records}. Run `histoscribe bench run {lacking}` first."
        raise DataError(msg)
    text = "\n".join(part for part in (markdown(boards), study_markdown(study_boards)) if part)
    if layout == "html":
        from histoscribe.reports import board_page

        path = board_page(boards, study_boards, path=out or Path("board.html"))
        typer.echo(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB, one file, opens without a network)")
    elif out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {out}")
    elif layout == "markdown":
        typer.echo(text, nl=False)
    else:
        for one in boards:
            _print_board(one)
        for one in study_boards:
            print_study_board(one)


def _print_board(board: Board) -> None:
    from rich.console import Console

    from histoscribe.bench import board_text

    console = Console()
    console.print(f"\n{board.id}, version {board.version} [{board.protocol}]", style="bold", markup=False)
    console.print(board.heading.en, markup=False, highlight=False)
    for sentence in [*board_text.sentences(board), *(note.en for note in board.notes)]:
        console.print(f"- {sentence}", markup=False, highlight=False)
    _print_table(console, "scores", board_text.score_table(board))
    for name, heading in board.subsets.items():
        _print_table(console, f"{name}: {heading.en}", board_text.score_table(board, name))
    for title, table in board_text.task_tables(board).items():
        _print_table(console, title, table)
    published = board_text.published_table(board)
    if published is not None:
        _print_table(console, "as published", published)
        for text in dict.fromkeys(f"{v.source or 'no record'}: {v.text}" for v in board.published):
            console.print(f"- {text}", markup=False, highlight=False)
    _print_table(console, "paired differences", board_text.difference_table(board))
    _print_table(console, "cost", board_text.cost_table(board))
    for sentence in board_text.elsewhere_sentences(board):
        console.print(f"- {sentence}", markup=False, highlight=False)


def _print_table(console: Console, title: str, table: BoardTable) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", padding=(0, 1, 0, 0))
    for i, name in enumerate(table.header):
        # Broken at underscores, so that a dozen metrics fit a terminal.
        shown.add_column(Text(name.replace("_", "_\n")), justify="right" if i else "left")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
