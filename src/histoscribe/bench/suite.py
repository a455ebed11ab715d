"""Suite: a frozen, versioned question in TOML: data, split, genes, target, controls, and the methods asked."""

from __future__ import annotations

import os
import re
import tomllib
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from histoscribe.core.errors import DataError, GeneError, RegistryError
from histoscribe.core.files import digest
from histoscribe.core.registry import did_you_mean
from histoscribe.core.target import Target

__all__ = [
    "Data",
    "Expect",
    "Heading",
    "MethodEntry",
    "Panel",
    "SplitRule",
    "Subset",
    "Suite",
    "Tiles",
    "data_root",
    "load_suite",
    "suite_names",
]

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Text = Annotated[str, StringConstraints(min_length=1)]
SplitKind = Literal["leave-one-donor-out", "donor-folds", "leave-one-section-out", "spatial-strips", "fixed", "files"]
#: Keys that change no number of a run.
_WORDS = ["heading", "notes", "methods", "controls", "metrics", "published", "seed", "protocol", "expect", "elsewhere"]
#: Published metrics that average folds without tasks.
_PUBLISHED = ("published_mae", "published_mse", "published_pcc_a", "published_pcc_h", "published_pcc_spot")


class _Model(BaseModel):
    # An unknown key is a typing mistake in a file that people write by hand, so it is refused by name.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Heading(_Model):
    """The line above every table of the suite; says the small n and "one donor" where that is so."""

    en: Text
    zh: Text


class Data(_Model):
    """Which sections: read from files, or generated.

    Attributes
    ----------
    names
        Names of the sections, in order.
    tasks
        In place of `names`: task to the names of its sections. Each task is divided by itself and has panels of its
        own; sections of different tasks never meet.
    apart
        Tasks that are run and shown, but take no part in an average over tasks.
    donors
        Section to donor, for ``{donor}``; a section that is not listed is a donor of its own.
    section
        Specification of one, as on the command line, with ``{root}``, ``{name}``, ``{task}`` and ``{donor}``:
        ``"st-array:{root}/her2st?section={name}&species=human"``.
    files
        Patterns below the root (``{name}`` and ``{task}`` are filled in, ``*`` matches) of files that must be there,
        each for every section. One that matches nothing is missing, and the suite then runs nothing.
    how_to_get
        Where missing files come from.
    source, options
        Registry name of a generator of sections (`histoscribe.bench.sources.SOURCES`) and its arguments, instead of
        all above.
    """

    names: tuple[Text, ...] = ()
    tasks: dict[str, tuple[Text, ...]] = {}
    apart: tuple[Text, ...] = ()
    donors: dict[str, str] = {}
    section: str = ""
    files: tuple[Text, ...] = ()
    how_to_get: str = ""
    source: str = ""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> Data:
        listed = bool(self.names) + bool(self.tasks)
        if bool(self.source) == bool(self.section) or bool(self.section) != (listed == 1):
            msg = "give either names (or tasks) and section (read from files) or source (generated)"
            raise ValueError(msg)
        unknown = [n for n in self.donors if n not in self.every] + [t for t in self.apart if t not in self.tasks]
        if unknown:
            msg = f"donors and apart name {', '.join(unknown)}, which are not among the sections and tasks"
            raise ValueError(msg)
        if self.section and not (self.files and self.how_to_get):
            msg = "data read from files need `files` (what must be there) and `how_to_get`"
            raise ValueError(msg)
        return self

    @property
    def every(self) -> dict[str, str]:
        """Name of every section to its task, in order; the task is empty where there are none."""
        return dict.fromkeys(self.names, "") | {name: task for task, names in self.tasks.items() for name in names}

    def specs(self, root: Path, task: str | None = None) -> list[str]:
        """Return the specification of every section, or of those of one task."""
        return [
            self.section.format(root=root, name=name, task=own, donor=self.donors.get(name, name))
            for name, own in self.every.items()
            if task in (None, own)
        ]

    def missing(self, root: Path) -> list[str]:
        """Return the patterns below `root` that match no file, in order, each once."""
        every = self.every.items()
        wanted = dict.fromkeys(pattern.format(name=name, task=task) for name, task in every for pattern in self.files)
        return [pattern for pattern in wanted if not any(root.glob(pattern))]


class SplitRule(_Model):
    """How sections are divided.

    Attributes
    ----------
    kind
        ``"leave-one-donor-out"``; ``"donor-folds"`` (`k` folds of donors); ``"leave-one-section-out"`` (other
        sections of the same donor may be in training: says so on the board); ``"spatial-strips"`` (`k` strips of each
        single section, `gap_um` between training and test); ``"fixed"`` (`train` and `test`, by section name);
        ``"files"`` (``splits/train_<i>.csv`` and ``test_<i>.csv`` in each task's folder, as published: a donor on both
        sides is not refused). Tasks with fewer than `k` donors have one fold for each.
    """

    kind: SplitKind
    k: int | None = Field(default=None, ge=2)
    gap_um: float | None = Field(default=None, ge=0)
    train: tuple[Text, ...] = ()
    test: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _what_the_kind_needs(self) -> SplitRule:
        needs: dict[str, set[str]] = {
            "donor-folds": {"k"},
            "spatial-strips": {"k", "gap_um"},
            "fixed": {"train", "test"},
        }
        given = {name for name in ("k", "gap_um", "train", "test") if getattr(self, name) not in (None, ())}
        if given != needs.get(self.kind, set()):
            wanted = ", ".join(sorted(needs.get(self.kind, set()))) or "nothing more"
            msg = f"kind {self.kind!r} takes {wanted}"
            raise ValueError(msg)
        return self


class Panel(_Model):
    """Which genes are predicted and scored.

    Attributes
    ----------
    rule
        Registry name (`histoscribe.bench.panels.PANELS`): ``"highest-mean"`` (`n_genes` of highest mean count in the
        training sections of each fold), ``"list"`` (the file `genes`, one symbol a line, beside the suite), ``"all"``
        (all genes that every section measures), or another rule, e.g. a published one that looks at test sections.
    include, exclude
        Regular expressions a gene's name must, or must not, match (`re.search`); applied before the rule counts.
    options
        What another rule needs.
    """

    rule: Text
    n_genes: int | None = Field(default=None, ge=1)
    genes: str = ""
    include: str = ""
    exclude: str = ""
    options: dict[str, Any] = {}


class Tiles(_Model):
    """Tiles that the colour control sees, and the default of a method entry without `size_um`: none, its own."""

    sides_um: tuple[float, ...] = (112.0,)
    tile_px: int = 224


class Subset(_Model):
    """A subset of the panel, by its genes' names, that is scored separately besides the whole panel.

    `heading` says what it is; `include` and `exclude` are regular expressions as in `Panel`.
    """

    name: Id
    heading: Heading
    include: str = ""
    exclude: str = ""

    def choose(self, genes: list[str]) -> list[str]:
        """Return the genes of the subset, in order."""
        return choose_names(genes, self.include, self.exclude)


class MethodEntry(_Model):
    """A method and what it runs with here; what is left out is the method's own default.

    `method` and `preset` are registry names, `size_um` tile sides in um, `params` single parameters.
    """

    method: Text
    preset: str | None = None
    encoder: str | None = None
    size_um: tuple[float, ...] | None = None
    params: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """``method`` or ``method@preset``."""
        return f"{self.method}@{self.preset}" if self.preset else self.method


class Expect(_Model):
    """The n that the suite was frozen with; a run that finds another n stops. A number left out is not checked."""

    sections: int | None = None
    donors: int | None = None
    observations: int | None = None
    folds: int | None = None
    genes: int | None = None


class Suite(_Model):
    """One benchmark; see the fields' classes.

    Attributes
    ----------
    id, version
        Name (that of its file) and version; anything that changes a number needs a new version.
    protocol
        ``"clean"``, or in words whose protocol it reproduces (``"as published: TRIPLEX"``).
    heading, notes
        Line above its tables, and sentences below them.
    target
        Arguments of `histoscribe.core.target.Target`, e.g. ``{scale = 1e4}``.
    metrics
        Columns of its board, by registry name, the one that ranks first; all metrics are in the records.
    published
        Published metrics of an as-published suite, by registry name; default all that average folds without tasks.
    controls
        Registry names of the controls scored beside the methods.
    elsewhere
        Suites of other protocols on the same data; what papers report under those is mentioned, as not comparable.
    seed
        Default of ``--seed``: seed of methods, count splitting and controls.
    """

    id: Id
    version: Text
    protocol: Text = "clean"
    heading: Heading
    notes: tuple[Heading, ...] = ()
    data: Data
    split: SplitRule
    panel: Panel
    target: dict[str, Any] = {}
    tiles: Tiles = Tiles()
    subsets: tuple[Subset, ...] = ()
    methods: tuple[MethodEntry, ...]
    controls: tuple[Text, ...] = ("training-mean", "colour-ridge", "log-depth-oracle", "array-knn", "sister-copy")
    metrics: tuple[Text, ...] = (
        "pcc_gene",
        "depth_partial_pcc_gene",
        "ceiling_normalised_pcc_gene",
        "spearman_gene",
        "r2_train_mean",
        "moran_agreement",
        "variance_ratio",
        "mse",
    )
    published: tuple[Text, ...] = _PUBLISHED
    expect: Expect
    elsewhere: tuple[Id, ...] = ()
    seed: int = 0
    #: Folder of its file; stored gene lists lie beside it. Not a key of the file.
    folder: Path = Field(default=Path(), exclude=True)

    @property
    def clean(self) -> bool:
        """False where a published protocol is reproduced, faults included."""
        return self.protocol == "clean"

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / f"{self.id}.toml"

    def make_target(self) -> Target:
        """Return the transform of the counts."""
        try:
            return Target.from_dict(self.target)
        except DataError as err:
            err.add_note(f"in [target] of suite {self.id!r}")
            raise

    def digest(self) -> str:
        """16 hex digits of what decides the numbers of a run: all but headings, notes, methods and columns."""
        aside: dict[str, Any] = dict.fromkeys(_WORDS, True)
        # Suites without tasks keep the digest that they had before there were any.
        aside["data"] = {"apart"} | {key for key in ("tasks", "donors") if not getattr(self.data, key)}
        return digest(self.model_dump_json(exclude=aside))


def choose_names(genes: list[str], include: str, exclude: str) -> list[str]:
    """Return the genes whose names match `include` and not `exclude` (regular expressions; empty: no condition)."""
    kept = [g for g in genes if not include or re.search(include, g)]
    return [g for g in kept if not exclude or not re.search(exclude, g)]


def data_root() -> Path:
    """Folder of the data: `HISTOSCRIBE_DATA`, default ``../shared/data``."""
    return Path(os.environ.get("HISTOSCRIBE_DATA", "../shared/data"))


def suite_names() -> dict[str, Path]:
    """Return every suite's id and file: those of this package, then plug-ins' (entry points ``histoscribe.suite``).

    A plug-in's entry point names its suite and points to the path of a TOML file (``"package.module:PATH"``).
    """
    folder = Path(str(files("histoscribe.bench").joinpath("suites")))
    found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    for point in entry_points(group="histoscribe.suite"):
        # A plug-in can add a suite but never replace one of ours: numbers under an id must stay comparable.
        if point.name not in found:
            found[point.name] = Path(point.load())
    return found


def load_suite(name: str | Path) -> Suite:
    """Read a suite by its id, or a ``.toml`` file by its path.

    Raises
    ------
    RegistryError
        If there is no such suite.
    DataError
        If the file is damaged, or says something that a suite cannot say.
    """
    text = str(name)
    path = Path(text)
    if path.suffix != ".toml":
        known = suite_names()
        if text not in known:
            msg = f"there is no suite called {text!r}. {did_you_mean(text, known)}"
            raise RegistryError(msg)
        path = known[text]
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        msg = f"suite {path} does not exist. Check the path, or see `histoscribe bench list`."
        raise DataError(msg) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        msg = f"suite {path} is not valid TOML ({err}). Correct it."
        raise DataError(msg) from err
    return _validated(path, value)


def _validated(path: Path, value: dict[str, Any]) -> Suite:
    try:
        suite = Suite.model_validate(value | {"folder": path.parent})
    except ValidationError as err:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'suite'}: {e['msg']}" for e in err.errors())
        msg = f"suite {path.name} cannot be used: {problems}. Correct {path}; its keys are told in bench/suite.py."
        raise DataError(msg) from err
    if "folder" in value:
        msg = f"suite {path.name} has an unknown key 'folder'. Remove it from {path}."
        raise DataError(msg)
    if suite.id != path.stem:
        msg = f"suite {path} calls itself {suite.id!r}. Name the file {suite.id}.toml, or correct its id."
        raise DataError(msg)
    if len({s.name for s in suite.subsets}) < len(suite.subsets):
        msg = f"suite {path.name} names a gene subset twice. Give each [[subsets]] its own name."
        raise GeneError(msg)
    return suite
