"""Where a suite's sections come from: files below the data folder, or a generator that is found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from histoscribe.bench.suite import data_root
from histoscribe.core.errors import DataError
from histoscribe.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section
    from histoscribe.core.target import Target

__all__ = ["SOURCES", "Source", "check_data", "check_expected", "read_sections"]

#: Generators of sections by name. The sections of known truth belong to `histoscribe.testing`, a row above this one,
#: so they are found by name when a suite asks for them, as a plug-in's would be.
SOURCES = Registry(
    "source",
    {
        "planted-spots": "histoscribe.testing:make_spots",
        "planted-stack": "histoscribe.testing:make_stack",
        "synthetic-bulk": "histoscribe.testing:SYNTHETIC_BULK",
        "synthetic-donors": "histoscribe.testing:SYNTHETIC_DONORS",
    },
)


class Source(Protocol):
    """A generator of sections of known truth."""

    def sections(self, **options: Any) -> list[Section]:
        """Return measured sections; the same options give the same sections."""
        ...

    def ceiling(self, section: Section, genes: Sequence[str], target: Target) -> np.ndarray:
        """Return the ``(g,)`` `pcc_gene` of a predictor that knows everything but the noise."""
        ...


def check_data(suite: Suite) -> None:
    """Refuse a suite of which a file is missing.

    Raises
    ------
    DataError
        Naming the missing files and where they come from.
    """
    root = data_root()
    missing = suite.data.missing(root)
    if missing:
        shown = ", ".join(missing[:12]) + (f" and {len(missing) - 12} more" if len(missing) > 12 else "")
        msg = (
            f"suite {suite.id!r} needs {len(missing)} files that are not below {root} (HISTOSCRIBE_DATA): {shown}. "
            f"Get them from: {suite.data.how_to_get}. Nothing was run: a smaller set would be another benchmark."
        )
        raise DataError(msg)


def read_sections(suite: Suite, task: str | None = None) -> list[Section]:
    """Return all sections of a suite, or those of one of its tasks, in order.

    Raises
    ------
    DataError
        If a file is missing, or there are more or fewer sections, donors or observations than the suite was frozen
        with.
    """
    if suite.data.source:
        sections = SOURCES.get(suite.data.source).sections(**suite.data.options)
    else:
        from histoscribe.io import read_specs

        check_data(suite)
        sections = read_specs(suite.data.specs(data_root(), task))
    if task is None:
        check_expected(suite, sections)
    return sections


def check_expected(suite: Suite, sections: Sequence[Section]) -> None:
    """Refuse sections that are not those that the suite was frozen with.

    Raises
    ------
    DataError
        If there are more or fewer sections, donors or observations.
    """
    found = {
        "sections": len(sections),
        "donors": len({s.donor for s in sections}),
        "observations": sum(s.n_obs for s in sections),
    }
    wrong = [
        f"{n} {what} instead of {wanted}"
        for what, n in found.items()
        if (wanted := getattr(suite.expect, what)) is not None and wanted != n
    ]
    if wrong:
        msg = (
            f"suite {suite.id!r} (version {suite.version}) finds {', '.join(wrong)}, so its numbers would not compare "
            "with stored ones. Restore the data, or give the suite a new version with the n it has now ([expect])."
        )
        raise DataError(msg)
