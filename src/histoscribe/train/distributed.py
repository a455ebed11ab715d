"""Several processes under PyTorch's own launcher (`torchrun`): who am I, and sums over all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.processes import rank, world_size

if TYPE_CHECKING:
    import torch

__all__ = ["Ranks"]


class Ranks:
    """The processes of a distributed run; one process where there is no launcher."""

    def __init__(self) -> None:
        self.size, self.rank = world_size(), rank()
        if self.size > 1:
            import torch
            from torch import distributed

            if not distributed.is_initialized():
                distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    @property
    def first(self) -> bool:
        """True in the process that writes files."""
        return self.rank == 0

    def sum(self, value: float) -> float:
        """Add a number over all processes."""
        if self.size == 1:
            return value
        import torch
        from torch import distributed

        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)

    def sum_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Add gradients over all processes, in place."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)

    def share_buffers(self, network: torch.nn.Module) -> None:
        """Give every process the first one's buffers (running statistics), so that all validate the same network."""
        if self.size == 1:
            return
        from torch import distributed

        for buffer in network.buffers():
            distributed.broadcast(buffer, src=0)
