"""The contract of every deconvolver: what an author writes, and what is done around it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError
from histoscribe.methods._cell_reference import Reference, match_genes, tidy_counts
from histoscribe.methods._own_domains import own_domains

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from histoscribe.core.card import Card
    from histoscribe.core.section import Section

__all__ = ["Composed", "Deconvolver", "Mixture"]

#: What asks for domains of our own in place of layers.
_DOMAINS = "domains"
#: 90 % of a normal distribution lie within this many standard deviations.
_Z90 = 1.6449
_INTERVALS_ARE = (
    "intervals hold what counts leave open under this reference (90 % where it fits); a type that it lacks, profiles "
    "that are off, and cells of unequal size are not in them"
)


@dataclass(frozen=True, eq=False)
class Mixture:
    """What an author's `_deconvolve` gets.

    Attributes
    ----------
    counts
        ``(n, g)`` float64 counts of the observations that have any, on the genes used.
    reference
        Reference on the same genes in the same order.
    layers, layer_names
        ``(n,)`` codes and their names, or None and ().
    """

    counts: np.ndarray
    reference: Reference
    layers: np.ndarray | None = None
    layer_names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Composed:
    """What an author's `_deconvolve` returns.

    Attributes
    ----------
    proportions
        ``(n, k)`` amounts or shares of at least 0; they are divided by their sum.
    sd
        ``(n, k)`` standard deviations of the shares, or None where the method has none.
    facts
        JSON values about the fit: steps, why it stopped, log-likelihoods.
    gene_factors
        ``(g,)`` log factors of the platform, or None.
    layer_factors
        ``(l, g)`` log factors of the layers, or None.
    """

    proportions: np.ndarray
    sd: np.ndarray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    gene_factors: np.ndarray | None = None
    layer_factors: np.ndarray | None = None


class Deconvolver(ABC):
    """Finds the share of each cell type in each observation of a section.

    An author writes `_deconvolve`. Arguments of `__init__` are keyword-only, stored under their own names, and JSON
    values.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    uses_layers, has_uncertainty
        Whether it makes use of layers, and gives intervals.
    max_genes
        Most genes that are used: those of the reference that tell types apart best.
    """

    card: ClassVar[Card]
    uses_layers: ClassVar[bool] = False
    has_uncertainty: ClassVar[bool] = False
    max_genes: int = 1000
    #: Called with stage and proportions after each step of the reported fit, where the method has steps; for studies.
    watch_: Callable[[str, np.ndarray], None] | None = None

    def params(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, as JSON values."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    def fit(
        self,
        section: Section | AnnData,
        reference: Reference,
        *,
        layers: str | Sequence[Any] | None = None,
        cell_size: str = "equal",
        seed: int = 0,
    ) -> AnnData:
        """Deconvolve a section.

        Parameters
        ----------
        section
            Measured section, or an AnnData with counts in ``layers["counts"]`` or ``X``.
        reference
            Profiles of the cell types.
        layers
            Column of `obs`, or one label for each observation; a method without layers ignores them, and says so.
            An observation without a label is refused. ``"domains"``, where no column is called so, finds domains from
            the section's own counts and positions.
        cell_size
            ``"equal"``: shares of transcripts, which are shares of cells where cells of all types hold equally many.
            ``"reference"``: divided by the mean total of a type's cells in the reference, for a reference measured
            with the section's own technique.
        seed
            Seed of everything random.

        Returns
        -------
        AnnData, observations x genes used, without X. ``obsm["composition"]`` (n, k) float64 proportions, rows sum to
        1, names in ``uns["histoscribe"]["cell_types"]``; ``obsm["composition_lower"]`` and ``["composition_upper"]``
        90 % intervals where the method has them (of what counts leave open under this reference; notes say so);
        ``obs["composition_informed"]`` False where an observation has no counts of these genes: its proportions are the
        mean of the others, its intervals 0 to 1; ``varm["profiles"]`` (g, k),
        ``var["gene_factor"]``, ``varm["layer_factors"]`` (g, l) log factors, ``varm["profiles_<layer>"]``;
        ``uns["histoscribe"]``: method, parameters, facts of the fit, separation of the types, notes.
        """
        table = section if isinstance(section, AnnData) else section.table
        notes = list(reference.notes)
        if layers == _DOMAINS and self.uses_layers and _DOMAINS not in table.obs:
            layers = own_domains(table, seed=seed)
            notes.append(f"layers are {len(set(layers))} domains found from the section's own counts and positions")
        mixture, informed, facts = self._prepare(table, reference, layers, notes)
        found = self._deconvolve(mixture, rng=np.random.default_rng(seed))
        result = _assemble(table, mixture, found, informed, cell_size=cell_size, notes=notes)
        name = getattr(section, "name", "")
        ours = result.uns[keys.UNS]
        ours |= {"method": self.card.name, "params": json.dumps(self.params()), "seed": seed, "section": name}
        ours |= {"fit": json.dumps(facts | dict(found.facts)), "notes": notes, "cell_size": cell_size}
        return result

    def _prepare(
        self, table: AnnData, reference: Reference, layers: Any, notes: list[str]
    ) -> tuple[Mixture, np.ndarray, dict[str, Any]]:
        counts, genes, merged = tidy_counts(table)
        notes += merged
        ours, theirs, text = match_genes(genes, reference.genes)
        notes.append(text)
        seen = np.asarray(counts[:, ours].sum(0)).ravel() > 0
        ours, theirs = ours[seen], theirs[seen]
        reference = reference.subset(theirs)
        if len(reference.genes) > self.max_genes:
            chosen = reference.informative(self.max_genes)
            reference, ours = reference.subset(chosen), ours[chosen]
            notes.append(f"the {self.max_genes} genes that tell the types apart best were used")
        if len(reference.types) >= len(reference.genes):
            msg = (
                f"{len(reference.types)} cell types cannot be told apart by {len(reference.genes)} genes. Merge types, "
                "or give a section and a reference that share more genes."
            )
            raise GeneError(msg)
        # Genes in one order, whatever that of the file: sums, and so the last digits, must not depend on it.
        order = np.argsort(np.array(reference.genes, dtype=object), kind="stable")
        reference, ours = reference.subset(order), ours[order]
        matrix = counts[:, ours].toarray()
        informed = matrix.sum(1) > 0
        if not informed.any():
            msg = "no observation has a count of a gene that the reference knows. Check that the species agree."
            raise DataError(msg)
        if not informed.all():
            notes.append(f"{int((~informed).sum())} observations without counts got the mean of the others")
        code, names = self._layers(table, layers, notes)
        code = None if code is None else code[informed]
        facts = {"n_obs": int(informed.sum()), "n_genes": len(reference.genes), "n_types": len(reference.types)}
        return Mixture(matrix[informed], reference, code, names), informed, facts

    def _layers(self, table: AnnData, layers: Any, notes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
        if layers is None:
            return None, ()
        if not self.uses_layers:
            notes.append(f"{self.card.name} makes no use of layers")
            return None, ()
        if isinstance(layers, str):
            if layers not in table.obs:
                has = ", ".join(map(str, table.obs.columns[:8])) or "none"
                msg = f"the section has no obs column {layers!r} (it has {has}). Name the column with the layers."
                raise DataError(msg)
            layers = table.obs[layers]
        values = pd.Series(list(layers), dtype=object)
        if len(values) != table.n_obs or values.isna().any():
            msg = (
                f"{len(values) - int(values.isna().sum())} layer labels for {table.n_obs} observations. Give one for "
                "each, or leave out observations without a label."
            )
            raise DataError(msg)
        names = sorted(values.astype(str).unique())
        return np.asarray(pd.Categorical(values.astype(str), categories=names).codes, dtype=int), tuple(names)

    @abstractmethod
    def _deconvolve(self, mixture: Mixture, *, rng: np.random.Generator) -> Composed:
        """Return the amounts of each type in each observation."""


def _assemble(
    table: AnnData, mixture: Mixture, found: Composed, informed: np.ndarray, *, cell_size: str, notes: list[str]
) -> AnnData:
    reference = mixture.reference
    p = np.asarray(found.proportions, dtype=np.float64)
    sd = found.sd
    if cell_size == "reference":
        if reference.cell_totals is None:
            msg = "cell_size='reference' needs single cells, but the reference is a table of profiles. Give 'equal'."
            raise DataError(msg)
        weight = 1 / reference.cell_totals
        whole = (p @ weight)[:, None] / p.sum(1, keepdims=True)
        if sd is not None:
            share = p / p.sum(1, keepdims=True)
            others = (whole - share * weight) / np.maximum(1 - share, 1e-12)  # their mean weight, in the mix they have
            sd = sd * weight * others / whole**2
        p = p * weight
    elif cell_size != "equal":
        msg = f"cell_size is {cell_size!r}. Give 'equal' or 'reference'."
        raise DataError(msg)
    p = p / p.sum(1, keepdims=True)
    result = AnnData(obs=table.obs.copy(), var=pd.DataFrame(index=pd.Index(reference.genes, name="gene")))
    if keys.SPATIAL in table.obsm:
        result.obsm[keys.SPATIAL] = np.asarray(table.obsm[keys.SPATIAL])
    result.obs[keys.INFORMED] = informed
    result.obsm[keys.COMPOSITION] = _spread(p, informed)
    if sd is not None:
        # On the scale of shares, cut at 0 and 1: most types are absent from most observations, and no interval on the
        # scale of log odds, however wide, holds a share of 0.
        for key, value in ((keys.COMPOSITION_LOWER, p - _Z90 * sd), (keys.COMPOSITION_UPPER, p + _Z90 * sd)):
            # Where there was nothing to see, anything may be.
            anything = np.full(p.shape[1], float(key == keys.COMPOSITION_UPPER))
            result.obsm[key] = _spread(np.clip(value, 0.0, 1.0), informed, anything)
        notes.append(_INTERVALS_ARE)
    result.varm[keys.PROFILES] = reference.profiles.T
    if found.gene_factors is not None:
        result.var[keys.GENE_FACTOR] = found.gene_factors
    ours: dict[str, Any] = {"cell_types": list(reference.types)}
    if found.layer_factors is not None and mixture.layer_names:
        result.varm[keys.LAYER_FACTORS] = found.layer_factors.T
        ours["layers"] = list(mixture.layer_names)
        common = 0.0 if found.gene_factors is None else found.gene_factors
        for name, factor in zip(mixture.layer_names, found.layer_factors, strict=True):
            rate = reference.profiles * np.exp(common + factor)
            result.varm[f"{keys.PROFILES}_{name.replace('/', '-')}"] = (rate / rate.sum(1, keepdims=True)).T
    separation = reference.separation()
    unclear = separation.index[separation.ambiguous]
    if len(unclear):
        notes.append(f"hard to tell from their nearest type: {', '.join(map(str, unclear))}")
    ours["separation"] = separation.reset_index().astype({"type": str, "nearest": str})
    result.uns[keys.UNS] = ours
    return result


def _spread(values: np.ndarray, informed: np.ndarray, otherwise: Any = None) -> np.ndarray:
    """Put rows where there was something to see, and their mean, or `otherwise`, elsewhere."""
    full = np.tile(values.mean(0) if otherwise is None else otherwise, (len(informed), 1))
    full[informed] = values
    return full
