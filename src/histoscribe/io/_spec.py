"""Specifications: one line of text, or a TOML manifest, that names sections for the command line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean
from histoscribe.io._read import READERS, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["parse_spec", "read_spec", "read_specs"]

# A new option starts at "&key="; "a > 1 & b == 2" inside where= does not.
_OPTION = re.compile(r"&(?=[a-z_]+=(?!=))")


def parse_spec(text: str) -> tuple[str | None, str, dict[str, str]]:
    """Split ``[READER:]PATH[?key=value&key=value]`` into reader, path and options.

    Values may be percent-encoded, which a value that holds ``&key=`` needs.

    Raises
    ------
    DataError
        If the text has no path or an option is not ``key=value``.
    RegistryError
        If the reader is not known.

    Examples
    --------
    >>> parse_spec("st-array:her2st?section=C2&donor=C")
    ('st-array', 'her2st', {'section': 'C2', 'donor': 'C'})
    >>> parse_spec("kidney.h5ad?where=array_col>=56")
    (None, 'kidney.h5ad', {'where': 'array_col>=56'})
    """
    body, _, query = text.partition("?")
    head, colon, tail = body.partition(":")
    reader, path = (head, tail) if colon and re.fullmatch(r"[a-z0-9][a-z0-9-]+", head) else (None, body)
    if reader is not None and reader not in READERS:
        if Path(body).exists():
            reader, path = None, body
        else:
            msg = f"{text!r} names the reader {reader!r}, which does not exist. {did_you_mean(reader, list(READERS))}"
            raise DataError(msg)
    if not path:
        msg = f"{text!r} names no path. Give [READER:]PATH[?key=value&key=value]."
        raise DataError(msg)
    options: dict[str, str] = {}
    for part in _OPTION.split(query) if query else []:
        key, equals, value = part.partition("=")
        if not equals or not key.isidentifier() or key in options:
            problem = "is given twice" if key in options else "is not key=value"
            msg = f"{text!r}: {part!r} {problem}. Give [READER:]PATH[?key=value&key=value]."
            raise DataError(msg)
        options[key] = unquote(value)
    return reader, path, options


def read_spec(text: str, **defaults: Any) -> Section:
    """Read the section that ``[READER:]PATH[?key=value&key=value]`` names; relative to the current folder.

    `defaults` are options that the text may replace; `where` and `outside` are options as well.
    """
    reader, path, options = parse_spec(text)
    return read(reader, path, **(defaults | options))


def read_specs(specs: Sequence[str], **defaults: Any) -> list[Section]:
    """Read several sections; a specification that ends in ``.toml`` is a manifest.

    A manifest lists tables ``[[section]]`` with `path`, optionally `reader`, and the reader's options; a table
    ``[defaults]`` holds options for all of them. Paths in it are relative to the manifest's folder.

    Raises
    ------
    DataError
        If a manifest is damaged, or two sections have one name.
    """
    sections: list[Section] = []
    for spec in specs:
        if spec.endswith(".toml"):
            sections += [read(reader, path, **(defaults | options)) for reader, path, options in _manifest(Path(spec))]
        else:
            sections.append(read_spec(spec, **defaults))
    names = [s.name for s in sections]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        shown = ", ".join(map(repr, repeated))
        msg = f"several sections are called {shown}, so records could not tell them apart. Give each a name=<name>."
        raise DataError(msg)
    return sections


def _manifest(path: Path) -> list[tuple[str | None, str, dict[str, Any]]]:
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        msg = f"manifest {path} does not exist. Check the path."
        raise DataError(msg) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        msg = f"manifest {path} is not valid TOML ({err}). Correct it."
        raise DataError(msg) from err
    tables = value.get("section", [])
    unknown = sorted(set(value) - {"section", "defaults"})
    if unknown or not isinstance(tables, list) or not tables:
        problem = f"has unknown tables {', '.join(unknown)}" if unknown else "lists no section"
        msg = f"manifest {path} {problem}. List tables [[section]] with a path each, and [defaults] if you like."
        raise DataError(msg)
    result = []
    for number, table in enumerate(tables, start=1):
        options = value.get("defaults", {}) | table
        reader, target = options.pop("reader", None), options.pop("path", None)
        if not isinstance(target, str):
            msg = f'manifest {path}: section {number} has no path. Add path = "...".'
            raise DataError(msg)
        for key in ("image", "spots", "genes"):
            given = options.get(key)
            if isinstance(given, str) and (path.parent / given).exists():
                options[key] = str(path.parent / given)
        result.append((reader, str(path.parent / target), options))
    return result
