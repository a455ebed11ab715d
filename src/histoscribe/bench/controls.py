"""Controls: what a score has to beat before it means anything; one function and one registry line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.align import align_footprints
from histoscribe.bench.training import same_source
from histoscribe.core import keys
from histoscribe.core.errors import HistoScribeError
from histoscribe.core.registry import Registry
from histoscribe.core.spacing import spacing_um

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from histoscribe.core.section import Section
    from histoscribe.core.target import Target

__all__ = ["CONTROLS", "Control", "NotApplicableError", "Output", "Task"]

CONTROLS = Registry(
    "control",
    {
        "array-knn": "histoscribe.bench.controls:ARRAY_KNN",
        "colour-ridge": "histoscribe.bench.controls:COLOUR_RIDGE",
        "log-depth-oracle": "histoscribe.bench.controls:LOG_DEPTH_ORACLE",
        "sister-copy": "histoscribe.bench.controls:SISTER_COPY",
        "training-mean": "histoscribe.bench.controls:TRAINING_MEAN",
    },
)

#: Neighbours averaged by the array control, over all training sections together.
_ARRAY_NEIGHBOURS = 10
#: Nearest observations averaged in each sister section: about a spot and its ring on any array.
_SISTER_NEIGHBOURS = 7
#: Outlines that overlap less than this are not taken for the same tissue.
_MIN_OVERLAP = 0.5
#: Tile side where the method that is judged used none, um: about one Visium spot with its rim.
_TILE_UM = 112.0


class NotApplicableError(HistoScribeError):
    """A control cannot be computed here; the text is the reason shown in its row."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a control gets.

    Attributes
    ----------
    tests
        Test sections; blinded, except for a control that declares to use their depth.
    training
        Measured training sections; empty where there are none at hand.
    why_no_training
        The reason, where `training` is empty.
    genes, target
        What to predict.
    train_mean
        ``(g,)`` mean target over the training observations, or None.
    geometry
        Tiles of the method that is judged (`TileGrid.geometry`), or None where it used none.
    seed
        Seed of everything random.
    """

    tests: tuple[Section, ...]
    training: tuple[Section, ...]
    why_no_training: str
    genes: list[str]
    target: Target
    train_mean: np.ndarray | None
    geometry: Mapping[str, Any] | None
    seed: int

    def need_training(self) -> tuple[Section, ...]:
        """Return the training sections, or raise with the reason why there are none."""
        if not self.training:
            raise NotApplicableError(self.why_no_training)
        return self.training


@dataclass(frozen=True, eq=False)
class Output:
    """What a control gives: one ``(n, g)`` prediction per test section, in the target's unit.

    `relative` says that only its pattern means something, not its level or spread: metrics that do not ignore shift
    and scale are then left empty.
    """

    values: list[np.ndarray]
    relative: bool = False


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control and what must be known to read its row.

    Attributes
    ----------
    name, summary
        Registry name, and one sentence.
    kind
        ``"control"``; ``"diagnostic"`` where it uses what no slide shows; ``"same donor"`` where it is not available
        for a new donor.
    label
        Shown beside the name.
    run
        ``Task -> Output``; raises `NotApplicableError`.
    uses_depth
        True where it sees the measured depth of the test section.
    encoder
        Features it computes, if any: a suite's run encodes them beforehand, as it does for methods.
    """

    name: str
    summary: str
    kind: Literal["control", "diagnostic", "same donor"]
    label: str
    run: Callable[[Task], Output]
    uses_depth: bool = False
    encoder: str = ""


def _training_mean(task: Task) -> Output:
    if task.train_mean is None:
        msg = "the prediction has no var['train_mean'], and no training section is at hand to compute it from"
        raise NotApplicableError(msg)
    return Output([np.tile(task.train_mean.astype(np.float32), (s.n_obs, 1)) for s in task.tests])


def _log_depth(task: Task) -> Output:
    """Line through the training sections' log depth, each section centred; the bare log depth without training."""
    tests = [_centred_log_depth(s) for s in task.tests]
    if not task.training:
        return Output([np.tile(z[:, None], (1, len(task.genes))) for z in tests], relative=True)
    z = np.concatenate([_centred_log_depth(s) for s in task.training])
    y = np.concatenate([task.target(s, task.genes).astype(np.float64) for s in task.training])
    power = float(z @ z)
    slope = z @ (y - y.mean(0)) / power if power > 0 else np.zeros(len(task.genes))
    return Output([y.mean(0) + test[:, None] * slope for test in tests])


def _centred_log_depth(section: Section) -> np.ndarray:
    z = np.log(np.maximum(section.depth, 1.0))
    return z - z.mean()


def _colour_ridge(task: Task) -> Output:
    every = [*task.need_training(), *task.tests]
    bare = [s.name for s in every if s.slide is None]
    if bare:
        msg = f"{_listed(bare)} without an image at hand"
        raise NotApplicableError(msg)
    from histoscribe.encoders import encode
    from histoscribe.methods.expression.ridge import Ridge
    from histoscribe.methods.train import prepare
    from histoscribe.tiles import tile

    if task.geometry is None:
        encoded = prepare(every, "colour", size_um=_TILE_UM)
    else:
        sides, tile_px, read_mpp = (task.geometry[key] for key in ("sides_um", "tile_px", "read_mpp"))
        encoded = [encode(tile(s, sides, tile_px=tile_px, read_mpp=read_mpp), "colour") for s in every]
    n_train = len(task.training)
    model = Ridge().fit(encoded[:n_train], task.genes, target=task.target, encoder="colour", seed=task.seed)
    return Output([np.asarray(model.predict(s).X) for s in encoded[n_train:]])


def _array_knn(task: Task) -> Output:
    training = task.need_training()
    bare = [s.name for s in (*training, *task.tests) if not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(s.table.obs)]
    if bare:
        msg = f"{_listed(bare)} without array coordinates (obs['{keys.ARRAY_ROW}'], obs['{keys.ARRAY_COL}'])"
        raise NotApplicableError(msg)
    y = np.concatenate([task.target(s, task.genes) for s in training])
    tree = cKDTree(np.concatenate([_array(s) for s in training]))
    k = min(_ARRAY_NEIGHBOURS, len(y))
    found = [tree.query(_array(s), k=k)[1].reshape(s.n_obs, k) for s in task.tests]
    return Output([np.stack([y[row].mean(0) for row in rows]) for rows in found])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"section{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}"


def _array(section: Section) -> np.ndarray:
    return section.table.obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].to_numpy(dtype=np.float64)


def _sister_copy(task: Task) -> Output:
    training = task.need_training()
    values = []
    for test in task.tests:
        same_donor = [s for s in training if s.donor == test.donor]
        sisters = [s for s in same_donor if not same_source(test, s)]
        if not sisters:
            only = f"only another part of section {test.name}" if same_donor else f"no section of donor {test.donor}"
            msg = f"training holds {only}, so there is no sister section to copy"
            raise NotApplicableError(msg)
        copies = [_copy(sister, test, task) for sister in sisters]
        values.append(np.mean(copies, axis=0))
    return Output(values)


def _copy(sister: Section, test: Section, task: Task) -> np.ndarray:
    pitch = max(s.pitch_um or spacing_um(s.xy_um) for s in (sister, test))
    motion = align_footprints(sister.xy_um, test.xy_um, pitch_um=pitch)
    if motion.overlap < _MIN_OVERLAP:
        msg = f"the outlines of sections {sister.name} and {test.name} overlap by only {motion.overlap:.0%} at best"
        raise NotApplicableError(msg)
    y = task.target(sister, task.genes)
    k = min(_SISTER_NEIGHBOURS, len(y))
    rows = cKDTree(motion(sister.xy_um)).query(test.xy_um, k=k)[1].reshape(test.n_obs, k)
    return np.stack([y[row].mean(0) for row in rows])


TRAINING_MEAN = Control(
    name="training-mean",
    summary="Each gene's mean over the training observations, everywhere.",
    kind="control",
    label="zero of R2",
    run=_training_mean,
)

COLOUR_RIDGE = Control(
    name="colour-ridge",
    summary="Eight colour statistics per tile and a ridge tuned as the method's own.",
    kind="control",
    label="colour alone",
    run=_colour_ridge,
    encoder="colour",
)

LOG_DEPTH_ORACLE = Control(
    name="log-depth-oracle",
    summary="A line per gene through the measured log depth of the test section itself: no model, only a diagnosis.",
    kind="diagnostic",
    label="uses measured depth",
    run=_log_depth,
    uses_depth=True,
)

ARRAY_KNN = Control(
    name="array-knn",
    summary=f"Mean of the {_ARRAY_NEIGHBOURS} training observations nearest in array coordinates: no image at all.",
    kind="control",
    label="position alone",
    run=_array_knn,
)

SISTER_COPY = Control(
    name="sister-copy",
    summary="Neighbour means of the same donor's other sections, laid over this one by their outlines.",
    kind="same donor",
    label="not available for a new donor",
    run=_sister_copy,
)
