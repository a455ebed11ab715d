"""Fail where a source file breaks a rule that no linter knows: length of files and functions, a machine's paths."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES, FUNCTION_LINES = 400, 60
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[a-z]")


def main() -> int:
    """Print one line per finding; return 1 where there is any."""
    kinds = ["*.py", "web/*.ts", "web/*.tsx", "web/*.css"]
    listed = subprocess.run(["git", "ls-files", *kinds], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    findings = [f for name in listed.split() if (ROOT / name).is_file() for f in findings_of(ROOT / name)]
    for finding in findings:
        print(finding)
    print(f"{len(listed.split())} files, {len(findings)} findings")
    return 1 if findings else 0


def findings_of(path: Path) -> list[str]:
    """Return what is wrong with one file."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    n = text.count("\n")
    found = [f"{name}: {n} lines, at most {FILE_LINES}; split it by idea"] if n > FILE_LINES else []
    for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "tests" not in path.parts:
            length = code_lines(node)
            if length > FUNCTION_LINES:
                found.append(
                    f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}; split it"
                )
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line) and path != Path(__file__):
            found.append(f"{name}:{number}: names a path of one machine; use a relative path or an option")
    return found


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's lines from its first statement after the docstring to its end."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


if __name__ == "__main__":
    sys.exit(main())
