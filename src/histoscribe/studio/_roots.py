"""Roots: below which files of this machine a prediction's own slide may be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.io import parse_spec
from histoscribe.studio.items._find import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from histoscribe.studio.items._find import Given

__all__ = ["roots_of"]


def roots_of(paths: Iterable[str], given: Given) -> list[Path]:
    """Return what was given, and the images that it names; a prediction names a slide, too, but may not add to these.

    Parameters
    ----------
    paths
        Specifications, as for `find`.
    given
        What was found there.
    """
    specs = [text for text in paths if not text.endswith(".toml")]
    specs += [spec for kind, spec, _ in given.items if kind != "prediction"]
    return list(dict.fromkeys(path.resolve() for spec in specs for path in _named(spec)))


def _named(spec: str) -> Iterator[Path]:
    _, name, options = parse_spec(spec)
    yield Path(name)
    yield from (Path(options[key]) for key in ("image", "slide") if key in options)
    if name.endswith(".h5ad") and recorded(Path(name), "kind") != "prediction":
        yield from (Path(slide) for slide in [recorded(Path(name), "slide")] if slide)
