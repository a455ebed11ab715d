"""Demo: a generated section, a prediction of its slide and the bundle behind it, made once and kept in the cache."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.files import atomic_path, cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.section import Section

__all__ = ["demo_folder", "demo_is_made", "demo_specs"]

#: Donors to learn from: the fewest that give flags and intervals over donors.
_TRAINING = 3
_SIZE_UM = 1600.0


def demo_folder() -> Path:
    """Return the folder that holds the demo of this version, made or not."""
    return cache_dir() / "studio" / f"demo-{version('histoscribe')}"


def demo_is_made() -> bool:
    """Say whether nothing is left to make."""
    return _bundle().is_file()


def demo_specs() -> Iterator[str]:
    """Yield the demo's section, then its prediction and bundle, each once it is there; everything is SYNTHETIC.

    The first time they have to be made: the section takes about 2 s, the rest about 6 s more.
    """
    folder = demo_folder()
    section, image = folder / "section", folder / "section" / "image.ome.tif"
    if not section.is_dir():
        _make_section(section)
    yield f"visium:{section}?image={image}&name=synthetic&donor=synthetic-4&species=synthetic"
    prediction = folder / "prediction.h5ad"
    if not demo_is_made():
        _make_prediction(section, image, prediction)
    yield f"{prediction}?name=synthetic-prediction"
    yield str(_bundle())


def _bundle() -> Path:
    return demo_folder() / "synthetic.bundle"


def _donor(number: int) -> Section:
    from histoscribe.testing import make_section

    return make_section(number, size_um=_SIZE_UM, mpp=1.0)


def _make_section(section: Path) -> None:
    from histoscribe.testing import write_visium

    section.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that a run that is stopped leaves nothing that looks whole; its end removes what is left.
    with tempfile.TemporaryDirectory(dir=section.parent, prefix=".making-") as temporary:
        write_visium(_donor(_TRAINING), Path(temporary) / "section")
        with suppress(OSError):  # another studio was faster
            (Path(temporary) / "section").rename(section)
    if not section.is_dir():
        msg = f"the demo's section cannot be put at {section}. Make room there, or set HISTOSCRIBE_CACHE."
        raise OSError(msg)


def _make_prediction(section: Path, image: Path, prediction: Path) -> None:
    from histoscribe.io import read
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit

    drawn = [_donor(number) for number in range(_TRAINING)]
    panel = [gene for gene in drawn[0].table.var_names if not gene.startswith("REST")]
    bundle = fit(drawn, encoder="colour", genes=panel, show=False)
    # The prediction names its slide by path, so the slide lies already where it will stay.
    test = read("visium", section, image=str(image), donor="synthetic-4", species="synthetic")
    result = predict(test.blind(), bundle, show=False)
    with atomic_path(prediction) as path:
        result.write_h5ad(path)
    bundle.save(_bundle())  # the last: where it is, all is
