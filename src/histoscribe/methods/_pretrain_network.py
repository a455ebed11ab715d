"""The contract of a pretrainer that is a network: what an author writes, and how it is trained, saved and applied."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from histoscribe.core.errors import DataError
from histoscribe.encoders._encoder import default_threads
from histoscribe.methods._pretrain import SlidePretrainer
from histoscribe.methods._slide_encoder import SlideEncoder, smooth_rank
from histoscribe.methods._slide_network import hold_out_donors, padded
from histoscribe.train import Training, train

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["NetworkPretrainer", "SlideBatch"]


@dataclass(frozen=True, eq=False)
class SlideBatch:
    """Some slides, as the network sees them.

    Attributes
    ----------
    tiles
        One ``(n, d)`` float32 array of standardised tiles for each slide: those that were drawn.
    y
        ``(b, g)`` standardised profiles, on the network's device; ``(b, 0)`` without expression.
    """

    tiles: list[np.ndarray]
    y: torch.Tensor


class NetworkPretrainer(SlidePretrainer):
    """A pretrainer around a `SlideEncoder`.

    An author writes `build` (a module with the encoder as ``slide``) and `loss`.

    Parameters
    ----------
    heads, hidden
        Of the slide encoder.
    n_tiles
        Tiles drawn from a slide at each step, without replacement; all of a slide that has no more.
    selection
        Which epoch's weights are kept: ``"validation"``, that which does best on a fifth of the donors, which are not
        trained on; ``"smooth-rank"``, that of the highest effective rank of the training slides' vectors, as
        published; ``"last"``.
    training
        Training options that differ from the method's `defaults`; see `train.Training`.

    Attributes
    ----------
    network_
        The trained network, in evaluation mode.
    epochs_, history_
        Epochs behind its weights, and ``(training loss, score or None)`` of each epoch; the history is not saved.
    """

    defaults: ClassVar[Training] = Training(
        epochs=100, batch=64, optimiser="adamw", lr=1e-4, weight_decay=1e-2, schedule="cosine", warmup=5, patience=0
    )

    network_: torch.nn.Module
    epochs_: int
    history_: list[tuple[float, float | None]]

    def __init__(
        self,
        *,
        heads: int = 1,
        hidden: int = 768,
        n_tiles: int = 2048,
        selection: Literal["validation", "smooth-rank", "last"] = "validation",
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.heads = heads
        self.hidden = hidden
        self.n_tiles = n_tiles
        self.selection = selection
        self.training = None if training is None else dict(training)

    @property
    def options(self) -> Training:
        """The training options in force; all epochs are run where there is no `patience`."""
        options = self.defaults.but(self.training)
        chosen = options.epochs if self.selection != "last" and not options.patience else options.patience
        return options.but({"patience": 0 if self.selection == "last" else chosen})

    @abstractmethod
    def build(self, encoder: SlideEncoder, n_genes: int) -> torch.nn.Module:
        """Make the network; its ``slide`` is `encoder`."""

    @abstractmethod
    def loss(self, network: torch.nn.Module, batch: SlideBatch) -> torch.Tensor:
        """Return the mean loss over the slides of a batch."""

    def judge(self, network: torch.nn.Module, batch: SlideBatch) -> float:
        """Score held-out slides, higher is better; default less the loss."""
        return -float(self.loss(network, batch))

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        if self.selection not in ("validation", "smooth-rank", "last"):
            msg = f"selection is {self.selection!r}. Give 'validation', 'smooth-rank' or 'last'."
            raise DataError(msg)
        seed, options = int(rng.integers(2**31)), self.options
        held = self._held_out(data.groups, rng)
        threads = torch.get_num_threads()
        torch.set_num_threads(default_threads())
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = self._make(data.dim, data.y.shape[1])
                outcome = train(
                    network,
                    _Batches(data, ~held, self.n_tiles, options.batch, seed),
                    lambda batch: (self.loss(network, self._drawn(data, *batch)), len(batch[0])),
                    options,
                    score=self._score(data, held, seed),
                    seed=seed,
                    label=f"pre-train {self.card.name}",
                )
        finally:
            torch.set_num_threads(threads)
        self.epochs_, self.history_ = outcome.epochs, outcome.history

    def _held_out(self, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Choose the donors that validate: ``(m,)`` bool."""
        if self.selection != "validation":
            return np.zeros(len(groups), dtype=bool)
        held = hold_out_donors(groups, rng=rng)
        if len(np.unique(groups[held])) < 2:
            msg = (
                f"{len(np.unique(groups))} donors are too few to hold some out for selection='validation', which needs "
                "8. Give selection='last' with a number of epochs, or more slides."
            )
            raise DataError(msg)
        return held

    def _score(self, data: TrainingSlides, held: np.ndarray, seed: int) -> Any:
        """Return the function that judges an epoch, or None."""
        if self.selection == "last":
            return None
        rng = np.random.default_rng([seed, 1])
        # The same tiles at every epoch, so that epochs differ by their weights alone.
        slides = _one_each(data.groups, held, rng) if held.any() else np.arange(len(data))
        drawn = [draw_tiles(len(data.bags[i].features), self.n_tiles, rng) for i in slides]

        def score() -> float:
            batch = self._drawn(data, slides, drawn)
            if self.selection == "validation":
                return self.judge(self.network_, batch)
            return smooth_rank(torch.cat([self.encode([tiles]) for tiles in batch.tiles]))

        return score

    def _drawn(self, data: TrainingSlides, slides: np.ndarray, drawn: list[np.ndarray]) -> SlideBatch:
        tiles = [(data.bags[i].features[at] - data.centre) * data.factor for i, at in zip(slides, drawn, strict=True)]
        return SlideBatch(tiles, torch.as_tensor(data.y[slides], device=self._device))

    @property
    def _device(self) -> torch.device:
        return next(self.network_.parameters()).device

    def _make(self, dim: int, n_genes: int) -> torch.nn.Module:
        self.network_ = self.build(SlideEncoder(dim, self.hidden, self.heads), n_genes).to(self.options.place())
        return self.network_

    def _embed(self, x: np.ndarray) -> np.ndarray:
        # Dropout is off: a slide's vector is no sample.
        self.network_.eval()
        with torch.no_grad():
            return self.encode([x])[0].float().cpu().numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Return the network's arrays and the number of epochs."""
        arrays = {f"network.{name}": t.detach().cpu().numpy() for name, t in self.network_.state_dict().items()}
        return arrays | {"epochs": np.array([self.epochs_], dtype=np.int64)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        network = self._make(len(self.scale_["centre"]), len(self.genes_))
        weights = {k.removeprefix("network."): torch.tensor(v) for k, v in state.items() if k.startswith("network.")}
        network.load_state_dict(weights)
        network.eval()
        self.epochs_ = int(state["epochs"][0])

    def encode(self, tiles: list[np.ndarray]) -> torch.Tensor:
        """Return the ``(b, width)`` vectors of bags of different sizes."""
        return self.network_.slide(*(part.to(self._device) for part in padded(tiles)))


class _Batches:
    """Epoch to its batches: which slides, and which tiles of each."""

    def __init__(self, data: TrainingSlides, allowed: np.ndarray, n_tiles: int, batch: int, seed: int) -> None:
        self._data, self._allowed, self._n_tiles, self._batch, self._seed = data, allowed, n_tiles, batch, seed

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        return list(self._batches(epoch))

    def _batches(self, epoch: int) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        rng = np.random.default_rng([self._seed, epoch])
        slides = _one_each(self._data.groups, self._allowed, rng)
        sizes = [len(bag.features) for bag in self._data.bags]
        # Batches of nearly equal size: a last batch of one slide would have nothing to be contrasted with.
        for part in np.array_split(slides, max(1, -(-len(slides) // self._batch))):
            yield part, [draw_tiles(sizes[i], self._n_tiles, rng) for i in part]


def draw_tiles(n: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `wanted` of `n` tiles, none twice; all where there are no more."""
    return np.sort(rng.permutation(n)[:wanted])


def _one_each(groups: np.ndarray, allowed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one slide of each donor, in random order: two of one donor would be each other's negatives."""
    order = rng.permutation(np.flatnonzero(allowed))
    return order[np.sort(np.unique(groups[order], return_index=True)[1])]
