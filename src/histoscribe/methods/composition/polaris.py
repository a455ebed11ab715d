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
        Standard deviation of the log layer factors; None for that of `_nb_mixture.layer_scale`. The paper's is 1.
    gene_factors
        False to trust the reference's profiles as they are: for a reference of the section's own technique, or where
        gene factors take up what composition should explain (`strength_ratio` of the fit well above 2).
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
            "Dispersions are multiplied by what two halves of the genes disagree on composition (`inflation`).",
            "Profiles and dispersions are moment estimates, where the paper fits them by gradient descent.",
            "Gives 90 % intervals from the curvature at the optimum; they ignore a reference that does not fit: on "
            "real tissue they are too narrow for the types that are there (docs/howto/deconvolve.md).",
        ),
    )
    uses_layers: ClassVar[bool] = True
    has_uncertainty: ClassVar[bool] = True

    def __init__(
        self, *, layer_sd: float | None = None, max_genes: int = 500, held_out: float = 0.1, gene_factors: bool = True
    ) -> None:
        self.layer_sd = layer_sd
        self.gene_factors = gene_factors
        self.max_genes = max_genes
        self.held_out = held_out

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from histoscribe.methods._nb_inflation import fit_inflated
        from histoscribe.methods._nb_mixture import layer_scale

        arguments = (mixture.counts, mixture.reference.profiles, mixture.reference.dispersion)
        options: dict[str, Any] = {"gene_factors": self.gene_factors}
        # One seed for both fits: the same counts are held out.
        seed = int(rng.integers(2**31))
        layered = mixture.layers is not None and len(mixture.layer_names) > 1
        without = fit_inflated(*arguments, **options, watch=None if layered else self.watch_)
        plain = facts_of(without) | {"n_layers": len(mixture.layer_names)}
        plain |= self._held_out(mixture, seed, inflation=without.inflation, **options)
        if not layered:
            return Composed(without.proportions, without.sd, plain, without.gene_factors)
        scale = layer_scale(mixture.counts, without, mixture.layers, mixture.reference.dispersion)
        options |= {"layers": mixture.layers, "layer_sd": scale if self.layer_sd is None else self.layer_sd}
        fit = fit_inflated(*arguments, **options, watch=self.watch_)
        facts = facts_of(fit) | {"n_layers": len(mixture.layer_names), "layer_sd": options["layer_sd"]}
        facts |= self._held_out(mixture, seed, inflation=fit.inflation, **options)
        change = float(np.sqrt(((fit.proportions - without.proportions) ** 2).mean()))
        facts["without_layers"] = plain | {"proportions_rms_change": change}
        return Composed(fit.proportions, fit.sd, facts, fit.gene_factors, fit.layer_factors)

    def _held_out(self, mixture: Mixture, seed: int, **options: Any) -> dict[str, float]:
        if self.held_out <= 0:
            return {}
        rng = np.random.default_rng(seed)
        return {"heldout_loglik": held_out_loglik(mixture, rng, share=self.held_out, **options)}
