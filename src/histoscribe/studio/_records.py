"""Stored runs: found in the folders that were given, kept as boards until a file changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import digest, read_json
from histoscribe.core.records import RunRecord
from histoscribe.studio._error import StudioError
from histoscribe.studio._kept import kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.board import Board
    from histoscribe.bench.studies._board import StudyBoard
    from histoscribe.bench.suite import Heading

__all__ = ["Records"]

#: Benchmark of a single evaluation.
_SINGLE = "adhoc"


@dataclass(frozen=True, eq=False)
class _Loaded:
    state: str
    records: dict[tuple[str, str, str], RunRecord]
    #: Those that boards show: no single evaluations among the stored ones.
    shown: list[RunRecord]


class Records:
    """Records below some folders, and the boards they make; read when first asked for.

    Parameters
    ----------
    stored
        Folder of stored runs; None for those of the package.
    given
        Folders and files that the user named or made here: single evaluations in them have boards, too. Those that do
        not exist (yet) hold nothing.
    """

    def __init__(self, stored: Path | None, given: Sequence[Path]) -> None:
        self._stored, self._given = stored, list(dict.fromkeys(given))
        self._loaded: _Loaded | None = None
        self._boards: tuple[str, dict[str, dict[str, Any]]] | None = None
        self._lock, self._board_lock = threading.Lock(), threading.Lock()

    @property
    def state(self) -> str:
        """What changes when a record does."""
        return self._now().state

    def boards(self) -> dict[str, dict[str, Any]]:
        """Return id to board, as `board_out` writes it."""
        now = self._now()
        with self._board_lock:
            if self._boards is None or self._boards[0] != now.state:
                self._boards = now.state, kept("boards", now.state, lambda: _boards_out(now.shown))
            return self._boards[1]

    def board(self, key: str) -> dict[str, Any]:
        """Return a board, or raise status 404."""
        found = self.boards()
        if key not in found:
            has = ", ".join(sorted(found)) or "none"
            raise StudioError(404, f"there is no board {key[:60]!r}.", where="boards", todo=f"Ask for one of: {has}.")
        return found[key]

    def record(self, benchmark: str, method: str, key: str) -> RunRecord:
        """Return a record, or raise status 404."""
        found = self._now().records.get((benchmark, method, key))
        if found is None:
            raise StudioError(404, "there is no such record.", where="records", todo="Ask for one that a board names.")
        return found

    def runs(self) -> list[RunRecord]:
        """Return every record."""
        return list(self._now().records.values())

    def _now(self) -> _Loaded:
        from histoscribe.catalogue.ladder import results_folder

        given = _files(self._given)
        stored = results_folder() if self._stored is None else self._stored
        files = list(dict.fromkeys([*given, *_files([stored])]))
        state = digest(*(f"{p}:{p.stat().st_mtime_ns}:{p.stat().st_size}" for p in files))
        with self._lock:
            if self._loaded is None or self._loaded.state != state:
                own = {_name(r): r for p in given for r in _read(p)}
                named = {_name(r): r for p in files for r in _read(p)} | own
                shown = [r for key, r in named.items() if key in own or r.benchmark != _SINGLE]
                self._loaded = _Loaded(state, named, shown)
            return self._loaded


def _files(places: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for place in places:
        paths = sorted(place.rglob("*.json")) if place.is_dir() else [place] if place.is_file() else []
        found |= dict.fromkeys(paths)
    return list(found)


def _name(record: RunRecord) -> tuple[str, str, str]:
    return record.benchmark, record.method, record.id


def _read(path: Path) -> list[RunRecord]:
    """Return the record in a file: of a run, or of an evaluation and its controls; other files hold none."""
    try:
        value = read_json(path)
    except HistoScribeError:
        return []
    if not isinstance(value, dict):
        return []
    value = value.get("record", value)
    if not isinstance(value, dict) or not {"benchmark", "method", "scores", "split", "seed"} <= set(value):
        return []
    try:
        record = RunRecord(**{k: v for k, v in value.items() if k != "id"})
    except TypeError:
        return []  # of a newer version: a board without it is better than none
    return [record]


def _boards_out(records: Sequence[RunRecord]) -> dict[str, dict[str, Any]]:
    from histoscribe.studio._board_out import board_out

    return {key: board_out(key, board) for key, board in _boards(records).items()}


def _boards(records: Sequence[RunRecord]) -> dict[str, Board | StudyBoard]:
    from histoscribe.bench.board import make_boards
    from histoscribe.bench.studies import STUDIES
    from histoscribe.bench.studies._board import _board as study_board

    studies = {name: STUDIES.get(name)() for name in STUDIES}
    found: dict[str, Board | StudyBoard] = {}
    suites = [r for r in records if r.benchmark not in studies and r.benchmark not in _NO_BOARD and r.target]
    for board in make_boards([one for r in suites for one in _with_controls(r)]):
        if not board.rows:
            continue
        named = board if board.id != _SINGLE else replace(board, heading=_of_single(board.rows[0].record))
        # Of one suite there can be several: other versions, other data.
        key = "evaluation" if board.id == _SINGLE else board.id
        found[key if key not in found else f"{key}~{len(found)}"] = named
    for name, study in studies.items():
        own = [r for r in records if r.benchmark == name and r.benchmark_version == study.version]
        if own:
            found[name] = study_board(study, own)
    return dict(sorted(found.items()))


#: Runs of papers prove that code runs; they are no answers to one question.
_NO_BOARD = frozenset({"paper-run"})


def _of_single(record: RunRecord) -> Heading:
    from histoscribe.bench.suite import Heading

    # Data of an evaluation are named "test C5", "train C2".
    names = ", ".join(name.removeprefix("test ") for name in record.data if not name.startswith("train "))
    return Heading(en=f"Evaluation of {record.method} on {names}", zh=f"{record.method} 在 {names} 上的评估")


def _with_controls(record: RunRecord) -> list[RunRecord]:
    """Return a single evaluation as rows of its own board: the method, and the controls that ran beside it."""
    if record.benchmark != _SINGLE:
        return [record]
    return [
        replace(record, method=name, kind="method" if name == record.method else "control", scores={name: scores})
        for name, scores in record.scores.items()
        if scores
    ]
