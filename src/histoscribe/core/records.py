"""RunRecord: one run, one JSON file, so that every number in a table can be traced and repeated."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from histoscribe.core.errors import DataError
from histoscribe.core.files import digest, read_json, write_json

__all__ = ["RunRecord"]


#: Fields that only a suite's run fills.
_SUITE_FIELDS = {
    *(
        "family",
        "protocol",
        "preset",
        "tiles",
        "per_section",
        "per_donor",
        "subsets",
        "ceiling",
        "published",
        "cost",
        "failure",
        "run_key",
    )
}


def code_commit() -> str:
    """Commit of the source tree this package runs from (``+dirty`` where changed), or its version."""
    here = Path(__file__).parent

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=False, timeout=10)

    try:
        # An installed copy may lie inside somebody else's repository; only a tracked file speaks for ours.
        if git("ls-files", "--error-unmatch", __file__).returncode != 0:
            return version("histoscribe")
        head = git("rev-parse", "HEAD").stdout.strip()
        dirty = git("status", "--porcelain", "-uno", "--", str(here.parent)).stdout.strip()  # the package alone
    except (OSError, subprocess.SubprocessError):
        return version("histoscribe")
    return head + ("+dirty" if dirty else "")


def _versions() -> dict[str, str]:
    names = ("histoscribe", "numpy", "scipy", "anndata", "onnxruntime", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is needed to repeat one evaluation, and its scores.

    Attributes
    ----------
    benchmark, benchmark_version
        Suite id and version, or ``"adhoc"`` for a single evaluation.
    method, params, encoder
        Registry names and parameters.
    genes
        The panel, in order.
    target
        ``Target.to_dict()``.
    split
        Train and test sections and donors, by name, and what the split keeps apart.
    seed
        The seed given to the method.
    data
        Section name to content digest.
    scores
        Method or control name to metric name to value.
    n
        Numbers of test observations, sections, donors and genes.
    device, seconds
        Where it ran and how long, s.
    synthetic
        True where the data were generated.
    kind
        ``"method"`` or ``"control"``.
    family
        Family of the method where it is another than expression: ``"composition"``, ``"volume"``, ``"slide-level"``.
    protocol
        ``"clean"``, or whose published protocol the suite reproduces; empty for a single evaluation.
    preset
        Named set of parameters that `params` came from.
    tiles
        ``sides_um`` and ``tile_px`` where the method uses features.
    per_section, per_donor
        Scores of each test section (with ``section``, ``donor``, ``n_obs``, ``fold``, ``n_genes``) and of each donor:
        what paired differences are made of.
    subsets
        Gene subset to ``n_genes``, ``scores``, ``ceiling``, ``per_section`` and ``per_donor``.
    ceiling
        Scores of a noise-free predictor, by count splitting; ``known_...`` where the truth is generated.
    published
        Scores as the paper averages them, where the suite reproduces its protocol.
    cost
        ``fit_s``, ``predict_s`` (sums over folds), ``peak_mb`` (largest of the folds' processes), ``parameters``
        (mean over folds), ``threads``, and the folds one by one.
    failure
        What went wrong (``fold``, ``error``, ``message``, ``log``) where there are no scores.
    run_key
        Digest of all that decided the predictions, code included.
    """

    benchmark: str = "adhoc"
    benchmark_version: str = "1"
    method: str
    params: dict[str, Any]
    encoder: str
    genes: list[str]
    target: dict[str, Any]
    split: dict[str, Any]
    seed: int
    data: dict[str, str]
    scores: dict[str, dict[str, Any]]
    n: dict[str, int]
    device: str = "cpu"
    seconds: float = 0.0
    synthetic: bool = False
    kind: str = "method"
    family: str = ""
    protocol: str = ""
    preset: str = ""
    tiles: dict[str, Any] = field(default_factory=dict)
    per_section: list[dict[str, Any]] = field(default_factory=list)
    per_donor: dict[str, dict[str, float]] = field(default_factory=dict)
    subsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)
    run_key: str = ""
    notes: list[str] = field(default_factory=list)
    commit: str = field(default_factory=code_commit)
    versions: dict[str, str] = field(default_factory=_versions)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def id(self) -> str:
        """16 hex digits of what was run (not of the scores or the time)."""
        what: tuple[Any, ...] = (
            self.benchmark,
            self.benchmark_version,
            self.method,
            self.params,
            self.encoder,
            self.genes,
        )
        # Records made before there were suites have no tiles, and keep their names.
        what += (self.tiles,) if self.tiles else ()
        # Sorted keys: a record read back from its file must keep its name.
        return digest(json.dumps([*what, self.target, self.split, self.seed, self.data], sort_keys=True))

    def save(self, path: Path | str) -> Path:
        """Write as JSON, atomically; a folder gets ``<id>.json``."""
        path = Path(path)
        if path.suffix != ".json":
            path = path / f"{self.id}.json"
        # What a single evaluation has no use for stays out of its file.
        value = {k: v for k, v in asdict(self).items() if v or k not in _SUITE_FIELDS}
        write_json(path, value | {"id": self.id})
        return path

    @classmethod
    def load(cls, path: Path | str) -> RunRecord:
        """Read what `save` wrote."""
        value = read_json(path)
        try:
            value.pop("id", None)
            return cls(**value)
        except (AttributeError, TypeError) as err:
            msg = f"{path} is JSON but not a run record ({err}). Remove it, or upgrade histoscribe if it is newer."
            raise DataError(msg) from err
