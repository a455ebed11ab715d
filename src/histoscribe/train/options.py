"""Training: the options of the loop, as one value with JSON in and out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.core.errors import HistoScribeError, RegistryError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ["Training"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    epochs
        At most this many.
    batch
        Observations in a step; 0 takes a whole section (or window) at a time.
    mixed
        Batches mix observations of several sections; otherwise each comes from one section, so that what is computed
        for a whole section is computed once a step.
    optimiser, lr, weight_decay, momentum
        ``"adam"``, ``"adamw"`` or ``"sgd"``, learning rate, decay, and the momentum of SGD.
    schedule, step, gamma, warmup
        ``"none"``; ``"step"``: times `gamma` every `step` epochs; ``"cosine-restarts"``: periods of `step` epochs;
        ``"cosine"``: exactly `warmup` epochs of linear rise from 1e-5 of the rate, which epoch `warmup` (from 0) has
        whole, then half a cosine down to 1e-8.
    clip
        Largest norm of the gradient; 0 does not clip.
    patience
        Stop after this many epochs without a better validation score; 0 runs all epochs and keeps the last.
    monitor
        Validation score: ``"pcc_gene"`` (mean over genes, then sections) or ``"mse"``.
    refit
        After the best number of epochs is known, train again on all training observations for that many.
    augment
        Flip and turn tiles, their surroundings and their places together.
    max_context
        Split sections of more observations into windows of at most this many; 0 never splits.
    precision
        ``"auto"`` (float16 on CUDA, float32 on a CPU), ``"float32"``, ``"bfloat16"``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``.
    checkpoint_s
        Save the state of training after an epoch where the last save is this many seconds old.
    """

    epochs: int = 200
    batch: int = 128
    mixed: bool = False
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-4
    weight_decay: float = 0.0
    momentum: float = 0.9
    schedule: Literal["none", "step", "cosine-restarts", "cosine"] = "none"
    step: int = 50
    gamma: float = 0.9
    warmup: int = 0
    clip: float = 0.0
    patience: int = 20
    monitor: Literal["pcc_gene", "mse"] = "pcc_gene"
    refit: bool = False
    augment: bool = True
    max_context: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_s: float = 20.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def but(self, changes: Mapping[str, Any] | None) -> Training:
        """Return a copy with some options changed.

        Raises
        ------
        RegistryError
            If there is no such option.
        """
        known = [f.name for f in fields(self)]
        for name in changes or {}:
            if name not in known:
                msg = f"training has no option {name!r}. {did_you_mean(name, known)}"
                raise RegistryError(msg)
        return replace(self, **(changes or {}))

    def make_optimiser(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser."""
        import torch

        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        make = torch.optim.AdamW if self.optimiser == "adamw" else torch.optim.Adam
        return make(parameters, self.lr, weight_decay=self.weight_decay)

    def make_schedule(self, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler | None:
        """Make the schedule, advanced once an epoch, or None."""
        from torch.optim import lr_scheduler

        if self.schedule == "step":
            return lr_scheduler.StepLR(optimiser, self.step, self.gamma)
        if self.schedule == "cosine-restarts":
            return lr_scheduler.CosineAnnealingWarmRestarts(optimiser, self.step)
        if self.schedule == "cosine":
            return lr_scheduler.LambdaLR(optimiser, self._cosine_factor)
        return None

    def _cosine_factor(self, epoch: int) -> float:
        if epoch < self.warmup:
            return 1e-5 + (1 - 1e-5) * epoch / self.warmup
        done = (epoch - self.warmup) / max(self.epochs - self.warmup, 1)
        low = 1e-8 / self.lr
        return low + (1 - low) * (1 + math.cos(math.pi * done)) / 2

    def place(self) -> torch.device:
        """Return the device to train on; each process of a distributed run gets its own GPU."""
        import os

        import torch

        cuda = torch.cuda.is_available()
        if self.device == "cuda" and not cuda:
            msg = f"device 'cuda' was asked for, but PyTorch {torch.__version__} finds no GPU here. Use device='cpu'."
            raise HistoScribeError(msg)
        if self.device == "cpu" or not cuda:
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
