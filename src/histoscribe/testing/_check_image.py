"""Promises that released networks broke: the image reaches the output, the loss reaches every parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.features import Features
from histoscribe.methods.train import prepare
from histoscribe.testing._method_study import Subject, find, fitted
from histoscribe.testing._promises import promise
from histoscribe.testing._slide import ArraySlide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._expression import Predictor

__all__ = ["sees_the_image", "trains_every_parameter"]


def sees_the_image(method: str | type[Predictor]) -> None:
    """Another image gives another prediction; a control may look at none."""
    subject = find(method)
    if subject.cls.card.control and not subject.cls.uses_features:
        return
    model = fitted(method)
    before = np.asarray(model.predict(subject.new).X)
    after = np.asarray(model.predict(_another_image(subject)).X)
    changed = (np.abs(after - before) > 1e-6).any(1).mean()
    promise(changed > 0.5, f"only {changed:.0%} of the observations are predicted otherwise when the image changes")


def _another_image(subject: Subject) -> Section:
    section = subject.new
    if subject.encoder is None and section.slide is None:
        table = section.table.copy()
        held = Features.of(table)
        Features(np.ascontiguousarray(held.matrix[::-1]), held.spec).attach(table)
        return section.replace(table=table)
    slide = section.slide
    assert isinstance(slide, ArraySlide)
    # Upside down: other tissue at every place, and colours that the encoder knows.
    other = section.replace(slide=ArraySlide(slide.pixels[::-1], mpp=section.mpp, name="upside-down"))
    if subject.encoder is None:
        return other
    return prepare([other], subject.encoder, size_um=subject.cls.default_size_um, show=False)[0]


def trains_every_parameter(method: str | type[Predictor]) -> None:
    """Every parameter of a network that is to be trained gets a gradient from the loss."""
    from histoscribe.methods._network import NetworkPredictor

    subject = find(method)
    if not issubclass(subject.cls, NetworkPredictor):
        return
    probe = type(f"Probed{subject.cls.__name__}", (_Probe, subject.cls), {})
    model = probe(**subject.cls.presets.get("tiny", {}))
    model.fit(list(subject.training), subject.panel, seed=1)
    network = model.network_.train()
    network.zero_grad(set_to_none=True)
    model.loss(network, model.parts_).backward()
    idle = [
        name
        for name, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not bool(p.grad.abs().sum() > 0))
    ]
    promise(not idle, f"{len(idle)} parameters get no gradient from the loss (first: {', '.join(idle[:3])})")


class _Probe:
    """Remembers the batch that the loss saw last."""

    parts_: Sequence[Any]

    def loss(self, network: Any, parts: Sequence[Any]) -> Any:
        """Compute the method's own loss."""
        self.parts_ = parts
        return super().loss(network, parts)  # type: ignore[misc]
