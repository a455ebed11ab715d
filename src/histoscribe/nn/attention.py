"""Attention as this field's transformers use it: pre-norm layers, one norm for cross-attention, grid biases."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Attention", "CrossLayer", "FeedForward", "GridBias", "SelfLayer"]


class Attention(nn.Module):
    """Multi-head attention: projections without bias, scale ``(width / head)^-1/2``, output with bias, then dropout.

    Parameters
    ----------
    width
        Size of a token.
    heads
        Number of heads; the width of all together is `width` unless `head_width` is given.
    dropout
        Of the output.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0, head_width: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * (head_width or width // heads)
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.output = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: torch.Tensor,
        context: torch.Tensor,
        *,
        bias: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Let ``(b, n, d)`` tokens look at ``(b, m, d)`` context.

        Parameters
        ----------
        bias
            ``(heads, n, m)`` added to the logits.
        mask
            ``(b, m)`` bool, True where a context token may be looked at; a row without any looks at all.
        """
        (b, n, _), m = x.shape, context.shape[1]
        q = self.query(x).view(b, n, self.heads, -1).transpose(1, 2)  # (b, heads, n, d)
        k, v = self.key_value(context).view(b, m, 2, self.heads, -1).permute(2, 0, 3, 1, 4)  # 2 x (b, heads, m, d)
        added = None if bias is None else bias[None].to(q.dtype)
        if mask is not None:
            mask = mask | ~mask.any(1, keepdim=True)  # a softmax over nothing would be NaN
            hidden = torch.zeros(b, 1, 1, m, dtype=q.dtype, device=q.device).masked_fill(~mask[:, None, None], -6e4)
            added = hidden if added is None else added + hidden
        if added is not None:
            added = added.expand(b, self.heads, n, m)
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=added)
        return self.dropout(self.output(out.transpose(1, 2).reshape(b, n, -1)))


class FeedForward(nn.Sequential):
    """Linear, GELU, dropout, linear, dropout; the hidden width is `ratio` times the token's."""

    def __init__(self, width: int, ratio: float, *, dropout: float = 0.0) -> None:
        hidden = round(ratio * width)
        super().__init__(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )


class SelfLayer(nn.Module):
    """Pre-norm transformer layer: ``x + attention(norm x)``, then ``x + feed-forward(norm x)``."""

    def __init__(
        self, width: int, heads: int, ratio: float, *, dropout: float = 0.0, head_width: int | None = None
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout=dropout, head_width=head_width)
        self.norm_out = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio, dropout=dropout)

    def forward(
        self, x: torch.Tensor, *, bias: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Transform ``(b, n, d)`` tokens; `bias` and `mask` as in `Attention`."""
        normed = self.norm(x)
        x = x + self.attention(normed, normed, bias=bias, mask=mask)
        return x + self.feed_forward(self.norm_out(x))


class CrossLayer(nn.Module):
    """Pre-norm cross-attention layer; one norm serves query and context, as in TRIPLEX's fusion."""

    def __init__(self, width: int, heads: int, ratio: float, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout=dropout)
        self.norm_out = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio, dropout=dropout)

    def forward(self, x: torch.Tensor, context: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Let ``(b, n, d)`` tokens look at ``(b, m, d)`` context; `mask` as in `Attention`."""
        x = x + self.attention(self.norm(x), self.norm(context), mask=mask)
        return x + self.feed_forward(self.norm_out(x))


class GridBias(nn.Module):
    """A learned bias per head for each distance (in rows, in columns) of a k x k grid of tokens; 0 at first."""

    def __init__(self, k: int, heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(heads, k * k))
        row, column = torch.meshgrid(torch.arange(k), torch.arange(k), indexing="ij")
        row, column = row.flatten(), column.flatten()
        index = (row[:, None] - row).abs() * k + (column[:, None] - column).abs()
        self.register_buffer("index", index, persistent=False)

    def forward(self) -> torch.Tensor:
        """Return the ``(heads, k * k, k * k)`` bias."""
        return self.table[:, self.index]
