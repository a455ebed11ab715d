"""stereoscope: negative-binomial deconvolution with gene factors and a noise profile, without layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture
from histoscribe.methods._held_out import facts_of, held_out_loglik

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["Stereoscope"]


class Stereoscope(Deconvolver):
    """Counts are negative binomial around a mixture of profiles, each gene with a factor of its own, and noise.

    Parameters
    ----------
    gene_factors
        False to trust the reference's profiles as they are: for a reference of the section's own technique, or where
        gene factors take up what composition should explain (`strength_ratio` of the fit well above 2).
    max_genes
        Most genes that are used.
    held_out
        Share of the counts put aside to judge the fit; 0 saves the second fit.
    """

    card: ClassVar[Card] = Card(
        name="stereoscope",
        summary="Negative-binomial deconvolution with gene factors and a noise profile; stops by itself.",
        paper="stereoscope-2020",
        deviations=(
            "Profiles and dispersions are moment estimates, where the paper fits them by gradient descent.",
            "Proportions have a prior towards equal shares, its strength found from the section (evidence), so that "
            "the fit has an end; the paper's Adam steps have none.",
            "Dispersions are multiplied by what two halves of the genes disagree on composition (`inflation`).",
            "The noise profile starts as the mean of all types; the paper's is any positive vector.",
            "Gives 90 % intervals from the curvature at the optimum; they ignore a reference that does not fit.",
        ),
    )
    has_uncertainty: ClassVar[bool] = True

    def __init__(self, *, max_genes: int = 500, held_out: float = 0.1, gene_factors: bool = True) -> None:
        self.gene_factors = gene_factors
        self.max_genes = max_genes
        self.held_out = held_out

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from histoscribe.methods._nb_inflation import fit_inflated

        arguments = (mixture.reference.profiles, mixture.reference.dispersion)
        fit = fit_inflated(mixture.counts, *arguments, noise=True, gene_factors=self.gene_factors, watch=self.watch_)
        facts = facts_of(fit) | {"noise_share": float(fit.noise.mean())}
        if self.held_out > 0:
            facts["heldout_loglik"] = held_out_loglik(
                mixture, rng, share=self.held_out, noise=True, gene_factors=self.gene_factors, inflation=fit.inflation
            )
        return Composed(fit.proportions, fit.sd, facts, fit.gene_factors)
