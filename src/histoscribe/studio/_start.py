"""Start jobs: from ids to what a process needs, and from its result back to items."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.io import parse_spec
from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    from histoscribe.studio._bundles import Bundles
    from histoscribe.studio._library import Library
    from histoscribe.studio.items._item import Items
    from histoscribe.studio.jobs._job import Job
    from histoscribe.studio.jobs._jobs import Jobs

__all__ = ["Starts"]


class Starts:
    """What a studio does with its jobs; mixed into `Studio`."""

    items: Items
    jobs: Jobs
    bundles: Bundles
    library: Library
    work: Path
    results: Path | None
    #: Files that jobs in line will write.
    taken: set[Path]

    def readable_spec(self, item: str, mpp: float | None = None) -> str:
        """Return the specification of a slide or section, with `mpp` where the slide states none.

        Raises
        ------
        StudioError
            Status 409 where the item is a prediction, or its um/px is unknown.
        """
        found = self.items.get(item)
        if found.kind == "prediction":
            todo = "Choose the slide or the section that it was made for."
            raise StudioError(409, "a prediction is no slide to predict on.", where=found.name, todo=todo)
        if found.kind == "section":
            return found.spec
        opened = self.items.open(found)
        if opened.mpp is None and mpp is None:
            todo = "Give mpp, the um per px of its full resolution."
            raise StudioError(409, "the slide does not state its um per px.", where=found.name, todo=todo)
        _, _, options = parse_spec(found.spec)
        given = mpp is not None and opened.mpp is None and "mpp" not in options
        return found.spec + (f"{'&' if '?' in found.spec else '?'}mpp={mpp:g}" if given else "")

    def free(self, folder: str, name: str, suffix: str = "") -> Path:
        """Return a path in a folder of the work that neither a file nor a job in line has taken."""
        stem = re.sub(r"[^\w.-]+", "-", name)[:80]
        names = (stem if n == 1 else f"{stem}-{n}" for n in itertools.count(1))
        paths = (self.work / folder / f"{one}{suffix}" for one in names)
        found = next(path for path in paths if path not in self.taken and not path.exists())
        self.taken.add(found)
        return found

    def start_predict(self, *, item: str, bundle: str, mpp: float | None = None, rescale: bool = False) -> Job:
        """Put a prediction in line."""
        spec, path, name = self.readable_spec(item, mpp), self.bundles.path(bundle), self.items.get(item).name
        out = self.free("predictions", f"{name}-{path.stem}", ".h5ad")
        given = {"spec": spec, "bundle": str(path), "out": str(out), "rescale": "yes" if rescale else "no"}

        def finish(result: dict[str, Any]) -> dict[str, Any]:
            added = self.items.add("prediction", str(out))
            self.items.open(added)
            return {"result_item": added.id, "message": result["message"]}

        title = f"{path.stem}: {name}"
        return self.jobs.add("predict", given, title=title, finish=finish, input_item=item, bundle=bundle)

    def start_evaluate(self, *, prediction: str, section: str) -> Job:
        """Put an evaluation in line.

        Raises
        ------
        StudioError
            Status 409 where the two are not a prediction and a measured section.
        """
        first, second = self.items.get(prediction), self.items.get(section)
        if (first.kind, second.kind) != ("prediction", "section"):
            what = f"{first.name} and {second.name} are a {first.kind} and a {second.kind}."
            todo = "Choose a prediction and the measured section of its slide."
            raise StudioError(409, what, where="evaluation", todo=todo)
        out = self.free("evaluations", first.name)
        _, path, _ = parse_spec(first.spec)
        given = {"prediction": path, "spec": second.spec, "out": str(out)}
        title = f"{first.name} / {second.name}"
        return self.jobs.add("evaluate", given, title=title, finish=dict, input_item=prediction)

    def start_run(self, key: str) -> Job:
        """Put the run of a paper's method in line.

        Raises
        ------
        StudioError
            Status 404 where there is no such paper, 409 where nothing of it is implemented.
        """
        method = self.library.runs_as(key)
        out = self.results if self.results is not None else self.work / "results"
        given = {"paper": key, "out": str(out)}
        return self.jobs.add("run", given, title=f"{key}: {method}", finish=dict)
