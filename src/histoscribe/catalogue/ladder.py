"""The code ladder: how far the code of a paper has been seen to go, 0 to 6.

Rungs 1-4 follow from facts about the authors' repository. Rungs 5 and 6 follow from stored run records alone: nobody
can write them into a record by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.core.files import read_json
from histoscribe.core.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from histoscribe.catalogue.schema import Paper

__all__ = ["RUNGS", "Climb", "climb", "ladder", "load_runs", "results_folder"]

#: Level to its name, in English and Chinese.
RUNGS: Mapping[int, tuple[str, str]] = {
    0: ("none known", "未知"),
    1: ("link", "链接"),
    2: ("licence", "许可"),
    3: ("environment", "环境"),
    4: ("weights or data", "权重或数据"),
    5: ("runs here", "可在此运行"),
    6: ("reproduces", "可复现"),
}


@dataclass(frozen=True)
class Climb:
    """Where a paper stands.

    Attributes
    ----------
    level
        5 or 6 where stored runs say so; else the highest rung below which none is missing.
    has
        Rung to True, False, or None where it was not read.
    runs
        The run records behind rungs 5 and 6.
    reproduced
        One line for each result that a run reproduces.
    """

    level: int = 0
    has: Mapping[int, bool | None] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()
    reproduced: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the level."""
        return RUNGS[self.level][0]


def climb(paper: Paper, runs: Iterable[RunRecord] = ()) -> Climb:
    """Place one paper on the ladder.

    Parameters
    ----------
    paper
        The record.
    runs
        Stored runs of methods whose card names this paper.
    """
    runs = tuple(runs)
    has = _rungs(paper)
    reproduced = tuple(_reproduced(paper, runs))
    has[5], has[6] = bool(runs), bool(reproduced)
    level = 0
    while level < 4 and has[level + 1]:
        level += 1
    return Climb(6 if reproduced else 5 if runs else level, has, runs, reproduced)


def _rungs(paper: Paper) -> dict[int, bool | None]:
    code = paper.code
    if code is None:
        return dict.fromkeys((1, 2, 3, 4))
    read = code.status in {"read", "incomplete"}
    offered = [x for x in (code.weights, code.data) if x]
    return {
        1: code.url is not None,
        2: code.licence != "none" if code.licence else (False if read else None),
        3: code.environment,
        4: any(x != "none" for x in offered) if offered else None,
    }


def _reproduced(paper: Paper, runs: tuple[RunRecord, ...]) -> Iterable[str]:
    """Yield one line for each reported result that a run on measured data meets within its tolerance."""
    for result in paper.results:
        if result.origin != "paper" or not result.benchmark or result.tolerance is None:
            continue
        for run in runs:
            # A generated section says that the code works, never that a published number is right.
            if run.synthetic or run.benchmark != result.benchmark:
                continue
            value = _score(run, result.metric)
            if value is not None and abs(value - result.value) <= result.tolerance:
                yield f"{result.metric} {value:.3f} here, {result.value:.3f} reported ({run.benchmark}, run {run.id})"


def _score(run: RunRecord, metric: str) -> float | None:
    value: Any = run.scores.get(run.method, {}).get(metric)
    value = value.get("mean", value.get("value")) if isinstance(value, dict) else value
    return float(value) if isinstance(value, int | float) else None


def ladder(
    papers: Mapping[str, Paper],
    runs: Iterable[RunRecord] = (),
    *,
    papers_of: Callable[[RunRecord], Iterable[str]] | None = None,
) -> dict[str, Climb]:
    """Place every paper on the ladder.

    Parameters
    ----------
    papers
        Id to record.
    runs
        Stored runs.
    papers_of
        Run to the papers that the cards of its method and encoder name. The catalogue lies below the methods and
        cannot ask them itself.
    """
    by_paper: dict[str, list[RunRecord]] = {}
    for run in runs:
        for key in papers_of(run) if papers_of else ():
            by_paper.setdefault(key, []).append(run)
    return {key: climb(paper, by_paper.get(key, ())) for key, paper in papers.items()}


def load_runs(folder: Path | str) -> list[RunRecord]:
    """Read every run record under `folder`, ordered by path; other JSON files and an absent folder hold none.

    Raises
    ------
    DataError
        If a file is a run record but damaged.
    """
    runs = []
    for path in sorted(Path(folder).rglob("*.json")):
        value = read_json(path)
        if not isinstance(value, dict) or not {"method", "scores", "split", "seed"} <= set(value):
            continue
        try:
            runs.append(RunRecord(**{name: v for name, v in value.items() if name != "id"}))
        except TypeError as err:
            msg = f"{path} is a damaged run record ({err}). Run it again, or take it away."
            raise DataError(msg) from err
    return runs


def results_folder() -> Path:
    """Folder of the stored runs: `results/` of a source checkout, else the one that came with the package."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").exists() and (checkout / "src").is_dir():
        return checkout / "results"
    return package / "results"
