"""The static site of the catalogue: search, pages, figures; opens from disk without a server."""

from __future__ import annotations

from histoscribe.catalogue.site._build import Site, build_site

__all__ = ["Site", "build_site"]
