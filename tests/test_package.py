"""The package as a whole: fast to import, complete in its names, free of heavy imports in the wrong place."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import histoscribe

SOURCE = Path(histoscribe.__file__).parent


def cpu_seconds(*words, repeats=3):
    """Least processor time of a command: what it costs, however busy the machine is."""
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, done.stderr
    return min(times)


def test_importing_the_package_takes_under_a_third_of_a_second():
    assert cpu_seconds("-c", "import histoscribe") < 0.3


def test_help_costs_at_most_a_few_times_typer_itself():
    # A ratio: seconds differ threefold between machines, and with what else these do.
    assert cpu_seconds("-m", "histoscribe", "--help") < 2.5 * cpu_seconds("-c", "import typer, typer.rich_utils")


def test_public_names_are_complete_and_importable():
    assert set(histoscribe.__all__) == {*histoscribe._PUBLIC, "__version__"}
    for name in histoscribe.__all__:
        assert getattr(histoscribe, name) is not None


def test_a_name_stays_a_function_after_its_package_was_imported():
    import_module("histoscribe.reports")
    assert callable(histoscribe.report)


def test_torchvision_is_never_imported_and_timm_only_behind_its_guard():
    guarded = SOURCE / "encoders" / "_networks.py"
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found = {n.partition(".")[0] for n in names} & {"torchvision", "timm", "transformers"}
            # Inside a function: the extra that holds them may be absent.
            assert not found or (path == guarded and node.col_offset and "torchvision" not in found), path


def test_a_users_mistake_is_one_line_without_a_traceback(tmp_path):
    words = [sys.executable, "-m", "histoscribe", "predict", "no.bundle", "no.svs", "--out", str(tmp_path / "x.h5ad")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 2
    assert done.stderr.startswith("histoscribe: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
