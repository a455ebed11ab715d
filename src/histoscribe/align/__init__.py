"""Registration of sections to each other; every transform is in um."""

from __future__ import annotations

from histoscribe.align.rigid import Rigid, align_footprints, spacing_um

__all__ = ["Rigid", "align_footprints", "spacing_um"]
