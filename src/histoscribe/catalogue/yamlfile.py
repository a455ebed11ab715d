"""Read and write record files: YAML without its traps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["dump_yaml", "load_yaml", "write_yaml"]

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """A safe loader that knows only null, true/false and whole numbers.

    Plain YAML reads the arXiv id 2412.10100 as a number and drops its last zero, reads 2024-05-01 as a date and
    "no" as false; here all of these stay text.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Refuse a key that stands twice: YAML would keep the last without a word."""
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                msg = f"key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, msg, key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(0|-?[1-9][0-9]*)$"), list("-0123456789"))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
        return super().increase_indent(flow=flow, indentless=False)


def _is_short(value: list[Any]) -> bool:
    return all(isinstance(v, str | int) for v in value) and sum(len(str(v)) + 2 for v in value) < 90


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=_is_short(value))


_Dumper.add_representer(list, _list)


def load_yaml(path: Path) -> Any:
    """Read a YAML file; numbers with a point, dates and yes/no stay text.

    Raises
    ------
    DataError
        If the file is absent, not UTF-8 or not YAML; the line is named.
    """
    try:
        return yaml.load(path.read_bytes(), Loader=_Loader)
    except FileNotFoundError as err:
        msg = f"{path} does not exist. Check the path."
        raise DataError(msg) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        mark = getattr(err, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        what = getattr(err, "problem", None) or err
        msg = f"{where} is not valid YAML ({what}). Mend that line; see another record for the form."
        raise DataError(msg) from err


def dump_yaml(value: Any) -> str:
    """Write plain values as YAML that a person would have written: short lists on one line, no aliases."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)


def write_yaml(path: Path, value: Any) -> None:
    """Write a YAML file, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(dump_yaml(value), encoding="utf-8")
