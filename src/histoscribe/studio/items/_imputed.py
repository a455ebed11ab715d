"""Imputed sections: what `histoscribe impute` writes, brought onto the section that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from histoscribe.core import keys

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Hidden", "hidden_of", "on_its_section"]

#: What a section's own dictionary says about its slide, and what a prediction calls it.
_FACTS = {"mpp": "mpp", "slide": "slide", "spot_um": "spot_um", "pitch_um": "step_um"}


class Hidden(NamedTuple):
    """An imputed section."""

    donor: str
    name: str
    z_um: float


def hidden_of(path: Path) -> Hidden | None:
    """Say which section a file imputes; None where it is no imputed section."""
    if not (path.is_file() and path.suffix == ".h5ad"):
        return None
    import h5py

    try:
        with h5py.File(path, "r") as file:
            about, places = file.get(f"uns/{keys.UNS}"), file.get(f"obsm/{keys.SPATIAL_3D}")
            if about is None or places is None or not {"regime", "labelled", "section"} <= set(about):
                return None
            donor, name = (about[key].asstr()[()] for key in ("donor", "section"))
            return Hidden(str(donor), str(name), float(places[0, 2]))
    except (OSError, KeyError, TypeError, AttributeError, IndexError):
        return None  # the reader says what is wrong with it


def on_its_section(table: AnnData, options: dict[str, str]) -> AnnData:
    """Give an imputed table um/px, sizes and slide: its section's, or the stack's frame at 1 um/px without one.

    Parameters
    ----------
    table
        What `histoscribe impute` wrote; anything else is returned as it is.
    options
        ``section``: file of the section in a stack.
    """
    about: dict[str, Any] = dict(table.uns.get(keys.UNS, {}))
    if "regime" not in about or "mpp" in about:
        return table
    if "section" in options:
        from anndata.io import read_elem
        from h5py import File

        with File(Path(options["section"]), "r") as file:
            given = read_elem(file[f"uns/{keys.UNS}"])
        about |= {ours: given[theirs] for theirs, ours in _FACTS.items() if theirs in given}
    else:
        about["mpp"] = 1.0
        table.obsm[keys.SPATIAL] = np.asarray(table.obsm[keys.SPATIAL_3D])[:, :2]
    table.uns[keys.UNS] = about
    return table
