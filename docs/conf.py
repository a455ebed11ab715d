"""Sphinx settings."""

import importlib.metadata

project = "HistoScribe"
author = "The HistoScribe developers"
copyright = "2026, The HistoScribe developers"
release = importlib.metadata.version("histoscribe")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "**/_*"]
html_theme = "furo"
html_title = "HistoScribe"
