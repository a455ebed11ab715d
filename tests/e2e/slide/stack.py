"""A registered stack of three sections, each turned on its own slide: generated, with a disc at one place of all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from PIL import Image, ImageDraw

from histoscribe.align import Rigid, write_stack
from histoscribe.core.stack import Stack
from histoscribe.io import read
from histoscribe.slide import open_slide, write_tiff

if TYPE_CHECKING:
    from pathlib import Path

MPP, PITCH_UM, SPOT_UM = 2.0, 200.0, 100.0
SLIDE_UM, TURNS_DEG, DEPTHS_UM = np.array([3600.0, 3200.0]), (0.0, 35.0, -20.0), (0.0, 12.5, 25.0)
#: Lattice of 12 x 10 observations in the stack, um, and a disc between four of them.
XY_UM = (np.stack(np.meshgrid(np.arange(12), np.arange(10)), -1).reshape(-1, 2) + 1) * PITCH_UM
DISC_UM, DISC_RADIUS_UM = np.array([1300.0, 1100.0]), 35.0
#: A mark beside the disc, um in the stack.
MARK_UM = np.array([1400.0, 1200.0])


def motion(k: int) -> Rigid:
    """Return the transform of section `k`, um of its slide to um of the stack."""
    return Rigid(TURNS_DEG[k], SLIDE_UM / 2, DISC_UM - SLIDE_UM / 2)


def on_slide(k: int, xy_um: np.ndarray) -> np.ndarray:
    """Return level-0 px of section `k` for a place of the stack, um."""
    return motion(k).inverse()(np.atleast_2d(xy_um)) / MPP


def write_stack_folder(folder: Path) -> Path:
    """Write sections ``t0``, ``t1``, ``t2`` as `histoscribe align` does; ``t2`` is doubtful."""
    sections = []
    for k in range(3):
        _table(folder, k).write_h5ad(folder / f"t{k}.h5ad")
        sections.append(read("h5ad", folder / f"t{k}.h5ad"))
    xy = tuple(motion(k)(s.xy_um) for k, s in enumerate(sections))
    out = folder / "stack"
    write_stack(Stack(tuple(sections), xy, np.array(DEPTHS_UM)), out)
    value = json.loads((out / "stack.json").read_text())
    verdicts = [("t1", "t0", "ok", [], 0.97), ("t2", "t1", "doubtful", ["overlap 71 % is below 75 %"], 0.71)]
    value["pairs"] = [
        {"moving": m, "fixed": f, "quality": {"verdict": v, "reasons": r, "overlap": o}} for m, f, v, r, o in verdicts
    ]
    (out / "stack.json").write_text(json.dumps(value))
    return out


def _table(folder: Path, k: int) -> AnnData:
    width, height = (SLIDE_UM / MPP).astype(int)
    picture = Image.new("RGB", (int(width), int(height)), (236, 226, 234))
    x, y = on_slide(k, DISC_UM)[0]
    reach = DISC_RADIUS_UM / MPP
    ImageDraw.Draw(picture).ellipse((x - reach, y - reach, x + reach, y + reach), fill=(40, 20, 60))
    picture.save(folder / f"t{k}.png")
    write_tiff(open_slide(folder / f"t{k}.png"), folder / f"t{k}.tif", mpp=MPP, compression="jpeg")
    # Of 1,000 counts each, so that the stack's range runs from the first section to the last.
    counts = np.tile([10 * 4**k, 1000 - 10 * 4**k], (len(XY_UM), 1))
    obs = pd.DataFrame({"total_counts": np.full(len(XY_UM), 1000.0)}, index=[f"spot{i}" for i in range(len(XY_UM))])
    names = np.where(XY_UM[:, 0] > DISC_UM[0], "right", "left") if k else np.full(len(XY_UM), "right")
    obs["domain"] = pd.Categorical(names)
    table = AnnData(obs=obs, var=pd.DataFrame(index=["STEP", "REST"]), obsm={"spatial": on_slide(k, XY_UM)})
    table.layers["counts"] = sp.csr_matrix(counts)
    about = {"section": f"t{k}", "donor": "d3", "mpp": MPP, "platform": "h5ad", "spot_um": SPOT_UM}
    table.uns["histoscribe"] = about | {"pitch_um": PITCH_UM, "slide": str(folder / f"t{k}.tif")}
    return table
