"""The studio: a local web application that shows slides, genes, trust, boards and papers."""

from __future__ import annotations

from histoscribe.studio._app import create_app
from histoscribe.studio._serve import serve
from histoscribe.studio._studio import Studio
from histoscribe.studio.items._demo import demo_specs

__all__ = ["Studio", "create_app", "demo_specs", "serve"]
