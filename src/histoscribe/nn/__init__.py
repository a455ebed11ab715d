"""Network blocks that at least two methods use; they see tensors and know nothing of sections."""

from __future__ import annotations
