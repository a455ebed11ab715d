"""The command line, run as a user runs it but inside this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from histoscribe.cli import main


@dataclass
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def histoscribe(monkeypatch, capsys):
    """Run ``histoscribe <words>`` and return its status and output."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["histoscribe", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Result(int(stop.value.code or 0), captured.out, captured.err)

    return run
