"""The contract of a method that is a network: what an author writes, and how it is trained, saved and applied."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from histoscribe.core.errors import DataError
from histoscribe.core.files import cache_dir, digest
from histoscribe.encoders._encoder import default_threads
from histoscribe.methods._batches import Batches, Layout, Part, Unit, make_part, make_units
from histoscribe.methods._expression import Predictor, TrainingSection
from histoscribe.metrics import pcc_gene
from histoscribe.train import SYMMETRIES, Training, hold_out, spatial_windows, train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from histoscribe.core.section import Section
    from histoscribe.train import Outcome
    from histoscribe.train.augment import Kind

__all__ = ["NetworkPredictor", "Part"]

#: Observations of a row view (tiles, tokens) that go through the network at once in prediction.
_CHUNK = 256


class NetworkPredictor(Predictor):
    """An expression predictor around a PyTorch network.

    An author writes `views` (what is seen of a section), `build` (the network), `forward` (a prediction), and, where it
    is not the mean squared error, `loss`. Training with validation on a group of training observations, augmentation,
    resuming, saving and prediction are done here.

    Parameters
    ----------
    training
        Training options that differ from the method's `defaults`; see `train.Training`.

    Attributes
    ----------
    kinds
        View name to how it turns under augmentation (see `train.augment.Kind`); a view that is not named is fixed.
    scaled
        Float views that are standardised per channel (last axis) by the training observations' mean and sd.
    row_views
        Views of which a batch needs only its own observations; others are given for the whole section (or window).
    context
        True where a prediction depends on the other observations of its section.
    defaults
        The published training options.
    network_
        The trained network, in evaluation mode.
    epochs_
        Epochs behind its weights.
    history_
        ``(training loss, validation score or None)`` of each epoch; not saved.
    """

    kinds: ClassVar[Mapping[str, Kind]] = {}
    scaled: ClassVar[tuple[str, ...]] = ("features",)
    row_views: ClassVar[tuple[str, ...]] = ()
    context: ClassVar[bool] = False
    defaults: ClassVar[Training] = Training()

    network_: torch.nn.Module
    epochs_: int

    def __init__(self, *, training: Mapping[str, Any] | None = None) -> None:
        self.training = None if training is None else dict(training)

    @property
    def options(self) -> Training:
        """The training options in force."""
        return self.defaults.but(self.training)

    @abstractmethod
    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return what the network sees of a blinded section: arrays whose first axis is the observation."""

    @abstractmethod
    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> torch.nn.Module:
        """Make the network for views whose shapes, without the first axis, are `shapes`."""

    @abstractmethod
    def forward(self, network: torch.nn.Module, part: Part) -> torch.Tensor:
        """Predict ``(b, g)`` for the part's rows, in the target's unit."""

    def loss(self, network: torch.nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Return the mean loss over the rows of `parts`; default mean squared error."""
        return torch.cat([((self.forward(network, part) - part.y) ** 2).mean(1) for part in parts]).mean()

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return arrays to keep beside the network (exemplars, say); they are in `memory_` when it is built.

        `allowed` tells per unit which observations may be learned from: never those that validate.
        """
        del units, allowed
        return {}

    def relate(self, unit: Unit) -> dict[str, np.ndarray]:
        """Return further views of a section or window that need all of it, or the memory (indices of exemplars, say).

        Called once a unit, before training and in prediction; the views are standardised and cut already, and turn as
        `kinds` says. `unit.origin` tells whom a training observation belongs to, and is None in prediction.
        """
        del unit
        return {}

    def initialise(self, network: torch.nn.Module) -> None:
        """Start each linear layer whose name begins with ``head`` and that gives the panel at the training mean."""
        for name, module in network.named_modules():
            is_head = name.split(".")[-1].startswith("head") and isinstance(module, torch.nn.Linear)
            if is_head and module.bias is not None and module.out_features == len(self.train_mean_):
                with torch.no_grad():
                    module.bias.copy_(torch.as_tensor(self.train_mean_))

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**31))
        options = self.options
        seen = [self.views(d.section) for d in data]
        self.shapes_ = {name: tuple(array.shape[1:]) for name, array in seen[0].items()}
        self.scales_ = {name: _moments([v[name] for v in seen]) for name in self.scaled if name in seen[0]}
        units = make_units(data, [self._standardised(v) for v in seen], max_context=self._window())
        held = (
            hold_out([d.groups for d in data], rng=rng)
            if options.patience
            else [np.zeros(len(d.y), bool) for d in data]
        )
        outcome = self._train(units, held, options, seed=seed)
        if options.refit and any(h.any() for h in held):
            nobody = [np.zeros(len(d.y), dtype=bool) for d in data]
            again = options.but({"epochs": max(outcome.epochs, 1), "patience": 0})
            history = outcome.history
            outcome = self._train(units, nobody, again, seed=seed)
            outcome.history = history
        self.epochs_, self.history_ = outcome.epochs, outcome.history

    def _train(self, units: Sequence[Unit], held: Sequence[np.ndarray], options: Training, *, seed: int) -> Outcome:
        """Train a fresh network on what is not held out, stopping by what is."""
        allowed = [~held[u.section][u.rows] for u in units]
        self.memory_ = self.memorise(units, allowed)
        units = [self._related(u) for u in units]
        watched = [u for u in units if held[u.section][u.rows].any()]
        threads = torch.get_num_threads()
        torch.set_num_threads(default_threads())
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = self._make(options)
                self.initialise(network)
                return train(
                    network,
                    Batches(units, allowed, self._layout(), options, seed=seed),
                    self._counted_loss,
                    options,
                    score=(lambda: self._score(watched, held, options)) if watched else None,
                    seed=seed,
                    checkpoint=self._checkpoint(units, allowed, options, seed=seed),
                    label=f"train {self.card.name}",
                )
        finally:
            torch.set_num_threads(threads)

    def _make(self, options: Training) -> torch.nn.Module:
        self.network_ = self.build(self.shapes_, len(self.genes_)).to(options.place())
        return self.network_

    def _counted_loss(self, parts: Sequence[Part]) -> tuple[torch.Tensor, int] | None:
        n = sum(len(part.rows) for part in parts)
        return (self.loss(self.network_, parts), n) if n else None

    def _score(self, units: Sequence[Unit], held: Sequence[np.ndarray], options: Training) -> float:
        """Score the held-out observations: mean over genes in each section, then over sections."""
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for unit in units:
            rows = np.flatnonzero(held[unit.section][unit.rows])
            found.setdefault(unit.section, []).append((unit.y[rows], self._forward_rows(unit, rows)))
        scores = []
        for pairs in found.values():
            y, guess = (np.concatenate(part) for part in zip(*pairs, strict=True))
            mse = options.monitor == "mse"
            scores.append(-float(((y - guess) ** 2).mean()) if mse else float(pcc_gene(y, guess).mean()))
        return float(np.mean(scores))

    def _predict(self, section: Section) -> np.ndarray:
        seen = self._standardised(self.views(section))
        g = len(self.genes_)
        out = np.zeros((section.n_obs, g), dtype=np.float32)
        for rows in spatial_windows(section.xy, self._window()):
            blank = np.zeros((len(rows), g), dtype=np.float32)
            cut = {name: array[rows] for name, array in seen.items()}
            unit = self._related(Unit(0, rows, cut, blank, blank, np.zeros(len(rows))))
            out[rows] = self._forward_rows(unit, np.arange(len(rows)))
        return out

    def _related(self, unit: Unit) -> Unit:
        further = self.relate(unit)
        return replace(unit, views={**unit.views, **further}) if further else unit

    def _forward_rows(self, unit: Unit, rows: np.ndarray) -> np.ndarray:
        """Predict some observations of a unit, those of heavy views in chunks."""
        network, layout = self.network_.eval(), self._layout()
        chunked = not self.context or bool(self.row_views)
        step = _CHUNK if chunked else max(len(rows), 1)
        found = [np.zeros((0, len(self.genes_)), dtype=np.float32)]
        with torch.no_grad():
            for start in range(0, len(rows), step):
                part = make_part(unit, rows[start : start + step], SYMMETRIES[0], layout)
                # The truth is not there to be looked at, not even while training is validated.
                found.append(self.forward(network, Part(part.views, part.rows)).float().cpu().numpy())
        return np.concatenate(found)

    def _layout(self) -> Layout:
        return Layout(self.kinds, self.row_views, self.context, next(self.network_.parameters()).device)

    def _window(self) -> int:
        return self.options.max_context if self.context else 0

    def _standardised(self, views: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for name, shape in self.shapes_.items():
            if tuple(views[name].shape[1:]) != shape:
                msg = (
                    f"the view {name!r} has shape {tuple(views[name].shape[1:])} an observation, but the network was "
                    f"built for {shape}. Encode the section as the training sections were."
                )
                raise DataError(msg)
        scaled = {name: (views[name] - mean) / sd for name, (mean, sd) in self.scales_.items()}
        return {name: scaled.get(name, array) for name, array in views.items()}

    def _checkpoint(
        self, units: Sequence[Unit], allowed: Sequence[np.ndarray], options: Training, *, seed: int
    ) -> Path:
        """Name the file of this very training: anything that would change it changes the name."""
        parts = [a for u, rows in zip(units, allowed, strict=True) for a in (u.y, rows, u.origin) if a is not None]
        arrays = [np.ascontiguousarray(a) for a in parts]
        what = {"method": self.card.name, "params": self.params(), "options": options.to_dict(), "seed": seed}
        what |= {"genes": self.genes_, "spec": None if self.spec_ is None else self.spec_.to_dict()}
        what |= {"versions": [version("histoscribe"), torch.__version__], "shapes": sorted(self.shapes_.items())}
        arrays += [np.ascontiguousarray(a) for pair in self.scales_.values() for a in pair]
        arrays += [np.ascontiguousarray(a) for a in self.memory_.values()]
        name = digest(json.dumps(what, sort_keys=True, default=str), *(a.tobytes() for a in arrays))
        return cache_dir() / "training" / f"{name}.pt"

    def n_parameters(self) -> int:
        """Return the number of trainable parameters."""
        return sum(p.numel() for p in self.network_.parameters() if p.requires_grad)

    def state(self) -> dict[str, np.ndarray]:
        """Return the network's arrays, the views' moments and shapes, and what was memorised."""
        arrays = {f"network.{name}": t.detach().cpu().numpy() for name, t in self.network_.state_dict().items()}
        arrays |= {f"memory.{name}": value for name, value in self.memory_.items()}
        arrays |= {f"shape.{name}": np.array(shape, dtype=np.int64) for name, shape in self.shapes_.items()}
        for name, (mean, sd) in self.scales_.items():
            arrays |= {f"mean.{name}": mean, f"sd.{name}": sd}
        return arrays | {"epochs": np.array([self.epochs_], dtype=np.int64)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""

        def group(prefix: str) -> dict[str, np.ndarray]:
            return {n.removeprefix(prefix): np.asarray(v) for n, v in state.items() if n.startswith(prefix)}

        self.shapes_ = {name: tuple(int(v) for v in value) for name, value in group("shape.").items()}
        self.scales_ = {name: (mean, state[f"sd.{name}"]) for name, mean in group("mean.").items()}
        self.memory_, self.epochs_ = group("memory."), int(state["epochs"][0])
        network = self._make(self.options)
        network.load_state_dict({name: torch.tensor(value) for name, value in group("network.").items()})
        network.eval()


def _moments(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 mean and sd per channel over all arrays; a constant channel gets sd 1."""
    n = sum(a[..., 0].size for a in arrays)
    mean = sum(a.reshape(-1, a.shape[-1]).sum(0, dtype=np.float64) for a in arrays) / n
    power = sum(((a.reshape(-1, a.shape[-1]) - mean) ** 2).sum(0, dtype=np.float64) for a in arrays) / n
    sd = np.sqrt(power)
    sd[sd < 1e-6 * max(1.0, float(sd.max(initial=0.0)))] = 1.0
    return mean.astype(np.float32), sd.astype(np.float32)
