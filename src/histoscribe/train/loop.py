"""The loop: epochs of batches, a validation score, early stopping, and exact resumption after a kill."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from histoscribe.core.errors import DataError
from histoscribe.core.progress import progress
from histoscribe.train.checkpoint import Checkpoint
from histoscribe.train.distributed import Ranks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from histoscribe.train.options import Training

__all__ = ["Outcome", "train"]


@dataclass
class Outcome:
    """What training led to.

    Attributes
    ----------
    epochs
        Epochs behind the weights that were kept.
    score
        Their validation score, or None without validation.
    history
        One ``(mean training loss, validation score or None)`` per epoch run.
    """

    epochs: int = 0
    score: float | None = None
    history: list[tuple[float, float | None]] = field(default_factory=list)


@dataclass
class _State:
    """Everything that changes while training."""

    network: torch.nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None
    scaler: torch.amp.GradScaler
    outcome: Outcome = field(default_factory=Outcome)
    best: dict[str, torch.Tensor] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "outcome": (self.outcome.epochs, self.outcome.score, self.outcome.history),
            "best": self.best,
        }

    def load(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.schedule is not None:
            self.schedule.load_state_dict(saved["schedule"])
        self.scaler.load_state_dict(saved["scaler"])
        epochs, score, history = saved["outcome"]
        self.outcome = Outcome(epochs, score, [(float(loss), found) for loss, found in history])
        self.best = saved["best"]


def train(
    network: torch.nn.Module,
    batches: Callable[[int], Collection[Any]],
    loss: Callable[[Any], tuple[torch.Tensor, int] | None],
    options: Training,
    *,
    score: Callable[[], float] | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    label: str = "train",
    show: bool | None = None,
) -> Outcome:
    """Train `network` in place.

    Every epoch begins with generators seeded by (seed, epoch), and `batches` depends on the epoch alone: a run that
    was killed and goes on from its checkpoint ends with the same bits as one that was not. Under PyTorch's distributed
    launcher each process computes the share of a batch that `loss` gives it, and gradients are summed, so that the
    number of processes does not change the result beyond rounding.

    Parameters
    ----------
    batches
        Epoch, from 0, to its batches.
    loss
        Batch to its mean loss over this process's observations and their number, or None where it has none.
    options
        See `Training`.
    score
        Validation score, higher is better; the network is in evaluation mode. None trains for all epochs.
    seed
        Seed of dropout and of anything else random in the network.
    checkpoint
        File for the state of training; removed when training ends.

    Returns
    -------
    The outcome; the network holds the weights of the best epoch (of the last one without `score` or patience).

    Raises
    ------
    DataError
        If the loss stops being a finite number.
    """
    device = next(network.parameters()).device
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = options.make_optimiser(parameters)
    half = options.precision == "auto" and device.type == "cuda"
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    state = _State(network, optimiser, options.make_schedule(optimiser), scaler)
    ranks, keeper = Ranks(), Checkpoint(checkpoint, every_s=options.checkpoint_s)
    saved = keeper.load(device)
    if saved is not None:
        state.load(saved)
    first = len(state.outcome.history)
    per_epoch = len(batches(0))
    with progress(label, options.epochs * per_epoch, unit="batches", done=first * per_epoch, show=show) as advance:
        for epoch in range(first, options.epochs):
            if _finished(state, options, validated=score is not None):
                break
            torch.manual_seed(_mix(seed, epoch))
            mean = _epoch(state, batches(epoch), loss, options, parameters=parameters, ranks=ranks, advance=advance)
            ranks.share_buffers(network)
            _judge(state, mean, score, options)
            if ranks.first:
                keeper.save(state.to_dict)
    if state.best is not None:
        network.load_state_dict(state.best)
    network.eval()
    keeper.remove()
    return state.outcome


def _epoch(
    state: _State,
    batches: Iterable[Any],
    loss: Callable[[Any], tuple[torch.Tensor, int] | None],
    options: Training,
    *,
    parameters: list[torch.nn.Parameter],
    ranks: Ranks,
    advance: Callable[[int], None],
) -> float:
    """Run one epoch and return its mean loss."""
    state.network.train()
    device = parameters[0].device
    total, steps = 0.0, 0
    for batch in batches:
        state.optimiser.zero_grad(set_to_none=True)
        with _cast(options, device):
            found = loss(batch)
        value, n = (parameters[0].sum() * 0.0, 0) if found is None else found
        everyone = ranks.sum(float(n))
        share = value * (n / max(everyone, 1.0))
        state.scaler.scale(share).backward()
        ranks.sum_gradients(parameters)
        if options.clip > 0:
            state.scaler.unscale_(state.optimiser)
            torch.nn.utils.clip_grad_norm_(parameters, options.clip)
        state.scaler.step(state.optimiser)
        state.scaler.update()
        total, steps = total + ranks.sum(float(share.detach())), steps + 1
        advance(1)
    if state.schedule is not None:
        state.schedule.step()
    mean = total / max(steps, 1)
    if not torch.isfinite(torch.tensor(mean)):
        done = len(state.outcome.history)
        msg = f"the training loss became {mean} in epoch {done + 1}. Lower the learning rate or clip the gradient."
        raise DataError(msg)
    return mean


def _judge(state: _State, mean: float, score: Callable[[], float] | None, options: Training) -> None:
    """Add an epoch to the outcome, and keep its weights where they are the best so far."""
    outcome, found = state.outcome, None
    if score is not None:
        state.network.eval()
        with torch.no_grad():
            found = float(score())
    outcome.history.append((mean, found))
    better = found is None or options.patience <= 0 or outcome.score is None or found > outcome.score
    if better:
        outcome.epochs, outcome.score = len(outcome.history), found
        if found is not None and options.patience > 0:
            state.best = copy.deepcopy(state.network.state_dict())


def _finished(state: _State, options: Training, *, validated: bool) -> bool:
    stale = len(state.outcome.history) - state.outcome.epochs
    return validated and 0 < options.patience <= stale


def _cast(options: Training, device: torch.device) -> Any:
    if options.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    if options.precision == "auto" and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.float16)
    return nullcontext()


def _mix(seed: int, epoch: int) -> int:
    """Mix seed and epoch, so that no two epochs of one seed, nor seeds of one epoch, share a stream."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % (2**63)
