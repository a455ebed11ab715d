"""Contrastive: slides and profiles meet in one space; a slide takes the profiles that lie nearest to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods._slide_encoder import ProfileEncoder, info_nce
from histoscribe.methods._slide_network import SlideNetwork, padded
from histoscribe.nn.gated_pool import GatedPool
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["Contrastive"]

_CHOICES = (1, 2, 5, 10, 20, 50, 100)


class Contrastive(SlideNetwork):
    """Gated attention over tiles and a network over the profile, aligned; prediction is the mean of k profiles.

    Parameters
    ----------
    hidden, width
        Sizes of the attention's branches and of the profile's network, and of the common space.
    temperature
        Of the contrast.
    rank, tiles, training
        As `SlideNetwork`.

    Attributes
    ----------
    k_
        Profiles averaged, chosen on the donors that stop the training.
    """

    card: ClassVar[Card] = Card(
        name="contrastive",
        summary="Aligns slides with profiles by contrast, and predicts the mean of the k nearest training profiles.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        deviations=(
            "No code was released: sizes, temperature and optimiser are ours; k and the epochs are chosen on donors "
            "out of the training set by the error of the prediction.",
        ),
    )
    has_attention: ClassVar[bool] = True
    defaults: ClassVar[Training] = SlideNetwork.defaults.but({"batch": 32})

    def __init__(
        self,
        *,
        hidden: int = 128,
        width: int = 128,
        temperature: float = 0.1,
        rank: int = 256,
        tiles: int = 512,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(rank=rank, tiles=tiles, training=training)
        self.hidden = hidden
        self.width = width
        self.temperature = temperature

    def build(self, dim: int, n_scores: int) -> nn.Module:
        """Make both networks."""
        return _Network(dim, n_scores, self.hidden, self.width)

    def loss(self, network: nn.Module, x: torch.Tensor, mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the contrast of a batch of slides and their own profiles."""
        return info_nce(network(x, mask), network.profile(self._profiles(target)), self.temperature)

    def score(self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, validation: np.ndarray) -> float:
        """Return minus the error of predicting the validation slides from the others' profiles, at the best k."""
        errors = self._errors(data, target, rows, validation)
        return -min(errors.values())

    def settle(self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, validation: np.ndarray) -> None:
        """Choose k."""
        errors = self._errors(data, target, rows, validation) if len(validation) else {_CHOICES[-1]: 0.0}
        self.k_ = min(reversed(errors), key=lambda k: errors[k])

    def finish(self, data: TrainingSlides, target: np.ndarray) -> None:
        """Keep the training profiles and their places in the common space."""
        del data
        self.memory_ = self._memory(target).numpy()
        self.target_ = target

    def _errors(
        self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, validation: np.ndarray
    ) -> dict[int, float]:
        device = next(self.network_.parameters()).device
        bags = [padded([data.tiles(i)]) for i in validation]
        z = torch.cat([self.network_(x.to(device), mask.to(device)) for x, mask in bags])
        order = (
            (functional.normalize(z, dim=1) @ self._memory(target[rows]).T).argsort(1, descending=True).cpu().numpy()
        )
        found = {}
        for k in [k for k in _CHOICES if k <= len(rows)]:
            guess = target[rows][order[:, :k]].mean(1)
            found[k] = float((((guess - target[validation]) ** 2) * self.share_).sum(1).mean())
        return found

    def _memory(self, target: np.ndarray) -> torch.Tensor:
        device = next(self.network_.parameters()).device
        return functional.normalize(self.network_.profile(self._profiles(torch.from_numpy(target).to(device))), dim=1)

    def _profiles(self, target: torch.Tensor) -> torch.Tensor:
        """Return profiles as the network sees them: turned into their axes, lengths kept."""
        return target * torch.as_tensor(self.share_, device=target.device).sqrt()

    def _predict(self, x: np.ndarray) -> np.ndarray:
        return self._nearest(*padded([x]))[0]

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        return self._nearest(torch.from_numpy(x)[:, None], torch.ones(len(x), 1, dtype=torch.bool))

    def _nearest(self, x: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            z = functional.normalize(self.network_(x, mask), dim=1).numpy()
        order = np.argsort(-(z @ self.memory_.T), axis=1, kind="stable")[:, : self.k_]
        return np.stack([self.target_[row].mean(0) for row in order]) @ self.axes_

    def _attention(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network_.pool(*padded([x]))[1].numpy()[0]

    def state(self) -> dict[str, np.ndarray]:
        """Return the networks, and the training profiles with their places."""
        more = {"memory": self.memory_, "target": self.target_, "k": np.array([self.k_])}
        return super().state() | more

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        super().load_state(state)
        self.memory_, self.target_, self.k_ = state["memory"], state["target"], int(state["k"][0])


class _Network(nn.Module):
    def __init__(self, dim: int, n_scores: int, hidden: int, width: int) -> None:
        super().__init__()
        self.pool = GatedPool(dim, hidden, dropout=0.25)
        self.slide = nn.Linear(dim, width)
        self.profile = ProfileEncoder(n_scores, hidden, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.slide(self.pool(x, mask)[0])
