"""Demo: a generated section, a prediction of its slide and the bundle behind it, made once and kept in the cache.

They are made in a process of their own (``python -m histoscribe.studio.items._demo SIZE TRAINING_SIZE``), which begins
before the server's own imports and does not hold up its answers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import atomic_path, cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.section import Section

__all__ = ["DemoMaker", "demo_folder", "demo_is_made", "make_demo"]

#: Donors to learn from: the fewest that give flags and intervals over donors.
_TRAINING = 3
#: Sides of the section that is shown, and of the smaller ones of the other donors: as many genes are trusted (31 of 80)
#: as with large ones, in half the time.
_SIZE_UM, _TRAINING_UM = 1600.0, 1100.0
_LOOK_S = 0.05


def demo_folder() -> Path:
    """Return the folder that holds the demo of this version, made or not."""
    return cache_dir() / "studio" / f"demo-{version('histoscribe')}"


def demo_is_made() -> bool:
    """Say whether nothing is left to make."""
    return _bundle().is_file()


class DemoMaker:
    """The process that makes what is not there yet; none where all is."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__, str(_SIZE_UM), str(_TRAINING_UM)]
        self._process = (
            None if demo_is_made() else subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        )

    def specs(self) -> Iterator[str]:
        """Yield the demo's section, then its prediction and bundle, each once it is there; everything is SYNTHETIC.

        Raises
        ------
        OSError
            If they could not be made.
        """
        section, image, prediction = _places()
        self._wait_for(section)
        yield f"visium:{section}?image={image}&name=synthetic&donor=synthetic-4&species=synthetic"
        self._wait_for(_bundle())
        self._end()
        yield f"{prediction}?name=synthetic-prediction"
        yield str(_bundle())

    def close(self) -> None:
        """Stop making."""
        if self._process is not None:
            self._process.terminate()
            self._end()

    def _end(self) -> str:
        """Wait for the process, and return what it said of an error."""
        said = b"" if self._process is None else self._process.communicate()[1]
        self._process = None
        return (said.decode(errors="replace").strip().splitlines() or ["their process was ended"])[-1]

    def _wait_for(self, path: Path) -> None:
        while not path.exists():
            if (self._process is None or self._process.poll() is not None) and not path.exists():
                raise OSError(self._end())
            time.sleep(_LOOK_S)


def _places() -> tuple[Path, Path, Path]:
    """Return where the section, its image and the prediction are kept."""
    folder = demo_folder()
    return folder / "section", folder / "section" / "image.ome.tif", folder / "prediction.h5ad"


def make_demo() -> None:
    """Make what is not there: the section takes about 2 s, the rest about 4 s more."""
    section, image, prediction = _places()
    if not section.is_dir():
        _make_section(section)
    if not demo_is_made():
        _make_prediction(section, image, prediction)


def _bundle() -> Path:
    return demo_folder() / "synthetic.bundle"


def _donor(number: int, size_um: float) -> Section:
    from histoscribe.testing import make_section

    return make_section(number, size_um=size_um, mpp=1.0)


def _make_section(section: Path) -> None:
    section.parent.mkdir(parents=True, exist_ok=True)
    from histoscribe.testing import write_visium

    # Beside its place, so that a run that is stopped leaves nothing that looks whole; its end removes what is left.
    with tempfile.TemporaryDirectory(dir=section.parent, prefix=".making-") as temporary:
        write_visium(_donor(_TRAINING, _SIZE_UM), Path(temporary) / "section")
        with suppress(OSError):  # another studio was faster
            (Path(temporary) / "section").rename(section)
    if not section.is_dir():
        msg = f"the demo's section cannot be put at {section}. Make room there, or set HISTOSCRIBE_CACHE."
        raise OSError(msg)


def _make_prediction(section: Path, image: Path, prediction: Path) -> None:
    from histoscribe.io import read
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit

    drawn = [_donor(number, _TRAINING_UM) for number in range(_TRAINING)]
    panel = [gene for gene in drawn[0].table.var_names if not gene.startswith("REST")]
    bundle = fit(drawn, encoder="colour", genes=panel, show=False)
    # The prediction names its slide by path, so the slide lies already where it will stay.
    test = read("visium", section, image=str(image), donor="synthetic-4", species="synthetic")
    result = predict(test.blind(), bundle, show=False)
    with atomic_path(prediction) as path:
        result.write_h5ad(path)
    bundle.save(_bundle())  # the last: where it is, all is


if __name__ == "__main__":
    _SIZE_UM, _TRAINING_UM = map(float, sys.argv[1:])
    try:
        make_demo()
    except (HistoScribeError, OSError) as err:
        sys.exit(str(err))
