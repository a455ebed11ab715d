"""What the server says is in the page's Chinese words, so that a new sentence cannot be forgotten."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "histoscribe" / "studio"
FILES = [ROOT / "web" / "src" / "words" / name for name in ("server.ts", "metrics.ts")]
#: Calls whose texts reach the page, and names of texts on the way there.
TOLD = {"StudioError", "error_response", "HTTPException", "Finding", "ErrorParts", "HistoScribeError"}
NAMES = {"what", "todo"}
LEVELS = {"ok", "warn", "wrong"}


def words():
    """English to Chinese, as the page has them."""
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    return dict(re.findall(r'^  "?(.+?)"?:\s+"(.*)",$', text, flags=re.MULTILINE))


def texts(node):
    """The texts that an expression can be, each value in them as ``{}``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)]
    return [*texts(node.body), *texts(node.orelse)] if isinstance(node, ast.IfExp) else []


def told():
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            given = []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in TOLD:
                given = [*node.args, *(k.value for k in node.keywords)]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in NAMES:
                given = [node.value]
            for text in (text for value in given for text in texts(value)):
                yield from ((path.name, part) for part in re.split(r"(?<=[.?!])\s+(?=[A-Z`])", text))


def test_every_sentence_of_the_server_has_chinese_words():
    known = {re.sub(r"\{\w+\}", "{}", english) for english in words()}
    said = {(file, text) for file, text in told() if re.search(r"[A-Za-z]", text) and text not in LEVELS}
    assert len(said) > 60
    assert [(file, text) for file, text in sorted(said) if text not in known] == []


def test_a_translated_sentence_keeps_its_values():
    names = re.compile(r"\{\w+\}")
    assert [en for en, zh in words().items() if set(names.findall(en)) != set(names.findall(zh))] == []
