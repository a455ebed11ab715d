"""Slide-level regressors that are networks: how they are trained on bags, stopped, saved and applied."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from histoscribe.methods._slide_level import SlideRegressor
from histoscribe.methods._slide_ridge import profile_axes
from histoscribe.train import Training, train

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["SlideNetwork", "hold_out_donors", "padded"]

#: Share of the training donors that stop the training.
_VALIDATION = 0.2


class SlideNetwork(SlideRegressor):
    """A slide-level regressor around a PyTorch network.

    The network gives the leading scores of the profiles (`profile_axes`), each in its own standard deviation; its loss
    is the mean squared error of standardised genes, so a head of `rank` outputs stands for one of 20,530.

    An author writes `build`, and where they differ `aim` (what the outputs are), `loss`, `score` (what stops the
    training), `settle` (what is chosen on the donors that stopped it) and `finish` (what is kept of the slides).

    Parameters
    ----------
    rank
        Most scores; as many as training slides is exact, fewer leave out what is mostly noise.
    tiles
        Most tiles of a slide in a training step, drawn anew each epoch; prediction uses all.
    training
        Training options that differ from `defaults`; see `train.Training`. With `refit`, the number of epochs is found
        on a fifth of the donors, and the network is then trained on all of them.

    Attributes
    ----------
    defaults
        Training options.
    epochs_
        Epochs behind the weights.
    network_
        The trained network, in evaluation mode.
    """

    defaults: ClassVar[Training] = Training(
        epochs=100,
        batch=8,
        optimiser="adamw",
        lr=1e-3,
        weight_decay=1e-2,
        patience=10,
        refit=True,
        precision="float32",
    )

    network_: torch.nn.Module
    epochs_: int

    def __init__(self, *, rank: int = 256, tiles: int = 512, training: Mapping[str, Any] | None = None) -> None:
        self.rank = rank
        self.tiles = tiles
        self.training = None if training is None else dict(training)

    @property
    def options(self) -> Training:
        """The training options in force."""
        return self.defaults.but(self.training)

    @abstractmethod
    def build(self, dim: int, n_scores: int) -> torch.nn.Module:
        """Make the network: ``(b, n, dim)`` tiles and a ``(b, n)`` mask to ``(b, n_scores)``."""

    def loss(self, network: torch.nn.Module, x: torch.Tensor, mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of standardised genes for ``(b, r)`` scores in units of their sd."""
        error = (network(x, mask) - target) ** 2
        return (error * torch.as_tensor(self.share_, device=x.device)).sum(1).mean()

    def aim(self, y: np.ndarray) -> np.ndarray:
        """Return ``(m, r)`` float32 targets of the network; set `axes_`, which maps them to genes, and `share_`."""
        scores, axes = profile_axes(y, most=self.rank)
        sd = np.sqrt((scores**2).mean(0))
        self.axes_ = (axes * sd[:, None]).astype(np.float32)
        self.share_ = (sd**2 / y.shape[1]).astype(np.float32)
        return (scores / sd).astype(np.float32)

    def score(self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, validation: np.ndarray) -> float:
        """Return how well slides of other donors are predicted, higher is better; all of their tiles are seen."""
        del rows
        device = next(self.network_.parameters()).device
        lost = 0.0
        for i in range(0, len(validation), self.options.batch):
            chosen = validation[i : i + self.options.batch]
            x, mask = padded([data.tiles(j) for j in chosen])
            goal = torch.from_numpy(target[chosen]).to(device)
            lost += float(self.loss(self.network_, x.to(device), mask.to(device), goal)) * len(chosen)
        return -lost / len(validation)

    def settle(self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, validation: np.ndarray) -> None:
        """Choose what is chosen after training; nothing by default."""

    def finish(self, data: TrainingSlides, target: np.ndarray) -> None:
        """Keep what prediction needs of the training slides; nothing by default."""

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        target = self.aim(data.y)
        held = hold_out_donors(data.groups, rng=rng)
        options, seed = self.options, int(rng.integers(2**31))
        rows, validation = np.flatnonzero(~held), np.flatnonzero(held)
        self.epochs_ = self._train(data, target, rows, validation, options, seed=seed)
        with torch.no_grad():
            self.settle(data, target, rows, validation)
        if options.refit and held.any():
            again = options.but({"epochs": self.epochs_, "patience": 0})
            self._train(data, target, np.arange(len(data)), np.arange(0), again, seed=seed)
        self.network_.cpu().eval()
        with torch.no_grad():
            self.finish(data, target)

    def _train(
        self,
        data: TrainingSlides,
        target: np.ndarray,
        rows: np.ndarray,
        validation: np.ndarray,
        options: Training,
        *,
        seed: int,
    ) -> int:
        """Train a new network on `rows` and return the epochs behind its weights."""
        torch.manual_seed(seed)
        device = options.place()
        self.network_ = self.build(data.dim, target.shape[1]).to(device)
        batches, batch_of = self._batches(data, target, rows, options, seed=seed, device=device)

        def loss(batch: tuple[np.ndarray, int]) -> tuple[torch.Tensor, int]:
            return self.loss(self.network_, *batch_of(batch)), len(batch[0])

        def score() -> float:
            return self.score(data, target, rows, validation)

        scored = score if len(validation) else None
        return train(self.network_, batches, loss, options, score=scored, seed=seed, label=self.card.name).epochs

    def _batches(
        self, data: TrainingSlides, target: np.ndarray, rows: np.ndarray, options: Training, *, seed: int, device: Any
    ) -> tuple[Callable[[int], Collection[Any]], Callable[[Any], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]]:
        def batches(epoch: int) -> list[tuple[np.ndarray, int]]:
            order = np.random.default_rng((seed, epoch)).permutation(rows)
            return [(order[i : i + options.batch], epoch) for i in range(0, len(order), options.batch)]

        def batch_of(batch: tuple[np.ndarray, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            chosen, epoch = batch
            bags = [data.tiles(i, most=self.tiles, rng=np.random.default_rng((seed, epoch, i))) for i in chosen]
            x, mask = padded(bags)
            return x.to(device), mask.to(device), torch.from_numpy(target[chosen]).to(device)

        return batches, batch_of

    def _predict(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network_(*padded([x])).numpy()[0] @ self.axes_

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        # Each tile as a slide of its own: (n, 1, d).
        with torch.no_grad():
            return (
                self.network_(torch.from_numpy(x)[:, None], torch.ones(len(x), 1, dtype=torch.bool)).numpy()
                @ self.axes_
            )

    def state(self) -> dict[str, np.ndarray]:
        """Return the network's weights and the profiles' axes."""
        weights = {f"network.{k}": v.numpy() for k, v in self.network_.state_dict().items()}
        return weights | {"axes": self.axes_, "share": self.share_, "epochs": np.array([self.epochs_])}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.axes_, self.share_, self.epochs_ = state["axes"], state["share"], int(state["epochs"][0])
        self.network_ = self.build(len(self.scale_["centre"]), len(self.share_))
        weights = {
            k.removeprefix("network."): torch.from_numpy(v) for k, v in state.items() if k.startswith("network.")
        }
        self.network_.load_state_dict(weights)
        self.network_.eval()


def hold_out_donors(groups: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Return ``(m,)`` bool: slides of a fifth of the donors, at least one; none where there are fewer than five."""
    donors = np.unique(groups)
    if len(donors) < 5:
        return np.zeros(len(groups), dtype=bool)
    return np.isin(groups, rng.permutation(donors)[: max(1, round(_VALIDATION * len(donors)))])


def padded(bags: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Put bags of ``(n_i, d)`` tiles into one ``(b, n, d)`` tensor with a ``(b, n)`` mask."""
    x = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(np.ascontiguousarray(b)) for b in bags], batch_first=True)
    sizes = torch.tensor([len(b) for b in bags])
    return x, torch.arange(x.shape[1]) < sizes[:, None]
