"""What a job's process does: the same as the command line, telling its progress through a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.progress import listening

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["begin"]


def begin(kind: str, given: dict[str, str], pipe: Connection) -> None:
    """Do a job and send what came of it: ``("done", result)`` or ``("failed", what)``; progress in between.

    Parameters
    ----------
    kind
        ``"predict"``, ``"evaluate"`` or ``"run"``.
    given
        What the job needs, as text.
    pipe
        To the server.
    """
    # A group of its own, so that a cancelled job takes its own children along.
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(label: str, unit: str, done: int, total: int) -> None:
        pipe.send(("progress", {"message": label, "unit": unit, "done": done, "total": total}))

    try:
        with listening(tell):
            pipe.send(("done", _WORK[kind](given)))
    except HistoScribeError as err:
        pipe.send(("failed", str(err)))
    except MemoryError:
        pipe.send(("failed", "there is not enough memory for it. Close other programs, or give a smaller slide."))
    except Exception as err:  # noqa: BLE001  a process's last words
        pipe.send(("failed", f"{type(err).__name__}: {err}. Run the same command in a terminal to see more."))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


def _predict(given: dict[str, str]) -> dict[str, Any]:
    from histoscribe.core.files import atomic_path
    from histoscribe.io import read_spec
    from histoscribe.methods.apply import predict

    section = read_spec(given["spec"])
    result = predict(section, given["bundle"], rescale=given.get("rescale") == "yes")
    with atomic_path(given["out"]) as temporary:
        result.write_h5ad(temporary)
    return {"out": given["out"], "message": f"{result.n_obs} places x {result.n_vars} genes"}


def _evaluate(given: dict[str, str]) -> dict[str, Any]:
    from histoscribe import bench
    from histoscribe.io import read_spec

    result = bench.evaluate(Path(given["prediction"]), read_spec(given["spec"]))
    result.save(given["out"])
    own = result.record.scores[result.method]
    scores = {name: value for name, value in own.items() if isinstance(value, int | float)}
    return {"scores": scores, "message": result.heading}


def _run(given: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "histoscribe", "papers", "run", given["paper"]]
    found = subprocess.run([*command, "--results", given["out"], "--json"], capture_output=True, text=True, check=False)
    if found.returncode:
        last = (found.stderr.strip().splitlines() or [f"exit status {found.returncode}"])[-1]
        raise HistoScribeError(last.removeprefix("histoscribe: "))
    told = json.loads(found.stdout.strip().splitlines()[-1])
    kind = "SYNTHETIC sections" if told["synthetic"] else "measured sections"
    return {"scores": told["scores"], "message": f"{told['method']} with {told['encoder']} on {kind}"}


_WORK = {"predict": _predict, "evaluate": _evaluate, "run": _run}
