"""One fold in a process of its own: read, fit, predict, write; so that its seconds and memory are its own.

Run as ``python -m histoscribe.bench._job JOB.json``. The last file written is ``done.json``: without it a fold does not
count as done.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.core.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from histoscribe.bench.folds import Fold
    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section
    from histoscribe.core.target import Target

__all__ = ["DONE", "ERROR", "RELATIVE", "Job", "perform", "prediction_path"]

DONE, ERROR = "done.json", "error.json"
#: uns: True where only the pattern of a control's prediction means something.
RELATIVE = "relative"


@dataclass(frozen=True)
class Job:
    """What a process does.

    Attributes
    ----------
    suite
        Path of the suite's file.
    what
        ``"method"``, ``"control"``, or ``"encode"``: only fill the feature cache, so that no method is charged for it.
    name
        Registry name of the method or control.
    fold
        Index of the fold.
    seed, threads
        Seed of everything random, and threads of numerical libraries.
    out
        Folder to write.
    params, encoder, size_um
        What the method runs with; resolved, so nothing is left to a default.
    task, place
        The fold's task, and its place among the task's folds, where the suite has tasks.
    embeddings
        Folder of features that somebody else computed (`histoscribe.bench.embeddings`), in place of an encoder's run.
    """

    suite: str
    what: Literal["method", "control", "encode"]
    name: str
    fold: int
    seed: int
    threads: int
    out: str
    params: dict[str, Any]
    encoder: str
    size_um: tuple[float, ...]
    task: str = ""
    place: int = 0
    embeddings: str = ""

    @property
    def done(self) -> bool:
        """True where an earlier process finished this job."""
        return (Path(self.out) / DONE).is_file()

    def save(self) -> Path:
        """Write the job's own file into its folder and return its path."""
        path = Path(self.out) / "job.json"
        write_json(path, asdict(self))
        return path


def prediction_path(folder: Path | str, index: int) -> Path:
    """Where the prediction of a fold's test section number `index` lies."""
    return Path(folder) / f"prediction-{index}.h5ad"


def run(job: Job) -> dict[str, Any]:
    """Do the job; return what ``done.json`` holds."""
    from histoscribe.bench.folds import fold_of
    from histoscribe.bench.suite import load_suite

    suite = load_suite(job.suite)
    fold = fold_of(suite, job.fold, task=job.task, place=job.place)
    work = {"method": _method, "control": _control, "encode": _encode}[job.what]
    cost = work(job, suite, fold)
    return cost | {"peak_mb": round(_peak_mb(), 1), "threads": job.threads, **_device()}


def _encode(job: Job, suite: Suite, fold: Fold) -> dict[str, Any]:
    from histoscribe.encoders import encode
    from histoscribe.methods.train import prepare
    from histoscribe.tiles import tile

    start = time.perf_counter()
    options = {"tile_px": _tile_px(job, suite)}
    trained = prepare(fold.split.train, job.encoder, size_um=job.size_um, threads=job.threads, **options)
    assert trained[0].grid is not None
    for section in fold.split.test:
        tiled = tile(section, list(job.size_um), read_mpp=trained[0].grid.read_mpp, **options)
        encode(tiled, job.encoder, threads=job.threads)
        if section.slide is not None:
            section.slide.close()
    return {"encode_s": round(time.perf_counter() - start, 3)}


def _method(job: Job, suite: Suite, fold: Fold) -> dict[str, Any]:
    if job.embeddings:
        return _on_embeddings(job, suite, fold)
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit

    start = time.perf_counter()
    bundle = fit(
        fold.split.train,
        job.name,
        encoder=job.encoder or None,
        size_um=job.size_um or None,
        tile_px=_tile_px(job, suite),
        genes=fold.genes,
        params=job.params,
        target=suite.make_target(),
        calibrated=False,
        seed=job.seed,
        show=False,
    )
    fitted = time.perf_counter()
    for i, section in enumerate(fold.split.test):
        _write(predict(section, bundle, show=False), prediction_path(job.out, i))
    return {
        "fit_s": round(fitted - start, 3),
        "predict_s": round(time.perf_counter() - fitted, 3),
        "parameters": int(bundle.predictor.n_parameters()),
        "tile_px": _tile_px(job, suite),
    }


def _tile_px(job: Job, suite: Suite) -> int:
    """Return the side that the encoder wants; a suite does not choose it, since an encoder takes no other."""
    from histoscribe.encoders import make_encoder

    return int(make_encoder(job.encoder).tile_px) if job.encoder else suite.tiles.tile_px


def _on_embeddings(job: Job, suite: Suite, fold: Fold) -> dict[str, Any]:
    from histoscribe.bench.embeddings import with_embeddings
    from histoscribe.methods import expression

    start = time.perf_counter()
    train, test = (
        [with_embeddings(s, job.embeddings, task=job.task, encoder=job.encoder) for s in side]
        for side in (fold.split.train, fold.split.test)
    )
    predictor = expression(job.name, **job.params)
    predictor.fit(train, fold.genes, target=suite.make_target(), encoder=job.encoder, seed=job.seed)
    fitted = time.perf_counter()
    mean = _by_gene(predictor.train_mean_, fold.genes)
    for i, section in enumerate(test):
        values = np.asarray(predictor.predict(section).X)
        table = _as_prediction(job, section, values, train, target=predictor.target_, train_mean=mean)
        _write(table, prediction_path(job.out, i))
    return {
        "fit_s": round(fitted - start, 3),
        "predict_s": round(time.perf_counter() - fitted, 3),
        "parameters": int(predictor.n_parameters()),
    }


def _control(job: Job, suite: Suite, fold: Fold) -> dict[str, Any]:
    from histoscribe.bench.controls import CONTROLS, NotApplicableError, Task

    control, target, train = CONTROLS.get(job.name), suite.make_target(), fold.split.train
    sides, px = list(suite.tiles.sides_um), suite.tiles.tile_px
    start = time.perf_counter()
    task = Task(
        tests=tuple(s if control.uses_depth else s.blind() for s in fold.split.test),
        training=tuple(train),
        why_no_training="",
        genes=fold.genes,
        target=target,
        train_mean=np.concatenate([target(s, fold.genes) for s in train]).mean(0, dtype=np.float64),
        geometry={"sides_um": sides, "tile_px": px, "read_mpp": max([min(sides) / px, *(s.mpp for s in train)])},
        seed=job.seed,
    )
    try:
        output = control.run(task)
    except NotApplicableError as err:
        return {"not_applicable": str(err).rstrip(". ")}
    mean = _by_gene(task.train_mean, task.genes)
    for i, (section, values) in enumerate(zip(fold.split.test, output.values, strict=True)):
        table = _as_prediction(job, section, values, train, target=target, train_mean=mean)
        table.uns["histoscribe"][RELATIVE] = output.relative
        _write(table, prediction_path(job.out, i))
    return {"fit_s": round(time.perf_counter() - start, 3), "predict_s": 0.0, "parameters": None}


def _by_gene(values: np.ndarray | None, genes: Sequence[str]) -> pd.Series:
    import pandas as pd

    return pd.Series(values, index=pd.Index(list(genes), name="gene"))


def _as_prediction(
    job: Job, section: Section, values: np.ndarray, train: Sequence[Section], *, target: Target, train_mean: pd.Series
) -> AnnData:
    """Return the prediction's file; `train_mean` names the genes."""
    import pandas as pd
    from anndata import AnnData

    from histoscribe.core import keys
    from histoscribe.methods.bundle import provenance

    table = AnnData(
        X=np.asarray(values, dtype=np.float32),
        obs=pd.DataFrame(index=section.table.obs_names),
        var=pd.DataFrame({"train_mean": train_mean}),
    )
    table.obsm[keys.SPATIAL] = section.xy
    table.uns[keys.UNS] = {
        "kind": "prediction",
        "unit": target.unit,
        "target": json.dumps(target.to_dict()),
        "method": job.name,
        "mpp": section.mpp,
        "step_um": -1.0 if section.pitch_um is None else float(section.pitch_um),
        "training": json.dumps(provenance(train)["training"]),
    }
    return table


def _write(table: AnnData, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.write_h5ad(temporary, compression="gzip")


def _peak_mb() -> float:
    """Return this process's largest resident memory, MB (1e6 bytes).

    Linux's ``ru_maxrss`` survives exec, so that of a child begins at its parent's; ``VmHWM`` does not.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def _device() -> dict[str, Any]:
    """Name the GPU where one was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.max_memory_allocated():
        return {"device": "cpu"}
    return {
        "device": torch.cuda.get_device_name(),
        "peak_gpu_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1),
    }


def perform(job: Job) -> bool:
    """Do the job and write ``done.json``, or ``error.json``; return whether it went well."""
    folder = Path(job.out)
    (folder / ERROR).unlink(missing_ok=True)
    try:
        done = run(job)
    except Exception as err:  # noqa: BLE001 (whatever it was belongs into the record)
        notes = "".join(f" ({note})" for note in getattr(err, "__notes__", ()))
        message = " ".join(f"{err}{notes}".split())
        log = _tail(traceback.format_exc())
        write_json(folder / ERROR, {"error": type(err).__name__, "message": message, "log": log})
        return False
    write_json(folder / DONE, done)
    return True


def main() -> int:
    """Do the job whose file is named; return 1 where it failed."""
    value = read_json(sys.argv[1])
    return 0 if perform(Job(**value | {"size_um": tuple(value["size_um"])})) else 1


def _tail(text: str, lines: int = 12) -> list[str]:
    """Return the last lines without this machine's paths."""
    return [line.replace(f"{Path.cwd()}/", "") for line in text.splitlines()[-lines:]]


if __name__ == "__main__":
    sys.exit(main())
