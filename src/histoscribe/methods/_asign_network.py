"""ASIGN's network: three resolutions, cross-attention, stacked graph attention, a transformer over its layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.attention import Attention, SelfLayer

__all__ = ["AsignNetwork", "Faults", "Levels", "Stage", "asign_loss", "spot_pcc_loss"]


@dataclass(frozen=True)
class Faults:
    """What the released code does otherwise; each True repeats one of its faults (asign-2025, snapshot a98c5d6).

    Attributes
    ----------
    single_key
        Cross-attention over one key and without a residual: its softmax is 1, so the spot's own features drop out.
    scrambled
        Tokens are viewed as (nodes, layers) where they are (layers, nodes): nodes get mixed.
    flat_attention
        A node's score multiplies its whole row, which is then normalised: attention cancels, a mean of neighbours is
        left; the three layers stand side by side, not on each other.
    no_self_loop
        Nodes do not look at themselves.
    region_leak
        Labels of regions and globals of unlabelled sections enter the loss, where a caller has them.
    slide_projection
        Every slide's features go through a random projection of its own.
    noisy_test
        Dropout stays on when the network predicts.
    """

    single_key: bool = False
    scrambled: bool = False
    flat_attention: bool = False
    no_self_loop: bool = False
    region_leak: bool = False
    slide_projection: bool = False
    noisy_test: bool = False

    @classmethod
    def released(cls) -> Faults:
        """Return all of them."""
        return cls(*[True] * 7)


@dataclass(frozen=True, eq=False)
class Stage:
    """A stack's graph as tensors.

    Attributes
    ----------
    spots, regions, globals_
        ``(N, d)``, ``(M, d)`` and ``(K, d)`` features.
    spot_edges, region_edges, global_edges
        ``(2, E)`` to and from.
    region_window, global_window
        ``(N, 9)`` cells that a spot looks at, its own first; -1 for none.
    region_global
        ``(M,)`` global of each region.
    """

    spots: torch.Tensor
    regions: torch.Tensor
    globals_: torch.Tensor
    spot_edges: torch.Tensor
    region_edges: torch.Tensor
    global_edges: torch.Tensor
    region_window: torch.Tensor
    global_window: torch.Tensor
    region_global: torch.Tensor


@dataclass(frozen=True, eq=False)
class Levels:
    """``(N, g)``, ``(M, g)`` and ``(K, g)`` of spots, regions and globals: predictions, or labels."""

    spots: torch.Tensor
    regions: torch.Tensor
    globals_: torch.Tensor


class _GraphLayer(nn.Module):
    """Graph attention of several heads, its edges scored one by one, with a residual and a norm."""

    def __init__(self, width: int, heads: int, *, flat: bool) -> None:
        super().__init__()
        self.heads, self.flat = heads, flat
        self.map = nn.Linear(width, width, bias=False)
        self.target = nn.Parameter(torch.randn(heads, width // heads) / (width // heads) ** 0.5)
        self.source = nn.Parameter(torch.randn(heads, width // heads) / (width // heads) ** 0.5)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        n, (to, source) = len(x), edges
        if self.flat:
            return self._flat(x, to, source)
        h = self.map(x).view(n, self.heads, -1)  # (n, heads, d)
        score = functional.leaky_relu((h * self.target).sum(-1)[to] + (h * self.source).sum(-1)[source], 0.2)
        # A softmax over the edges of each node; the largest score of all keeps it finite.
        weight = torch.exp(score - score.max())
        total = torch.zeros(n, self.heads, dtype=x.dtype, device=x.device).index_add(0, to, weight)
        gathered = torch.zeros_like(h).index_add(0, to, weight[..., None] * h[source])
        return self.norm(x + functional.elu(gathered / total.clamp_min(1e-12)[..., None]).reshape(n, -1))

    def _flat(self, x: torch.Tensor, to: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        ones = torch.ones(len(to), dtype=x.dtype, device=x.device)
        count = torch.zeros(len(x), dtype=x.dtype, device=x.device).index_add(0, to, ones)
        mean = torch.zeros_like(x).index_add(0, to, x[source]) / count.clamp_min(1.0)[:, None]
        score = torch.softmax(mean @ self.source.reshape(-1), 0)
        return functional.normalize(functional.relu(self.map(mean * score[:, None])), dim=1)


class AsignNetwork(nn.Module):
    """Predict standardised deviations of spots, regions and globals from the labelled mean.

    Parameters
    ----------
    dim, n_genes
        Features of a node, and genes.
    width, heads, layers
        Size of a token, heads of every attention, and graph layers; the paper's are 1024, 8 and 3.
    dropout
        In the transformer and the cross-attention.
    faults
        The released code's.
    """

    def __init__(
        self,
        dim: int,
        n_genes: int,
        *,
        width: int = 64,
        heads: int = 4,
        layers: int = 3,
        dropout: float = 0.1,
        faults: Faults | None = None,
    ) -> None:
        super().__init__()
        self.faults = faults or Faults()
        self.project = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, width))
        self.to_region = Attention(width, heads, dropout=dropout)
        self.to_global = Attention(width, heads, dropout=dropout)
        flat = self.faults.flat_attention
        self.graphs = nn.ModuleList(
            nn.ModuleList(_GraphLayer(width, heads, flat=flat) for _ in range(layers)) for _ in range(3)
        )
        self.layer_code = nn.Parameter(torch.randn(2 * layers, width) * 0.02)
        self.transformer = SelfLayer(width, heads, 4.0, dropout=dropout)
        self.heads = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_genes)) for _ in range(3))
        self.gate = nn.Parameter(torch.full((n_genes,), 0.5))  # sigmoid 0.62, as the paper starts
        for head in self.heads:
            nn.init.normal_(head[1].weight, std=0.01)
            nn.init.zeros_(head[1].bias)

    def forward(self, stage: Stage) -> Levels:
        """Return deviations in units of a gene's sd, before labels are mixed in."""
        regions, globals_ = self.project(stage.regions), self.project(stage.globals_)
        spots = self.project(stage.spots)
        seen = self._look(self.to_region, spots, regions, stage.region_window)
        seen = seen + self._look(self.to_global, spots, globals_, stage.global_window)
        spots = seen if self.faults.single_key else spots + seen
        coarse = self._tokens(globals_, stage.global_edges, 2)
        middle = self._tokens(regions, stage.region_edges, 1)
        fine = self._tokens(spots, stage.spot_edges, 0)
        found = (
            self._read(fine, middle[stage.region_window[:, 0]]),
            self._read(middle, coarse[stage.region_global]),
            self._read(coarse, None),
        )
        return Levels(*(head(tokens) for head, tokens in zip(self.heads, found, strict=True)))

    def mix(self, deviation: torch.Tensor, travelled: torch.Tensor) -> torch.Tensor:
        """Mix the network's deviations with labels that travelled, both ``(N, g)``, gene by gene."""
        gate = torch.sigmoid(self.gate)
        return gate * travelled + (1 - gate) * deviation

    def _look(self, attention: Attention, x: torch.Tensor, cells: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
        if self.faults.single_key:
            window = window[:, :1]
        keys = cells[window.clamp_min(0)]  # (n, k, d)
        return attention(x[:, None], keys, mask=window >= 0)[:, 0]

    def _tokens(self, x: torch.Tensor, edges: torch.Tensor, level: int) -> torch.Tensor:
        """Return ``(n, layers, d)``: what each graph layer makes of each node."""
        found, now = [], x
        for layer in self.graphs[level]:
            now = layer(x if self.faults.flat_attention else now, edges)
            found.append(now)
        if self.faults.scrambled:
            return torch.stack(found).view(len(x), len(found), -1)
        return torch.stack(found, dim=1)

    def _read(self, own: torch.Tensor, coarser: torch.Tensor | None) -> torch.Tensor:
        layers = own.shape[1]
        tokens = own if coarser is None else torch.cat([own, coarser], dim=1)
        return self.transformer(tokens + self.layer_code[: tokens.shape[1]])[:, :layers].mean(1)


def spot_pcc_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return 1 minus the mean over rows of the correlation across genes."""
    a, b = (v - v.mean(1, keepdim=True) for v in (found, wanted))
    return 1 - ((a * b).sum(1) / torch.sqrt((a**2).sum(1) * (b**2).sum(1) + 1e-8)).mean()


def asign_loss(
    found: Levels,
    wanted: Levels,
    scored: Levels,
    *,
    region_of_spot: torch.Tensor,
    global_of_spot: torch.Tensor,
    faults: Faults | None = None,
) -> torch.Tensor:
    """Return the paper's loss of a stack: squared error and correlation of spots, regions, globals and across them.

    Parameters
    ----------
    found, wanted
        Predictions and labels, in the unit of the target.
    scored
        ``(N,)``, ``(M,)``, ``(K,)`` bool: rows that have a label; the released code scores every region and global.
    region_of_spot, global_of_spot
        ``(N,)`` cells of each spot.
    """
    leak = faults is not None and faults.region_leak
    s = scored.spots
    r, g = (torch.ones_like(m) if leak else m for m in (scored.regions, scored.globals_))
    loss = 0.75 * functional.mse_loss(found.spots[s], wanted.spots[s])
    loss = loss + 0.25 * spot_pcc_loss(found.spots[s], wanted.spots[s])
    loss = loss + 0.125 * spot_pcc_loss(found.regions[r], wanted.regions[r])
    loss = loss + 0.125 * spot_pcc_loss(found.globals_[g], wanted.globals_[g])
    loss = loss + 0.125 * spot_pcc_loss(found.regions[region_of_spot[s]], wanted.spots[s])
    return loss + 0.125 * spot_pcc_loss(found.globals_[global_of_spot[s]], wanted.spots[s])
