"""Plan: which runs a suite asks for, each resolved to the last default and named by all that decides it."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.bench._job import Job
from histoscribe.bench.controls import CONTROLS
from histoscribe.bench.embeddings import embeddings_digest, embeddings_name
from histoscribe.bench.suite import MethodEntry
from histoscribe.core.errors import DataError
from histoscribe.core.files import digest, file_digest
from histoscribe.encoders import weights_fingerprint
from histoscribe.methods import EXPRESSION, expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.folds import Fold
    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section

__all__ = ["Run", "code_digest", "plan_runs"]

#: What a prediction can depend on, besides the method's own module: the package below its benchmark, and the parts of
#: the benchmark that a fold runs through. Words on a board do not make a run stale.
_CODE = ("core", "io", "slide", "tiles", "encoders", "nn", "align", "train", "metrics", "methods")
_BENCH = ("_job", "controls", "embeddings", "folds", "panels", "published_panels", "splits")


@dataclass(frozen=True)
class Run:
    """One suite x method x preset x parameters x seed, or one control; all folds.

    Attributes
    ----------
    kind, name
        Method or control, and its registry name.
    preset, params, encoder, size_um
        What it runs with; `encoder` is empty and `size_um` none where no features are used.
    seed
        Seed of everything random.
    embeddings
        Folder of features that take an encoder's place; empty where there is none.
    key
        Digests of all that decides its predictions: suite and data; method, parameters and seed; code.
    """

    kind: Literal["method", "control"]
    name: str
    preset: str
    params: dict[str, Any]
    encoder: str
    size_um: tuple[float, ...]
    seed: int
    key: str
    embeddings: str = ""

    @property
    def question(self) -> str:
        """The key without its last part, the code: what was asked, whoever answered."""
        return self.key.rpartition("-")[0]

    @property
    def title(self) -> str:
        """``method`` or ``method@preset``."""
        return f"{self.name}@{self.preset}" if self.preset else self.name

    def folder(self, work: Path, fold: int) -> Path:
        """Where a fold's files lie."""
        return work / self.title / self.key / f"fold-{fold}"

    def job(self, suite: Suite, fold: Fold, *, work: Path, threads: int) -> Job:
        """Return the job of one fold."""
        return Job(
            suite=str(suite.path),
            what=self.kind,
            name=self.name,
            fold=fold.index,
            seed=self.seed,
            threads=threads,
            out=str(self.folder(work, fold.index)),
            params=self.params,
            encoder=self.encoder,
            size_um=self.size_um,
            task=fold.task,
            place=fold.place,
            embeddings=self.embeddings,
        )

    def encoding(self, suite: Suite, fold: Fold, *, work: Path, threads: int) -> Job | None:
        """Return the job that fills the feature cache for one fold, or None where no features are computed."""
        if not self.encoder or self.embeddings:
            return None
        named = [self.encoder, self.size_um, self.key_of_data, code_digest()]
        what = json.dumps([*named, *filter(None, [weights_fingerprint(self.encoder)])])
        out = work / "features" / digest(what) / f"fold-{fold.index}"
        job = self.job(suite, fold, work=work, threads=threads)
        return Job(**asdict(job) | {"what": "encode", "out": str(out), "params": {}})

    @property
    def key_of_data(self) -> str:
        """First part of the key: suite and data."""
        return self.key.partition("-")[0]


def plan_runs(
    suite: Suite,
    sections: Sequence[Section],
    *,
    methods: Sequence[str] = (),
    seed: int,
    controls: bool = True,
    encoder: str | None = None,
    embeddings: Path | str | None = None,
) -> list[Run]:
    """Resolve what is to be run, in order; controls first, since they cost least.

    Parameters
    ----------
    suite, sections
        The suite and its sections.
    methods
        ``method`` or ``method@preset``; default all of the suite. A method that the suite lists runs as listed, with
        every preset listed where none is named; another one runs with its own defaults.
    seed
        Seed of everything random.
    controls
        Run the suite's controls, too.
    encoder
        Registry name of the encoder of every method that uses features, in place of what the suite says.
    embeddings
        Folder of features in place of an encoder; see `histoscribe.bench.embeddings`.

    Raises
    ------
    RegistryError
        If a method, preset, parameter or control does not exist.
    """
    data = digest(suite.digest(), *(f"{s.name} {s.origin.digest if s.origin else ''}" for s in sections))
    runs = [_control(suite, name, seed, data) for name in suite.controls] if controls else []
    given = _given(suite, encoder, embeddings)
    for entry in _entries(suite, methods):
        run = _method(suite, entry, seed, data, given)
        if run not in runs:
            runs.append(run)
    return runs


def _entries(suite: Suite, methods: Sequence[str]) -> list[MethodEntry]:
    if not methods:
        return list(suite.methods)
    found: list[MethodEntry] = []
    for text in methods:
        method, _, preset = text.partition("@")
        listed = [e for e in suite.methods if e.method == method and (not preset or e.preset == preset)]
        found += listed or [MethodEntry(method=method, preset=preset or None)]
    return found


def _control(suite: Suite, name: str, seed: int, data: str) -> Run:
    encoder = CONTROLS.get(name).encoder
    size_um = suite.tiles.sides_um if encoder else ()
    return Run(
        "control", name, "", {}, encoder, size_um, seed, f"{data}-{digest(name, str(seed))}-{digest(code_digest())}"
    )


@dataclass(frozen=True)
class _Given:
    """Features that a call asks for in place of the suite's: an encoder, or a folder and the digest of its content."""

    encoder: str = ""
    embeddings: str = ""
    content: str = ""


def _given(suite: Suite, encoder: str | None, embeddings: Path | str | None) -> _Given:
    if embeddings is None:
        return _Given(encoder or "")
    if encoder:
        msg = f"encoder {encoder!r} and embeddings {embeddings} were both given. Give one of them."
        raise DataError(msg)
    folder = Path(embeddings).resolve()
    return _Given(embeddings_name(folder), str(folder), embeddings_digest(suite, folder))


def _method(suite: Suite, entry: MethodEntry, seed: int, data: str, given: _Given) -> Run:
    if entry.method in CONTROLS:
        msg = f"{entry.method!r} is the name of a control, so its row could not be told apart. Rename the method."
        raise DataError(msg)
    predictor = expression(entry.method, preset=entry.preset, **entry.params)
    encoder, size_um, embeddings = "", (), ""
    if given.embeddings and predictor.uses_pixels:
        msg = f"method {entry.name!r} reads the slide itself, so stored embeddings do not serve it. Leave it out."
        raise DataError(msg)
    if predictor.uses_features:
        encoder, embeddings = given.encoder or entry.encoder or predictor.default_encoder, given.embeddings
        size_um = tuple(float(s) for s in entry.size_um or predictor.default_size_um)
    params = predictor.params()
    # The content of a folder or of fetched weights, not its place; other runs keep the keys that they had before.
    content = given.content if embeddings else weights_fingerprint(encoder)
    asked = [entry.method, params, encoder, size_um, seed, *filter(None, [content])]
    what = json.dumps(asked, sort_keys=True)
    key = f"{data}-{digest(what)}-{digest(code_digest(), _module_digest(entry.method))}"
    return Run("method", entry.method, entry.preset or "", params, encoder, size_um, seed, key, embeddings)


def code_digest() -> str:
    """16 hex digits of the source that every prediction runs through, as it is on disk now."""
    package = Path(__file__).parents[1]
    found = [p for part in _CODE for p in (package / part).rglob("*.py") if p.parent != package / "methods/expression"]
    found += [package / "bench" / f"{name}.py" for name in _BENCH]
    return digest(*(f"{p.relative_to(package)} {file_digest(p)}" for p in sorted(found)))


@cache
def _module_digest(method: str) -> str:
    """Digest of the method's own module, and of those it inherits from outside this package's shared parts."""
    sources = {inspect.getsourcefile(c) for c in EXPRESSION.get(method).__mro__ if c.__module__ != "builtins"}
    return digest(*(file_digest(s) for s in sorted(filter(None, sources))))
