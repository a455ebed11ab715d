"""The command line: one file per command; heavy imports happen inside the commands, so that help is instant."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from histoscribe.core.errors import HistoScribeError

__all__ = ["app", "main"]

#: Command name to "module:function", in the order in which a user meets them.
COMMANDS = {
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "info": "info:info",
    "check": "check:check",
    "convert": "convert:convert",
    "align": "align:align",
    "encode": "encode:encode",
    "fit": "fit:fit",
    "predict": "predict:predict",
    "deconvolve": "deconvolve:deconvolve",
    "impute": "impute:impute",
    "evaluate": "evaluate:evaluate",
    "report": "report:report",
    "studio": "studio:studio",
}

#: Name of a group of commands to "module:typer application".
GROUPS = {
    "papers": "papers:papers",
    "datasets": "datasets:datasets",
    "data": "data:data",
    "bench": "bench:bench",
    "encoders": "encoders:encoders",
    "methods": "methods:methods",
    "slide-level": "slide_level:slide_level",
}


def app() -> typer.Typer:
    """Build the command line from the table above."""
    root = typer.Typer(
        name="histoscribe",
        help="Read the transcriptome off a histology slide, and know how far to trust it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, target in COMMANDS.items():
        module, _, function = target.partition(":")
        root.command(name)(getattr(import_module(f"histoscribe.cli.{module}"), function))
    for name, target in GROUPS.items():
        module, _, group = target.partition(":")
        root.add_typer(getattr(import_module(f"histoscribe.cli.{module}"), group), name=name)
    return root


def main() -> None:
    """Run the command line; a user's mistake ends as one line on stderr and exit status 2."""
    try:
        app()()
    except HistoScribeError as err:
        notes = "".join(f" ({note})" for note in getattr(err, "__notes__", ()))
        typer.echo(" ".join(f"histoscribe: {err}{notes}".split()), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("histoscribe: stopped; finished work is kept, run the same command to go on.", err=True)
        sys.exit(130)
