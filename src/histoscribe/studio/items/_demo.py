"""Demo: a generated section, a prediction of its slide and the bundle behind it, made once and kept in the cache."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.files import atomic_path, cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["demo_specs"]

#: Donors to learn from: the fewest that give flags and intervals over donors.
_TRAINING = 3
_SIZE_UM = 1600.0


def demo_specs(say: Callable[[str], None] = print) -> list[str]:
    """Return specifications of the demo's section, prediction and bundle; everything in it is SYNTHETIC.

    Parameters
    ----------
    say
        Told where files have to be made first, which takes some seconds.
    """
    folder = cache_dir() / "studio" / f"demo-{version('histoscribe')}"
    section, prediction, bundle = folder / "section", folder / "prediction.h5ad", folder / "synthetic.bundle"
    if not bundle.is_file():
        say("making SYNTHETIC tissue, counts and a prediction (once; some seconds)")
        _make(folder)
    name = "name=synthetic&donor=synthetic-4&species=synthetic"
    shown = f"{prediction}?name=synthetic-prediction"
    return [f"visium:{section}?image={section / 'image.ome.tif'}&{name}", shown, str(bundle)]


def _make(folder: Path) -> None:
    from histoscribe.io import read
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit
    from histoscribe.testing import make_section, write_visium

    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that a run that is stopped leaves nothing that looks whole.
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".demo-"))
    try:
        drawn = [make_section(donor, size_um=_SIZE_UM, mpp=1.0) for donor in range(_TRAINING + 1)]
        panel = [gene for gene in drawn[0].table.var_names if not gene.startswith("REST")]
        bundle = fit(drawn[:-1], encoder="colour", genes=panel, show=False)
        shutil.rmtree(folder, ignore_errors=True)
        write_visium(drawn[-1], temporary / "section")
        temporary.rename(folder)
        # The prediction names its slide by path, so the slide must lie where it will stay.
        image = str(folder / "section" / "image.ome.tif")
        test = read("visium", folder / "section", image=image, donor="synthetic-4", species="synthetic")
        result = predict(test.blind(), bundle, show=False)
        with atomic_path(folder / "prediction.h5ad") as path:
            result.write_h5ad(path)
        bundle.save(folder / "synthetic.bundle")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
