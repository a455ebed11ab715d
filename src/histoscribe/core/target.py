"""Target and panel: which genes are predicted, and what is done to their counts first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.array import array_of, neighbourhood
from histoscribe.core.errors import DataError, GeneError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["Target", "choose_panel", "common_genes", "panel_counts"]

Library = Literal["all", "panel", "none"]
Base = Literal["e", "10"]
Smooth = Literal["none", "array-3x3"]

_LIBRARIES: dict[Library, str] = {
    "all": "all measured genes",
    "panel": "the panel's genes",
    "none": "not normalised",
}
_LOGS: dict[Base, str] = {"e": "ln", "10": "log10"}
_SMOOTHS: dict[Smooth, str] = {"none": "", "array-3x3": ", 3x3 mean"}
_UNIT = re.compile(r"(ln|log10)\(1 \+ counts(?: per ([0-9.e+]+)( of the panel)?)?\)(, 3x3 mean)?")


@dataclass(frozen=True)
class Target:
    """The declared transform from counts to what a method predicts.

    Counts are divided by the observation's library size, multiplied by `scale`, and log(1 + x)-transformed; a target
    may then be averaged over the array's 3x3 neighbourhood. The defaults are the clean choice; the others exist to
    repeat what papers did.

    Attributes
    ----------
    scale
        Counts per this many; 1e4 is CP10k. 1 where nothing is normalised.
    library
        Library size over ``"all"`` measured genes, or over the ``"panel"`` only, as in TRIPLEX and HisToGene:
        normalising inside a panel leaks depth into every gene, and makes a gene's value depend on the others.
        ``"none"`` takes raw counts, as the HEST-Benchmark does: every gene then tells the depth.
    base
        Base of the logarithm: ``"e"``, or ``"10"`` (scprep's default).
    smooth
        ``"array-3x3"`` averages the transformed values over the 3x3 array neighbourhood, itself included (TRIPLEX).
        It removes noise from the truth that is scored, so scores rise without a better prediction.
    """

    kind: ClassVar[str] = "log1p-rate"
    axis: ClassVar[str] = "gene"
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    scale: float = 1e4
    library: Library = "all"
    base: Base = "e"
    smooth: Smooth = "none"

    def __post_init__(self) -> None:
        for name, choices in (("library", Library), ("base", Base), ("smooth", Smooth)):
            value = getattr(self, name)
            if value not in get_args(choices):
                allowed = " or ".join(repr(c) for c in get_args(choices))
                msg = f"a target's {name} cannot be {value!r}. Give {allowed}."
                raise DataError(msg)
        if not (np.isfinite(self.scale) and self.scale > 0):
            msg = f"a target's scale cannot be {self.scale!r}. Give a positive number of counts, e.g. 10000."
            raise DataError(msg)
        if self.library == "none" and self.scale != 1:
            msg = f"a target without normalisation cannot be in counts per {self.scale:g}. Give scale = 1 with it."
            raise DataError(msg)

    @property
    def unit(self) -> str:
        """Name of the unit, written beside every value."""
        inside = " of the panel" if self.library == "panel" else ""
        per = "" if self.library == "none" else f" per {self.scale:g}{inside}"
        return f"{_LOGS[self.base]}(1 + counts{per}){_SMOOTHS[self.smooth]}"

    def __call__(self, section: Section, genes: Sequence[str], *, panel: Sequence[str] | None = None) -> np.ndarray:
        """Return ``(n, g)`` float32 for `genes` in order.

        Observations without any count become rows of zeros (before they are averaged).

        Parameters
        ----------
        section
            A measured section. A 3x3 mean is taken over its own observations, so give it whole.
        genes
            Which genes.
        panel
            The whole panel, where `genes` are only some of it; only a library inside the panel makes use of it.

        Raises
        ------
        GeneError
            If the section lacks some of the genes.
        CoordinateError
            If the 3x3 mean is asked for where there is no square array.
        """
        array = array_of(section) if self.smooth != "none" else None
        if panel is None or self.library != "panel":
            return self.transform(panel_counts(section, genes), section.depth, array=array)
        place = {gene: i for i, gene in enumerate(panel)}
        columns = [place[gene] for gene in genes]
        return self.transform(panel_counts(section, panel), section.depth, array=array)[:, columns]

    def panel(self, sections: Sequence[Section], wanted: int | Sequence[str]) -> list[str]:
        """Return the panel: `wanted`, or that many genes by `choose_panel`."""
        return choose_panel(sections, wanted) if isinstance(wanted, int) else list(wanted)

    def counts(self, section: Section, genes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(n, g)`` float32 raw counts and ``(n,)`` float64 library sizes, for count likelihoods."""
        return panel_counts(section, genes), section.depth

    def finish(self, values: np.ndarray) -> np.ndarray:
        """Return predictions as they are: expression has no shape that they could be brought into."""
        return values

    def fill(self, table: AnnData) -> None:
        """Write nothing: the slots of a prediction are all that expression needs."""

    def transform(self, counts: np.ndarray, depth: np.ndarray, *, array: np.ndarray | None = None) -> np.ndarray:
        """Transform ``(n, g)`` counts of the panel with ``(n,)`` library sizes over all measured genes.

        `array` ((n, 2) integer rows and columns) is needed where the target is smoothed.
        """
        return self.values(counts, depth, array=array).astype(np.float32)

    def values(self, counts: np.ndarray, depth: np.ndarray, *, array: np.ndarray | None = None) -> np.ndarray:
        """Return what `transform` returns, in float64."""
        counts = np.asarray(counts, dtype=np.float64)
        if self.library == "none":
            return self._of(counts, array)
        library = depth if self.library == "all" else counts.sum(1)
        return self._of(counts / np.maximum(library, 1.0)[:, None], array)

    def of_shares(self, shares: np.ndarray, *, array: np.ndarray | None = None) -> np.ndarray:
        """Transform ``(n, g)`` expected shares of the whole library into ``(n, g)`` float64 of the target.

        This is where a model of rates, or a planted truth, meets the unit that is scored: shares are renormalised
        inside the panel where the library is the panel's.
        """
        if self.library == "none":
            msg = f"shares of a library say nothing about raw counts ({self.unit}). Use a target that is normalised."
            raise DataError(msg)
        shares = np.asarray(shares, dtype=np.float64)
        if self.library == "panel":
            total = shares.sum(1, keepdims=True)
            shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
        return self._of(shares, array)

    def _of(self, rate: np.ndarray, array: np.ndarray | None) -> np.ndarray:
        values = np.log1p(rate * self.scale)
        if self.base == "10":
            # One exact factor on the natural logarithm: squared errors of the two bases differ by (ln 10)^2.
            values = values / np.log(10.0)
        if self.smooth == "none":
            return values
        if array is None:
            msg = (
                f"a target in {self.unit!r} needs the array places of its observations. Call target(section, genes), "
                "or pass array=."
            )
            raise DataError(msg)
        return np.asarray(neighbourhood(array) @ values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; those of the clean default are the same as before there were others."""
        value = {"kind": "log1p-rate", "scale": self.scale, "unit": self.unit, "library": _LIBRARIES[self.library]}
        if self.base != "e":
            value["base"] = self.base
        if self.smooth != "none":
            value["smooth"] = self.smooth
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Target:
        """Return the target that `to_dict`, or a suite's ``[target]`` table, describes.

        Raises
        ------
        DataError
            If a key or value is unknown, or the unit is not that of the rest.
        """
        unknown = sorted(set(value) - {"kind", "scale", "unit", "library", "base", "smooth"})
        kind = value.get("kind", "log1p-rate")
        if unknown or kind != "log1p-rate":
            what = f"key {unknown[0]!r}" if unknown else f"kind {kind!r}"
            msg = f"a target has no {what}. Give scale, library, base and smooth, or upgrade histoscribe."
            raise DataError(msg)
        names = {text: name for name, text in _LIBRARIES.items()}
        library = value.get("library", "all")
        target = cls(
            scale=float(value.get("scale", cls.scale)),
            library=names.get(library, library),
            base=str(value.get("base", "e")),  # type: ignore[arg-type]
            smooth=value.get("smooth", "none"),
        )
        if value.get("unit", target.unit) != target.unit:
            msg = f"a target of unit {value['unit']!r} would be in {target.unit!r} by its other values. Mend one."
            raise DataError(msg)
        return target

    @classmethod
    def from_unit(cls, unit: str) -> Target | None:
        """Return the target whose unit this is, or None where it is none of ours."""
        found = _UNIT.fullmatch(unit)
        if found is None:
            return None
        target = cls(
            scale=float(found[2] or 1),
            library="none" if found[2] is None else "panel" if found[3] else "all",
            base="10" if found[1] == "log10" else "e",
            smooth="array-3x3" if found[4] else "none",
        )
        return target if target.unit == unit else None


def panel_counts(section: Section, genes: Sequence[str]) -> np.ndarray:
    """Return the ``(n, g)`` float32 raw counts of `genes`, in order.

    Raises
    ------
    GeneError
        If the section lacks some of them.
    """
    index = section.table.var_names.get_indexer(list(genes))
    if (index < 0).any():
        lacking = [g for g, i in zip(genes, index, strict=True) if i < 0]
        msg = (
            f"section {section.name!r} lacks {len(lacking)} of {len(genes)} genes ({', '.join(lacking[:3])}). "
            "Choose genes that all sections measure, or check the symbols and the species."
        )
        raise GeneError(msg)
    return sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float32)[:, index].toarray()


def common_genes(sections: Sequence[Section]) -> list[str]:
    """Return the genes that every section measures, in the first one's order.

    Raises
    ------
    DataError
        If a section has no measured expression.
    GeneError
        If no gene is common to all.
    """
    for section in sections:
        if not section.measured:
            msg = f"section {section.name!r} has no counts, so nothing can be learned from it. Give a measured section."
            raise DataError(msg)
    shared = set(sections[0].table.var_names).intersection(*(s.table.var_names for s in sections[1:]))
    if not shared:
        names = ", ".join(repr(s.name) for s in sections)
        msg = (
            f"sections {names} have no gene in common. Check that all use symbols (or all Ensembl ids) of one species."
        )
        raise GeneError(msg)
    return [g for g in sections[0].table.var_names if g in shared]


def choose_panel(sections: Sequence[Section], n_genes: int) -> list[str]:
    """Choose the `n_genes` genes of highest mean count over the training sections' observations.

    The field's usual rule (ST-Net, TRIPLEX), with one difference: only training sections may be given, because a
    panel chosen with the test section in view leaks. Ties break by name, so that the order of files does not matter.

    Raises
    ------
    GeneError
        If fewer than `n_genes` genes are common to all sections.
    """
    genes = common_genes(sections)
    if len(genes) < n_genes:
        msg = f"{n_genes} genes were asked for, but the sections share {len(genes)}. Ask for at most {len(genes)}."
        raise GeneError(msg)
    total = np.zeros(len(genes))
    for section in sections:
        counts = sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float64)
        total += np.asarray(counts.sum(0)).ravel()[section.table.var_names.get_indexer(genes)]
    order = sorted(range(len(genes)), key=lambda i: (-total[i], genes[i]))
    return [genes[i] for i in order[:n_genes]]
