"""Slides: one way to read pixels, whatever the file: a rectangle of level 0 at any resolution, antialiased."""

from __future__ import annotations

from histoscribe.slide._open import SLIDES, open_slide
from histoscribe.slide._pyramid import Level, Pyramid
from histoscribe.slide._write_tiff import write_tiff

__all__ = ["SLIDES", "Level", "Pyramid", "open_slide", "write_tiff"]
