"""`histoscribe demo`: the main job on generated sections, from files to a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Donors to train on: enough for donor-level flags and a 70 % interval, few enough for a coffee break.
_TRAINING_DONORS = 4


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("demo"),
    donors: Annotated[int, typer.Option(min=2, max=30, help="Donors to train on.")] = _TRAINING_DONORS,
    size_um: Annotated[float, typer.Option(min=800, max=5000, help="Side of a section, um.")] = 2000.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generated study.")] = 0,
) -> None:
    """Make SYNTHETIC sections, train on some donors, predict another's slide, compare, write a report."""
    import json

    from histoscribe.bench import evaluate
    from histoscribe.core.files import atomic_path
    from histoscribe.io import read
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit
    from histoscribe.reports import report

    start = time.perf_counter()

    def step(text: str, work: Callable[[], Any]) -> Any:
        typer.echo(f"[{time.perf_counter() - start:5.1f} s] {text}")
        return work()

    typer.echo("Everything below is SYNTHETIC: generated tissue, generated counts, made-up genes.")
    folders = step(f"drawing {donors + 1} donors' tissue and counts", lambda: _draw(out, donors, size_um, seed))
    sections = [
        read("visium", f, image=str(f / "image.ome.tif"), name=f.name, donor=f.name, species="synthetic")
        for f in folders
    ]
    for section in sections:
        section.check().raise_for_problems()
    train, test = sections[:-1], sections[-1]
    bundle = step("encoding, fitting and calibrating on the training donors", lambda: fit(train, genes=_panel(train)))
    bundle.save(out / "synthetic.bundle")
    result = step(f"predicting {test.name} from its slide alone", lambda: predict(test.blind(), bundle))
    with atomic_path(out / "prediction.h5ad") as temporary:
        result.write_h5ad(temporary)
    verdict = step(
        "comparing with what was measured, beside the controls", lambda: evaluate(result, test, training=train)
    )
    verdict.save(out / "verdict")
    path = step("writing the report", lambda: report(result, verdict, measured=test, path=out / "report.html"))
    scores = verdict.record.scores
    typer.echo(json.dumps({name: score.get("pcc_gene") for name, score in scores.items()}, ensure_ascii=False))
    typer.echo(f"[{time.perf_counter() - start:5.1f} s] done. Open {path}")


def _draw(out: Path, donors: int, size_um: float, seed: int) -> list[Path]:
    """Write each donor's section in Space Ranger's layout, one after the other to keep memory low."""
    from histoscribe.core.progress import progress
    from histoscribe.testing import make_section, write_visium

    folders = []
    with progress("drawing", donors + 1, unit="sections") as advance:
        for donor in range(donors + 1):
            section = make_section(donor, seed=seed, size_um=size_um, mpp=1.0)
            folder = out / "sections" / section.name
            write_visium(section, folder)
            folders.append(folder)
            advance(1)
    return folders


def _panel(sections: list[Any]) -> list[str]:
    """Every generated gene but those that only fill up the library."""
    return [gene for gene in sections[0].table.var_names if not gene.startswith("REST")]
