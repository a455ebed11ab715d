"""Bundle: a fitted, calibrated predictor in one file; `predict` needs it and a slide, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.composition import target_from
from histoscribe.core.errors import BundleError
from histoscribe.core.features import FeatureSpec
from histoscribe.core.files import digest
from histoscribe.methods._bundle_file import FORMAT, content, read_bundle_file, write_bundle_file
from histoscribe.methods.calibration import Calibration
from histoscribe.methods.novelty import Novelty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._expression import Predictor

__all__ = ["Bundle", "provenance"]

_PREFIXES = ("method.", "calibration.", "novelty.")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A fitted predictor with everything that its use on another slide depends on.

    The file is safetensors: arrays, and one JSON text under the key ``histoscribe`` of its metadata. It holds no
    time and no path of the machine beyond those the user gave, so the same training gives the same bytes.

    Attributes
    ----------
    predictor
        The fitted predictor.
    calibration
        What held-out donors say about it.
    provenance
        ``training`` (list of name, donor, donor_stated, n_obs, mpp, reader, path, options, digest; where composition
        was learned, too, where it came from), ``species``,
        ``licence``, ``synthetic``, ``code`` (version that fitted it).
    """

    predictor: Predictor
    calibration: Calibration
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def genes(self) -> list[str]:
        """The panel (genes, or cell types), in order."""
        return self.predictor.genes_

    def save(self, path: Path | str) -> Path:
        """Write the bundle atomically and return its path.

        Raises
        ------
        StorageError
            If the disk is full; an older file at `path` stays as it was.
        """
        write_bundle_file(path, self._header(), self._arrays())
        return Path(path)

    def digest(self) -> str:
        """16 hex digits of everything in the bundle."""
        return digest(json.dumps(self._header(), sort_keys=True), content(self._arrays()))

    def _arrays(self) -> dict[str, np.ndarray]:
        cal = self.calibration
        arrays = {f"method.{k}": v for k, v in self.predictor.state().items()}
        arrays["train_mean"] = self.predictor.train_mean_
        for name in ("half_width", "trust_mean", "trust_lower"):
            arrays[f"calibration.{name}"] = np.asarray(getattr(cal, name), dtype=np.float64)
        if cal.novelty is not None:
            arrays |= {f"novelty.{k}": v for k, v in cal.novelty.state().items()}
        return {name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}

    def _header(self) -> dict[str, Any]:
        p, cal = self.predictor, self.calibration
        return {
            "format": FORMAT,
            "method": p.card.name,
            "params": p.params(),
            "genes": p.genes_,
            "target": p.target_.to_dict(),
            "features": None if p.spec_ is None else p.spec_.to_dict(),
            "seed": p.seed_,
            "calibration": {"unit": cal.unit, "n_units": cal.n_units, "level": cal.level},
            "provenance": self.provenance,
        }

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Read a bundle.

        Raises
        ------
        BundleError
            If the file is missing, damaged, not a bundle, or of a newer format.
        """
        header, arrays = read_bundle_file(Path(path), kind="expression")
        from histoscribe.methods import predictor as make

        predictor = make(header["method"], **header["params"])
        predictor.genes_ = list(header["genes"])
        predictor.target_ = target_from(header["target"])
        predictor.spec_ = None if header["features"] is None else FeatureSpec.from_dict(header["features"])
        predictor.seed_ = header["seed"]
        predictor.train_mean_ = arrays["train_mean"]
        groups = {p: {k.removeprefix(p): v for k, v in arrays.items() if k.startswith(p)} for p in _PREFIXES}
        predictor.load_state(groups["method."])
        novelty = Novelty.from_state(groups["novelty."]) if groups["novelty."] else None
        calibration = Calibration(**header["calibration"], **groups["calibration."], novelty=novelty)
        return cls(predictor, calibration, header["provenance"])


def provenance(sections: Sequence[Section]) -> dict[str, Any]:
    """Describe training sections for a bundle.

    Raises
    ------
    BundleError
        If the sections are of several species.
    """
    from importlib.metadata import version

    from histoscribe.core import keys

    species = {s.species for s in sections} - {None}
    if len(species) > 1:
        msg = f"training sections are of several species ({', '.join(sorted(map(str, species)))}). Fit one bundle each."
        raise BundleError(msg)
    training = []
    for s in sections:
        origin = s.origin
        entry = {"name": s.name, "donor": s.donor, "n_obs": s.n_obs, "mpp": s.mpp, "platform": s.platform}
        entry["donor_stated"] = bool(s.table.uns.get(keys.UNS, {}).get("donor_stated", True))
        if (source := s.table.uns.get(keys.UNS, {}).get("composition_source")) is not None:
            entry["composition"] = json.loads(source)
        if origin is not None:
            entry |= {
                "reader": origin.reader,
                "path": origin.path,
                "options": dict(origin.options),
                "digest": origin.digest,
            }
        training.append(entry)
    return {
        "training": training,
        "species": next(iter(species), None),
        "licence": "BSD-3-Clause for the file format and code; the training data's own terms apply to the weights",
        "synthetic": any(
            s.species == "synthetic" or bool(s.table.uns.get(keys.UNS, {}).get("synthetic", False)) for s in sections
        ),
        "code": version("histoscribe"),
    }
