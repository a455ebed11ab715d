"""The report of a batch: one line a slide, what failed and why, in Markdown for people and JSON for programs."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from histoscribe.core.files import atomic_path, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from histoscribe.encoders.batch._job import Outcome, SlideJob

__all__ = ["Report"]

_PACKAGES = ("histoscribe", "numpy", "onnxruntime", "openslide-bin", "torch")
#: Seconds between two writings of the report: a thousand small slides are not a thousand reports.
_EVERY_S = 2.0


class Report:
    """What became of the slides of one run.

    Attributes
    ----------
    outcomes
        One for each slide that ended, in that order.
    """

    def __init__(self, folder: Path, jobs: Sequence[SlideJob]) -> None:
        self.folder = folder
        self.jobs = list(jobs)
        self.outcomes: list[Outcome] = []
        self.id = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:6]
        self._begun, self._state = time.time(), "running"
        self._written = 0.0

    def add(self, outcome: Outcome) -> None:
        """Add one outcome, and write the report if the last writing was some time ago."""
        self.outcomes.append(outcome)
        if time.time() - self._written > _EVERY_S:
            self.write()

    def finish(self) -> None:
        """Write the report for the last time."""
        self._state = "finished" if len(self.outcomes) == len(self.jobs) else "stopped"
        self.write()

    def counts(self) -> dict[str, int]:
        """Return how many slides ended in each state, and how many are to do."""
        found = Counter(o.state for o in self.outcomes)
        return {s: found[s] for s in ("done", "skipped", "failed", "locked")} | {
            "to do": len(self.jobs) - len(self.outcomes)
        }

    @property
    def failed(self) -> list[Outcome]:
        """The slides that failed, or that another process holds."""
        return [o for o in self.outcomes if o.state in ("failed", "locked")]

    @property
    def new_tiles(self) -> int:
        """Tiles of the slides that this run encoded."""
        return sum(o.n_tiles or 0 for o in self.outcomes if o.state == "done")

    @property
    def tiles_per_s(self) -> float:
        """Their number by the seconds since the run began."""
        return self.new_tiles / max(time.time() - self._begun, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        settings = self.jobs[0].settings
        return {
            "run": self.id,
            "state": self._state,
            "slides": self.counts(),
            "new_tiles": self.new_tiles,
            "seconds": round(time.time() - self._begun, 3),
            "tiles_per_s": round(self.tiles_per_s, 3),
            "settings": {
                "encoder": settings.encoder,
                "sides_um": list(settings.sides_um),
                "step_um": settings.step_um,
                "threads": settings.threads,
            },
            "machine": {"host": platform.node(), "cores": os.cpu_count(), "system": platform.platform()},
            "versions": {name: version(name) for name in _PACKAGES},
            "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._begun)),
            "outcomes": [o.to_dict() for o in self.outcomes],
        }

    def write(self) -> None:
        """Write ``report.json``, ``report.md`` and ``runs/<id>.json``, atomically."""
        value = self.to_dict()
        write_json(self.folder / "runs" / f"{self.id}.json", value)
        write_json(self.folder / "report.json", value)
        with atomic_path(self.folder / "report.md") as temporary:
            temporary.write_text(_markdown(value), encoding="utf-8")
        self._written = time.time()


def _markdown(value: dict[str, Any]) -> str:
    settings = value["settings"]
    counts = ", ".join(f"{n} {state}" for state, n in value["slides"].items() if n)
    lines = [
        f"# Encoding run {value['run']}: {value['state']}\n",
        f"{counts}; {value['new_tiles']} new tiles in {value['seconds']:.1f} s ({value['tiles_per_s']:.1f} tiles/s).\n",
        f"Encoder `{settings['encoder']}`, tile sides {settings['sides_um']} um, step {settings['step_um'] or 'side'}"
        f"; {value['machine']['host']}, {value['begun']}.\n",
    ]
    failed = [o for o in value["outcomes"] if o["state"] in ("failed", "locked")]
    if failed:
        lines += ["## Not done\n", *(f"- **{_cell(o['name'])}** ({o['state']}): {o['error']}" for o in failed), ""]
    lines += [
        "## Slides\n",
        "| slide | state | tiles | tissue mm2 | um/px (from) | s | encoding tiles/s | picture |",
        "|---|---|---:|---:|---|---:|---:|---|",
        *(_row(o) for o in sorted(value["outcomes"], key=lambda o: o["name"])),
    ]
    return "\n".join(lines) + "\n"


def _row(o: dict[str, Any]) -> str:
    rate = o["n_tiles"] / o["encode_s"] if o["state"] == "done" and o["encode_s"] else None
    mpp = f"{o['mpp']:.4g} ({o['mpp_from']})" if o["mpp"] else ""
    stem = o["out"].replace("\\", "/").rpartition("/")[2].removesuffix(".h5ad")
    cells = [
        _cell(o["name"]),
        o["state"] + (f"; {o['note']}" if o["note"] else ""),
        "" if o["n_tiles"] is None else str(o["n_tiles"]),
        "" if o["tissue_mm2"] is None else f"{o['tissue_mm2']:.2f}",
        mpp,
        f"{o['seconds']:.1f}",
        "" if rate is None else f"{rate:.1f}",
        f"[tiles](<pictures/{stem}.png>)" if o["state"] in ("done", "skipped") else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
