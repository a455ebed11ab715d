"""Evaluation: the verdict as tables, sentences and one record; saved and read again without loss."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path, read_json, write_json
from histoscribe.core.records import RunRecord

__all__ = ["Evaluation"]

_FRAMES = ("table", "per_gene", "per_section")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a prediction compares with what was measured, beside its controls and its ceiling.

    Attributes
    ----------
    heading
        One line: what was scored on what, and whether its donor was new to the model.
    table
        Rows: the method first, then every control of the registry. Columns: ``kind``, ``label``, ``available``,
        ``reason`` (why a control is not), then each metric by its registry name (which carries the axis; unit and
        direction are in `histoscribe.metrics.METRICS`), with ``<metric>_lower`` and ``<metric>_upper``: the 95 %
        Student interval over donors. NaN: not available, or no interval because there is one donor.
    per_gene
        Rows: genes. Means over sections, then donors, of the method's scores; ``reliability`` and ``ceiling``
        (sqrt of it), both also for depth-partial; ``reliable`` (R above the floor), ``varies`` (not constant in the
        truth), ``constant_prediction``, ``trusted`` where the prediction says so, ``interval_coverage`` where it has
        intervals.
    per_section
        Rows: method or control x test section, with ``method``, ``section``, ``donor``, ``n_obs`` and the metrics.
    notes
        Plain sentences, the most important first.
    ceiling
        ``pcc_gene`` and ``depth_partial_pcc_gene`` of a noise-free predictor (mean over genes of sqrt(R)),
        ``reliability`` (mean R), ``reliable_genes`` (mean number per section with R above ``floor``).
    coverage
        ``stated`` level and ``measured`` share of intervals (0-1), and the calibration's ``unit``; empty without any.
    record
        Everything needed to repeat it.
    """

    heading: str
    table: pd.DataFrame
    per_gene: pd.DataFrame
    per_section: pd.DataFrame
    notes: list[str]
    ceiling: dict[str, float]
    coverage: dict[str, Any]
    record: RunRecord

    @property
    def method(self) -> str:
        """Name of the method's row."""
        return str(self.table.index[0])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; a missing number is None."""
        return {
            "heading": self.heading,
            "notes": self.notes,
            "ceiling": self.ceiling,
            "coverage": self.coverage,
            "record": asdict(self.record) | {"id": self.record.id},
        } | {name: _records(getattr(self, name)) for name in _FRAMES}

    def save(self, folder: Path | str) -> Path:
        """Write into `folder`: ``evaluation.json`` (everything), the record, and each table as CSV.

        Each file appears whole or not at all.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        folder = Path(folder)
        for name in _FRAMES:
            with atomic_path(folder / f"{name}.csv") as temporary:
                getattr(self, name).to_csv(temporary)
        self.record.save(folder / f"record-{self.record.id}.json")
        write_json(folder / "evaluation.json", self.to_dict())
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> Evaluation:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If ``evaluation.json`` is missing, damaged or not an evaluation.
        """
        path = Path(folder)
        path = path if path.suffix == ".json" else path / "evaluation.json"
        value = read_json(path)
        try:
            frames = {name: _frame(value[name]) for name in _FRAMES}
            record = RunRecord(**{k: v for k, v in value["record"].items() if k != "id"})
            texts = {name: value[name] for name in ("heading", "notes", "ceiling", "coverage")}
        except (KeyError, TypeError, AttributeError) as err:
            msg = f"{path} is JSON but not an evaluation ({err!r}). Give a folder that `histoscribe evaluate` wrote."
            raise DataError(msg) from err
        return cls(**texts, **frames, record=record)


def _records(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "index": [str(i) for i in frame.index],
        "index_name": frame.index.name,
        "columns": {column: [_plain(v) for v in frame[column]] for column in frame.columns},
    }


def _frame(value: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(value["columns"], index=pd.Index(value["index"], name=value["index_name"]))
    # A column of None alone would become object; it was a metric that is nowhere available.
    return frame.apply(lambda c: pd.to_numeric(c) if c.isna().all() else c)


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
