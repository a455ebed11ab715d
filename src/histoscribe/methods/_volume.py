"""The contract of every imputer: what an author writes, and what is done around it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError, LeakError, SlideError
from histoscribe.core.spacing import spacing_um
from histoscribe.core.target import Target, choose_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.card import Card
    from histoscribe.core.section import Section
    from histoscribe.core.stack import Stack
    from histoscribe.methods._volume_target import StackTarget

__all__ = ["Imputed", "Imputer", "Plane", "Volume"]

#: 90 % of a normal distribution lie within this many standard deviations.
_Z90 = 1.6449


@dataclass(frozen=True, eq=False)
class Plane:
    """One section of a stack, as an imputer sees it.

    Attributes
    ----------
    name
        Of the section.
    xy_um
        ``(n, 2)`` float64 centres in the stack's frame, um.
    z_um
        Depth, um.
    values
        ``(n, g)`` float64 in the unit of the target, or None: this section is not labelled.
    section
        Places, slide and features; nothing that was measured.
    """

    name: str
    xy_um: np.ndarray
    z_um: float
    values: np.ndarray | None
    section: Section


@dataclass(frozen=True, eq=False)
class Volume:
    """A stack as an imputer sees it.

    Attributes
    ----------
    donor
        Whose tissue it is.
    planes
        In order of depth.
    pitch_um
        Distance of neighbouring observations, um; of the sparsest section.
    """

    donor: str
    planes: tuple[Plane, ...]
    pitch_um: float

    @property
    def labelled(self) -> list[Plane]:
        """Planes with values, in order of depth; at least one."""
        return [p for p in self.planes if p.values is not None]

    @property
    def unlabelled(self) -> list[Plane]:
        """Planes to impute, in order of depth."""
        return [p for p in self.planes if p.values is None]

    def hide(self, names: Sequence[str]) -> Volume:
        """Return the volume with the values of these planes taken away: to practise on measured stacks."""
        planes = tuple(Plane(p.name, p.xy_um, p.z_um, None, p.section) if p.name in names else p for p in self.planes)
        return Volume(self.donor, planes, self.pitch_um)


@dataclass(frozen=True, eq=False)
class Imputed:
    """What an author's `_impute` returns for one section.

    Attributes
    ----------
    mean
        ``(n, g)`` in the unit of the target.
    sd
        ``(n, g)`` standard deviations of a measured value around it, or None where the method has none.
    facts
        JSON values about how it was made.
    """

    mean: np.ndarray
    sd: np.ndarray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Imputer(ABC):
    """Predicts the expression of unmeasured sections of a stack from its measured ones.

    An author writes `_impute`, and `_fit` where other donors' stacks teach anything. Arguments of `__init__` are
    keyword-only, stored under their own names, and JSON values.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    presets
        Named sets of arguments; ``"tiny"`` is for checks in seconds.
    uses_labelled, uses_images, uses_training_donors
        What it may look at: the stack's own labelled sections, the images of all sections, other donors' stacks. What
        is not used is not asked for; it is part of a benchmark's name, because scores of different regimes do not
        compare.
    has_uncertainty
        Whether it gives intervals.
    """

    card: ClassVar[Card]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    uses_labelled: bool = True
    uses_images: bool = False
    uses_training_donors: bool = False
    has_uncertainty: bool = False

    def params(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, as JSON values."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    @property
    def regime(self) -> str:
        """What the method may look at, in words."""
        seen = [
            (self.uses_labelled, "labelled sections of the stack"),
            (self.uses_images, "images"),
            (self.uses_training_donors, "stacks of other donors"),
        ]
        return ", ".join(text for used, text in seen if used)

    def fit(
        self,
        stacks: Sequence[Stack] = (),
        genes: int | Sequence[str] = 250,
        *,
        target: StackTarget | None = None,
        seed: int = 0,
    ) -> Imputer:
        """Learn from other donors' measured stacks, where the method does.

        Parameters
        ----------
        stacks
            Stacks whose sections with expression are learned from. A method without use for other donors takes the
            panel from them, and nothing else.
        genes
            The panel, or how many genes it has: those of highest mean count over the sections of `stacks`, or, without
            stacks, over the labelled sections that `impute` gets.
        target
            Unit of the prediction; default ln(1 + CP10k).
        seed
            Seed of everything random.

        Returns
        -------
        The method itself, fitted.

        Raises
        ------
        DataError
            If the method needs other donors and gets none.
        """
        self.target_: StackTarget = target or Target()
        self.seed_ = seed
        self.trained_on_ = {s.donor: [x.name for x in s.sections if _measured(x)] for s in stacks}
        if self.uses_training_donors and not stacks:
            msg = f"{self.card.name} learns from other donors' stacks, but got none. Give measured stacks to `fit`."
            raise DataError(msg)
        if isinstance(genes, int) and stacks:
            genes = choose_panel([x for s in stacks for x in s.sections if _measured(x)], genes)
        self.genes_: int | list[str] = genes if isinstance(genes, int) else list(genes)
        if self.uses_training_donors:
            assert not isinstance(self.genes_, int)
            volumes = [self._volume(s, self.trained_on_[s.donor], self.genes_) for s in stacks]
            self._fit(volumes, np.random.default_rng(seed))
        return self

    def impute(self, stack: Stack, *, labelled: Sequence[str]) -> list[AnnData]:
        """Predict the sections of a stack that are not labelled.

        Expression that a section holds without being labelled is taken away before the method sees it.

        Parameters
        ----------
        stack
            Aligned sections of one donor.
        labelled
            Names of the measured sections that may be used.

        Returns
        -------
        One AnnData (observations x panel) for each section that is not labelled, in order of depth: ``X`` (n, g)
        float32 in the unit of the target; ``layers["lower"]``, ``layers["upper"]`` 90 % intervals where the method has
        them; ``obsm["spatial"]`` level-0 px; ``obsm["spatial_3d_um"]`` (n, 3) x, y, z in the stack's frame, um;
        ``uns["histoscribe"]``: method, parameters, regime, donors trained on, labelled sections, target, facts.

        Raises
        ------
        DataError
            If no section is labelled or none is left, a name is unknown, or a labelled section has no expression.
        LeakError
            If the donor is among those that were learned from.
        SlideError
            If the method needs images that the stack does not have.
        """
        if not hasattr(self, "genes_"):
            msg = f"{self.card.name} is not fitted. Call fit(stacks, genes) first; fit() alone takes the default panel."
            raise DataError(msg)
        labelled = list(labelled)
        self._check(stack, labelled)
        if isinstance(self.genes_, int):
            genes = choose_panel([s for s in stack.sections if s.name in labelled], self.genes_)
        else:
            genes = self.genes_
        volume = self._volume(stack, labelled if self.uses_labelled else [], genes)
        hidden = [plane for plane in volume.planes if plane.name not in labelled]
        found = self._impute(volume, np.random.default_rng([self.seed_, 1]))
        kept = dict(zip([p.name for p in volume.unlabelled], found, strict=True))
        ours = {
            "method": self.card.name,
            "params": json.dumps(self.params()),
            "regime": self.regime,
            "trained_on": json.dumps(self.trained_on_ if self.uses_training_donors else {}),
            "labelled": labelled if self.uses_labelled else [],
            "seed": self.seed_,
            "target": json.dumps(self.target_.to_dict()),
            "unit": self.target_.unit,
            "donor": stack.donor,
        }
        return [self._table(plane, kept[plane.name], genes, ours) for plane in hidden]

    def _check(self, stack: Stack, labelled: Sequence[str]) -> None:
        unknown = [name for name in labelled if name not in stack.names]
        if unknown or not labelled:
            what = f"has no section {unknown[0]!r}" if unknown else "has no labelled section"
            msg = f"the stack of donor {stack.donor!r} {what}. Name some of: {', '.join(stack.names)}."
            raise DataError(msg)
        if len(set(labelled)) == len(stack):
            msg = (
                f"all {len(stack)} sections of donor {stack.donor!r} are labelled; none is left to impute. Name fewer."
            )
            raise DataError(msg)
        bare = [s.name for s in stack.sections if s.name in labelled and not _measured(s)]
        if bare:
            msg = f"labelled section {bare[0]!r} of donor {stack.donor!r} has no expression. Name a measured section."
            raise DataError(msg)
        if self.uses_training_donors and stack.donor in self.trained_on_:
            msg = (
                f"donor {stack.donor!r} is among those that {self.card.name} learned from. Fit on other donors; the "
                "donor's own measured sections go in `labelled`."
            )
            raise LeakError(msg)
        dark = [s.name for s in stack.sections if s.slide is None]
        if self.uses_images and dark:
            msg = f"{self.card.name} needs images, but section {dark[0]!r} has none. Attach it, or use images=false."
            raise SlideError(msg)

    def _volume(self, stack: Stack, labelled: Sequence[str], genes: Sequence[str]) -> Volume:
        planes = []
        for section, xy, z in zip(stack.sections, stack.xy_um, stack.z_um, strict=True):
            values = None
            if section.name in labelled:
                values = self._values(section, genes)
            planes.append(Plane(section.name, xy, float(z), values, section.blind()))
        pitch = max(s.pitch_um or spacing_um(xy) for s, xy in zip(stack.sections, stack.xy_um, strict=True))
        return Volume(stack.donor, tuple(planes), float(pitch))

    def _values(self, section: Section, genes: Sequence[str]) -> np.ndarray:
        values = np.asarray(self.target_(section, genes), dtype=np.float64)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            msg = f"section {section.name!r} holds {bad} values that are not finite. Leave those observations out."
            raise GeneError(msg)
        return values

    def _table(self, plane: Plane, found: Imputed, genes: Sequence[str], ours: Mapping[str, Any]) -> AnnData:
        source = plane.section.table
        table = AnnData(
            np.asarray(found.mean, dtype=np.float32), obs=source.obs.copy(), var=pd.DataFrame(index=pd.Index(genes))
        )
        table.obsm[keys.SPATIAL] = np.asarray(source.obsm[keys.SPATIAL], dtype=np.float64)
        table.obsm[keys.SPATIAL_3D] = np.column_stack([plane.xy_um, np.full(len(plane.xy_um), plane.z_um)])
        if found.sd is not None:
            half = _Z90 * np.asarray(found.sd)
            table.layers[keys.LOWER] = (found.mean - half).astype(np.float32)
            table.layers[keys.UPPER] = (found.mean + half).astype(np.float32)
        table.uns[keys.UNS] = dict(ours) | {"section": plane.name, "facts": json.dumps(dict(found.facts))}
        return table

    def _fit(self, volumes: Sequence[Volume], rng: np.random.Generator) -> None:  # noqa: B027 (most learn nothing here)
        """Learn from measured stacks of other donors."""

    @abstractmethod
    def _impute(self, volume: Volume, rng: np.random.Generator) -> list[Imputed]:
        """Return one prediction for each of ``volume.unlabelled``, in order; all, where labels are not used."""


def _measured(section: Section) -> bool:
    # Normalised values alone are as good as counts here; the target says which it wants.
    return section.table.n_vars > 0
