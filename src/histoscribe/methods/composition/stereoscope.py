"""stereoscope: negative-binomial deconvolution with gene factors and a noise profile, without layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture
from histoscribe.methods._held_out import facts_of, held_out_loglik

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["Stereoscope"]


class Stereoscope(Deconvolver):
    """Counts are negative binomial around a mixture of profiles, each gene with a factor of its own, and noise.

    The noise profile is learned and may take from the types what belongs to them. It is there for what no type
    explains, so it is kept only where two halves of the genes disagree no more on composition beside it than without.

    Parameters
    ----------
    noise
        True or False to keep or leave out the noise profile; None to ask the two halves of the genes.
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
            "The noise profile is drawn to the mean of all types, as strongly as the section says, and left out where "
            "halves of the genes disagree more beside it; the paper's is any positive vector, and always there. Chosen "
            "on simulated sections of seeds 101 to 108, with the errors on the heart and on the simulation in view.",
            "Gives 90 % intervals from the curvature at the optimum; they ignore a reference that does not fit: on "
            "real tissue they are too narrow for the types that are there (docs/howto/deconvolve.md).",
        ),
    )
    has_uncertainty: ClassVar[bool] = True

    def __init__(
        self, *, max_genes: int = 500, held_out: float = 0.1, gene_factors: bool = True, noise: bool | None = None
    ) -> None:
        self.gene_factors = gene_factors
        self.noise = noise
        self.max_genes = max_genes
        self.held_out = held_out

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from histoscribe.methods._nb_inflation import inflation_of
        from histoscribe.methods._nb_mixture import fit_mixture

        arguments = (mixture.counts, mixture.reference.profiles, mixture.reference.dispersion)
        tried = (True, False) if self.noise is None else (self.noise,)
        found = {noise: inflation_of(*arguments, noise=noise, gene_factors=self.gene_factors) for noise in tried}
        noise = min(found, key=found.__getitem__)  # the first where they are equal: the paper's model
        options: dict[str, Any] = {"noise": noise, "gene_factors": self.gene_factors, "inflation": found[noise]}
        fit = fit_mixture(*arguments, **options, watch=self.watch_)
        facts = facts_of(fit) | {"noise_profile": noise, "noise_share": float(fit.noise.mean())}
        if self.noise is None:
            facts["inflation_otherwise"] = found[not noise]
        if self.held_out > 0:
            facts["heldout_loglik"] = held_out_loglik(mixture, rng, share=self.held_out, **options)
        return Composed(fit.proportions, fit.sd, facts, fit.gene_factors)
