"""Write synthetic sections as a tree of the HEST-Benchmark: tasks with counts, stored tiles, splits and panels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.files import atomic_path, write_json
from histoscribe.testing._sections import make_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.section import Section

__all__ = ["write_hest_bench"]

#: Side of the stored tiles, px and um.
_TILE_PX, _TILE_UM = 224, 112.0
#: Donors of the default tasks.
_TASKS = {"ALPHA": 3, "BETA": 2, "GAMMA": 2}
_GENES = {"nuclear-density": 8, "gland": 8, "stroma": 8, "null": 6, "rest": 40}


def write_hest_bench(
    folder: Path | str, tasks: Mapping[str, Sequence[Section]] | None = None, *, n_genes: int = 50, seed: int = 0
) -> Path:
    """Write a tree in the layout of the HEST-Benchmark; without `tasks`, three small ones of seven donors.

    As in the original, observations without a tile exist (the last one of each section), tiles are not in the order of
    the observations, tasks have panels of their own, which are chosen with all samples in view, and each fold leaves
    one donor out. What is written reads as ``hest-bench:<folder>/<task>?sample=<section's name>``.

    Parameters
    ----------
    folder
        Where to write; made if it does not exist.
    tasks
        Task to its sections, of at least two donors; a section without a slide gets grey tiles of 4 px.
    n_genes
        Genes of a panel.
    seed
        Seed of the tiles' order and of the default tasks.

    Returns
    -------
    The folder.
    """
    folder = Path(folder)
    rng = np.random.default_rng([seed, 53])
    for task, sections in (_default_tasks(seed) if tasks is None else tasks).items():
        root = folder / task
        for section in sections:
            _write_table(section, root / "adata" / f"{section.name}.h5ad")
            _write_tiles(section, root / "patches" / f"{section.name}.h5", rng)
        _write_splits(sections, root / "splits")
        panels = {"var": np.var, "mean": np.mean}
        for kind, rule in panels.items():
            write_json(root / f"{kind}_{n_genes}genes.json", {"genes": _panel(sections, n_genes, rule)})
    return folder


def _default_tasks(seed: int) -> dict[str, list[Section]]:
    tasks: dict[str, list[Section]] = {}
    for number, (task, n_donors) in enumerate(_TASKS.items()):
        options = {"seed": seed + number, "size_um": 600.0, "mpp": 4.0, "genes": _GENES}
        sections = [make_section(donor, **options) for donor in range(n_donors)]
        tasks[task] = [s.replace(name=f"{task}{i + 1}", donor=f"{task}-{i + 1}") for i, s in enumerate(sections)]
    return tasks


def _write_table(section: Section, path: Path) -> None:
    table = AnnData(
        X=sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float32),
        obs=section.table.obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].copy(),
        var=pd.DataFrame(index=section.table.var_names),
    )
    table.obs["pxl_col_in_fullres"], table.obs["pxl_row_in_fullres"] = section.xy.T
    table.obsm[keys.SPATIAL] = section.xy
    with atomic_path(path) as temporary:
        table.write_h5ad(temporary)


def _write_tiles(section: Section, path: Path, rng: np.random.Generator) -> None:
    """Write the tiles of all observations but the last, in an order of their own."""
    import h5py

    order = rng.permutation(section.n_obs - 1)
    side = _TILE_UM / section.mpp
    corners = np.rint(section.xy[order] - side / 2).astype(np.int64)
    attributes = {
        "patch_size_src": round(side),
        "patch_size_target": _TILE_PX,
        "downsample": 0.5 / section.mpp,
        "pixel_size": section.mpp,
    }
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        options = {"compression": "lzf", "chunks": (1, *_tile(section, 0).shape)}
        images = np.stack([_tile(section, i) for i in order])
        for name, values, extra in (("img", images, options), ("coords", corners, {})):
            file.create_dataset(name, data=values, **extra).attrs.update(attributes)
        file.create_dataset("barcode", data=section.table.obs_names[order].to_numpy().astype("S")[:, None])


def _tile(section: Section, index: int) -> np.ndarray:
    if section.slide is None:
        return np.full((4, 4, 3), 200, dtype=np.uint8)
    side = _TILE_UM / section.mpp
    x, y = section.xy[index] - side / 2
    return section.slide.region(x, y, width=side, height=side, out=(_TILE_PX, _TILE_PX)).pixels


def _write_splits(sections: Sequence[Section], folder: Path) -> None:
    donors = list(dict.fromkeys(s.donor for s in sections))
    for i, held in enumerate(donors):
        sides = {
            "train": [s.name for s in sections if s.donor != held],
            "test": [s.name for s in sections if s.donor == held],
        }
        for side, names in sides.items():
            table = pd.DataFrame({"sample_id": names})
            table["patches_path"] = [f"patches/{n}.h5" for n in names]
            table["expr_path"] = [f"adata/{n}.h5ad" for n in names]
            with atomic_path(folder / f"{side}_{i}.csv") as temporary:
                table.to_csv(temporary, index=False)


def _panel(sections: Sequence[Section], n_genes: int, rule: object) -> list[str]:
    """Return the genes that `rule` (of ln(1 + counts) over all observations) puts first."""
    assert callable(rule)
    values = np.concatenate([np.log1p(s.table.layers[keys.COUNTS].toarray().astype(float)) for s in sections])
    names = list(sections[0].table.var_names)
    return [names[i] for i in np.argsort(-rule(values, axis=0), kind="stable")[:n_genes]]
