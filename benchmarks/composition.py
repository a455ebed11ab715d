"""Deconvolvers against true proportions: heart ISS (real, pseudo-spots of known cells) and POLARIS's simulation.

Writes one run record per run under `results/<suite>/<method>/`. The runner of the suites takes expression predictors on
slides; here there is neither slide nor split by donor, so that this script writes the records itself.

`heart-iss-composition`: developing heart PCW6.5_1, 1,039 pseudo-spots, 12 types, one section: small n. Internal
reference: at most 400 cells per type, drawn by the seed, of the very cells that the spots are made of; external: a
dissociated heart, its types matched by hand (below), the same cells in every seed (only what is held out changes).
`synthetic-composition`: five seeds x shares 0, 0.5 and 1 of genes without a layer effect.

Hindsight: the error at the end over the least error on the way, in the stages of the reported model, and in all.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core.files import file_digest
from histoscribe.core.records import RunRecord
from histoscribe.methods import COMPOSITION, Reference, composition
from histoscribe.metrics import COMPOSITION_METRICS
from histoscribe.testing import make_spots

#: External type to the number of the internal one, by name; two fibroblast-like types are a judgement.
EXTERNAL = {
    "Capillary endothelium": 0,
    "Ventricular cardiomyocytes": 1,
    "Endothelium / pericytes / adventitia": 10,
    "Myoz2-enriched cardiomyocytes": 12,
    "Cardiac neural crest cells & Schwann progenitor cells": 14,
    "Fibroblast-like (related to cardiac skeleton connective tissue)": 2,
    "Epicardium-derived cells": 3,
    "Fibroblast-like (related to smaller vascular development)": 4,
    "Fibroblast-like (related to larger vascular development)": 8,
    "Smooth muscle cells / fibroblast-like)": 5,
    "Atrial cardiomyocytes": 7,
    "Epicardial cells": 9,
}


def main() -> None:
    """Run all methods on all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results"))
    args = parser.parse_args()
    cases = [case for seed in range(args.seeds) for case in (*synthetic(seed), *heart(args.data, seed))]
    rows = []
    for case in cases:
        for name in COMPOSITION:
            for layers in (None, "one", "layer") if name == "polaris" else ("layer",):
                rows += [run(case, name, layers, args.out)]
    table = pd.DataFrame(rows).drop(columns="seed").groupby(["case", "method"]).agg(["mean", "std"])
    with pd.option_context("display.width", 250, "display.max_columns", 30, "display.precision", 4):
        print(table)


def synthetic(seed):
    """Yield the simulation's settings."""
    for unaffected in (0.0, 0.5, 1.0):
        planted = make_spots(unaffected=unaffected, seed=seed)
        spots = planted.spots
        spots.obs["one"] = "all"
        reference = Reference.from_cells(planted.cells, "cell_type")
        yield {
            "suite": "synthetic-composition",
            "case": f"unaffected {unaffected:g}",
            "seed": seed,
            "spots": spots,
            "reference": reference,
            "truth": planted.truth,
            "factors": planted.layer_factors,
            "data": {"spots": f"make_spots(unaffected={unaffected:g}, seed={seed})"},
        }


def heart(data, seed):
    """Yield the heart with its internal and its external reference."""
    root = data / "deconv" / "polaris_heart_iss"
    counts = pd.read_csv(root / "PCW6.5_1_st_cnt.genexrow.tsv.gz", sep="\t", index_col=0).T
    cells = pd.read_csv(root / "PCW6.5_1_st_cell_pro.tsv", sep="\t", index_col=0).loc[counts.index]
    layer = pd.read_csv(root / "heart_4layer.tsv", sep="\t", index_col=0)["layer"].loc[counts.index].astype(str)
    obs = pd.DataFrame({"layer": layer, "one": "all"}, index=counts.index)
    spots = AnnData(counts.to_numpy(float), obs=obs, var=pd.DataFrame(index=counts.columns))
    truth = cells.div(cells.sum(axis=1), axis=0)
    by_number = {int(name[1:].partition(")")[0]): name for name in cells.columns}
    for kind, reference in (("internal", internal(root, seed)), ("external", external(root, by_number))):
        for size in ("equal", "reference") if kind == "internal" else ("equal",):
            yield {
                "suite": "heart-iss-composition",
                "case": f"{kind}, cell size {size}",
                "seed": seed,
                "spots": spots,
                "reference": reference,
                "truth": truth[reference.types].to_numpy(),
                "factors": None,
                "size": size,
                "data": {"polaris_heart_iss": file_digest(root)},
            }


def internal(root, seed):
    """At most 400 of the spots' own cells of each type."""
    table = pd.read_csv(root / "ref/internal/PCW6.5_1_scRNA.cnt.tsv.gz", sep="\t", index_col=0)
    types = pd.read_csv(root / "ref/internal/PCW6.5_1_scRNA.mta.tsv.gz", sep="\t", index_col=0)["bio_celltype"]
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(types == t))[:400] for t in sorted(types.unique())])
    return as_reference(table.iloc[rows], types.iloc[rows])


def external(root, by_number):
    """Cells of another heart, measured by single-cell sequencing."""
    name = "ref/external/development_heart.scRNA.processed"
    table = pd.read_csv(root / f"{name}.cnt.genexrow.tsv.gz", sep="\t", index_col=0).T
    types = pd.read_csv(root / f"{name}.mta.tsv.gz", sep="\t", index_col=0)["bio_celltype"].loc[table.index]
    return as_reference(table, types.map(EXTERNAL).map(by_number))


def as_reference(table, types):
    """Make a reference of a table of cells x genes."""
    index = table.index.astype(str)
    cells = AnnData(table.to_numpy(float), obs=pd.DataFrame(index=index), var=pd.DataFrame(index=table.columns))
    return Reference.from_cells(cells, list(types))


def run(case, name, layers, out):
    """Fit one method, score it, save its record, return a row."""
    model = composition(name)
    n_layers = 0 if layers is None or not model.uses_layers else case["spots"].obs[layers].nunique()
    start = time.perf_counter()
    size = case.get("size", "equal")
    found = model.fit(case["spots"], case["reference"], layers=layers, cell_size=size, seed=case["seed"])
    seconds = time.perf_counter() - start
    p, truth = found.obsm["composition"], case["truth"]
    scores = {metric: COMPOSITION_METRICS.get(metric)(truth, p).mean for metric in COMPOSITION_METRICS}
    if "composition_lower" in found.obsm:
        inside = (found.obsm["composition_lower"] <= truth) & (truth <= found.obsm["composition_upper"])
        scores["composition_coverage_90"] = float(inside.mean())
    if "layer_factors" in found.varm and case["factors"] is not None and case["factors"].any():
        order = [list(case["spots"].var_names).index(g) for g in found.var_names]
        estimated = found.varm["layer_factors"] @ np.array([-1.0, 1.0])  # disease comes first in the alphabet
        planted = (case["factors"][0] - case["factors"][1])[order]
        scores["layer_contrast_pcc"] = float(np.corrcoef(estimated, planted)[0, 1])
    if size == "equal" and name in {"polaris", "stereoscope"}:
        scores |= hindsight(model, case, layers, name)
    fit = json.loads(found.uns["histoscribe"]["fit"])
    label = f"{name}, {n_layers} layers" if name == "polaris" else name
    record = RunRecord(
        benchmark=case["suite"],
        method=name,
        params=model.params() | {"layers": layers if n_layers else None, "cell_size": size},
        encoder="none",
        genes=list(found.var_names),
        target={},
        split={"case": case["case"], "layers": n_layers},
        seed=case["seed"],
        data=case["data"],
        scores={label: scores},
        n={"observations": len(p), "types": p.shape[1], "genes": found.n_vars, "sections": 1},
        seconds=round(seconds, 3),
        synthetic=case["factors"] is not None,
        kind="control" if model.card.control else "method",
        notes=[*found.uns["histoscribe"]["notes"], f"fit: {json.dumps(fit)}"],
    )
    record.save(out / case["suite"] / name)
    return {"case": f"{case['suite'].partition('-')[0]} {case['case']}", "method": label, "seed": case["seed"]} | scores


def hindsight(model, case, layers, name):
    """Repeat the fit, watched, and compare its end with the best stopping time."""
    from histoscribe.methods._nb_mixture import fit_mixture, layer_scale

    mixture, _, _ = model._prepare(case["spots"], case["reference"], layers, [])
    arguments = (mixture.counts, mixture.reference.profiles, mixture.reference.dispersion)
    options = {"noise": name == "stereoscope"}
    if model.uses_layers and len(mixture.layer_names) > 1:
        scale = layer_scale(mixture.counts, fit_mixture(*arguments), mixture.layers, arguments[2])
        options |= {"layers": mixture.layers, "layer_sd": scale}
    errors = []

    def watch(stage, p):
        errors.append((stage, float(np.sqrt(((p - case["truth"]) ** 2).mean()))))

    fit_mixture(*arguments, **options, watch=watch)
    own = [error for stage, error in errors if stage != "composition"]
    return {"end_over_best": own[-1] / min(own), "end_over_best_all_stages": own[-1] / min(e for _, e in errors)}


if __name__ == "__main__":
    main()
