"""POLARIS: negative-binomial deconvolution with factors of layers, which may not absorb cell types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture
from histoscribe.methods._held_out import facts_of, held_out_loglik

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["Polaris"]


class Polaris(Deconvolver):
    """Mixture of profiles with a factor of each gene and of each gene in each layer.

    The fit without layers is made too and reported beside it: log-likelihoods of all and of held-out counts, and how
    far the proportions moved.

    Parameters
    ----------
    layer_sd
        Standard deviation of the log layer factors; None for sqrt(lambda) / 50, see `_nb_mixture`. The paper's is 1.
    max_genes
        Most genes that are used.
    held_out
        Share of the counts put aside to judge the fits with and without layers; 0 saves two fits.
    """

    card: ClassVar[Card] = Card(
        name="polaris",
        summary="Negative-binomial deconvolution with factors of layers; reported with and without them.",
        paper="polaris-2023",
        deviations=(
            "A layer multiplies a gene's rate, where the paper adds inside a softplus; alike for small rates.",
            "Each gene's log factors sum to 0 over layers, so that one layer is no layers; the paper's are free, and "
            "trade with gene factors and amounts.",
            "The standard deviation of layer factors depends on how much composition varies; chosen on the paper's own "
            "simulation and on its heart data.",
            "Proportions have a prior towards equal shares, its strength found from the section; the paper's fit has "
            "no end, and its accuracy falls while its likelihood rises.",
            "Profiles and dispersions are moment estimates, where the paper fits them by gradient descent.",
            "Gives 90 % intervals from the curvature at the optimum; they do not know of a reference that does not fit.",
        ),
    )
    uses_layers: ClassVar[bool] = True
    has_uncertainty: ClassVar[bool] = True

    def __init__(self, *, layer_sd: float | None = None, max_genes: int = 1000, held_out: float = 0.1) -> None:
        self.layer_sd = layer_sd
        self.max_genes = max_genes
        self.held_out = held_out

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from histoscribe.methods._nb_mixture import fit_mixture

        arguments = (mixture.counts, mixture.reference.profiles, mixture.reference.dispersion)
        with_layers = mixture.layers is not None and len(mixture.layer_names) > 1
        layers: dict[str, Any] = {"layers": mixture.layers, "layer_sd": self.layer_sd} if with_layers else {}
        fit = fit_mixture(*arguments, **layers)
        facts = facts_of(fit) | {"n_layers": len(mixture.layer_names)}
        # One seed for both: the same counts are held out.
        seed = int(rng.integers(2**31))
        if self.held_out > 0:
            facts["heldout_loglik"] = held_out_loglik(
                mixture, np.random.default_rng(seed), share=self.held_out, **layers
            )
        if with_layers:
            without = fit_mixture(*arguments)
            compared = facts_of(without)
            if self.held_out > 0:
                compared["heldout_loglik"] = held_out_loglik(
                    mixture, np.random.default_rng(seed), share=self.held_out
                )
            compared["proportions_rms_change"] = float(
                np.sqrt(((fit.proportions - without.proportions) ** 2).mean())
            )
            facts["without_layers"] = compared
        return Composed(
            fit.proportions, fit.sd, facts, fit.gene_factors, fit.layer_factors if with_layers else None
        )
