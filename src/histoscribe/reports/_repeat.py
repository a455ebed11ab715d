"""The commands that repeat a prediction, written as a user would type them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.reports._facts import Facts

__all__ = ["commands", "spec_text"]


def spec_text(entry: Mapping[str, Any]) -> str:
    """Return the specification (`histoscribe.io.parse_spec`) of a training section."""
    options = {k: v for k, v in dict(entry.get("options", {})).items() if v is not None}
    # Only what would end or change the text is encoded: it should stay readable.
    query = "&".join(f"{key}={_quoted(_plain(value))}" for key, value in options.items())
    head = f"{entry['reader']}:{entry['path']}"
    return f"{head}?{query}" if query else head


def _quoted(value: str) -> str:
    # "key==..." would not be taken for the start of an option.
    text = quote(value, safe=" /:,>=<!.@")
    return f"%3D{text[1:]}" if text.startswith("=") else text


def commands(facts: Facts, n_genes: int) -> list[str]:
    """Return fit and predict as shell commands; empty where a training section did not come from files."""
    if not facts.training or any(not e.get("reader") or not e.get("path") for e in facts.training):
        return []
    fit = ["histoscribe", "fit", *(spec_text(e) for e in facts.training), "--method", facts.method]
    if facts.sides_um:
        fit += ["--encoder", facts.encoder, "--size-um", ",".join(f"{side:g}" for side in facts.sides_um)]
    fit += ["--genes", str(n_genes)]
    for name, value in facts.params.items():
        fit += ["--param", f"{name}={json.dumps(value)}"]
    if facts.seed is not None:
        fit += ["--seed", str(facts.seed)]
    slide = facts.slide or "SLIDE"
    predict = ["histoscribe", "predict", "model.bundle", f"{slide}?mpp={facts.mpp:.6g}", "--out", "prediction.h5ad"]
    return [shlex.join([*fit, "--out", "model.bundle"]), shlex.join(predict)]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
