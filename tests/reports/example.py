"""A prediction of a measured synthetic section that is partly right: the first half of its genes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core.target import Target

GENES = 12


def predict(measured, /, *, seed=0, **changes):
    """Return the truth with noise; the first half of the genes is trusted, the rest is noise alone."""
    rng = np.random.default_rng(seed)
    genes = list(measured.table.var_names[:GENES])
    truth = Target()(measured, genes)
    values = truth.mean(0) + 0.5 * (truth - truth.mean(0)) + rng.normal(0, 0.2, truth.shape)
    trusted = np.arange(GENES) < GENES // 2
    values[:, ~trusted] = truth.mean(0)[~trusted] + rng.normal(0, 0.2, (measured.n_obs, GENES // 2))
    values = np.maximum(values, 0).astype(np.float32)
    mean = np.where(trusted, 0.5, 0.05) - 0.01 * np.arange(GENES)
    var = pd.DataFrame(
        {
            "trusted": trusted,
            "depth_partial_pcc_gene": mean,
            "depth_partial_pcc_gene_lower": mean - 0.2,
            "train_mean": truth.mean(0),
        },
        index=pd.Index(genes, name="gene"),
    )
    obs = measured.table.obs[["array_row", "array_col"]].copy()
    obs["ood_percentile"] = np.linspace(0, 100, measured.n_obs).astype(np.float32)
    table = AnnData(X=values, obs=obs, var=var)
    table.obsm["spatial"] = measured.xy
    table.layers["lower"], table.layers["upper"] = np.maximum(values - 0.6, 0), values + 0.6
    training = [{"name": "train-a", "donor": "donor-a", "n_obs": 60, "reader": "", "path": "", "digest": "ab" * 32}]
    spec = {
        "encoder": "colour",
        "fingerprint": "f",
        "blocks": [["colour@112um", 0, 8]],
        "geometry": {"sides_um": [112.0], "tile_px": 224, "read_mpp": 2.0},
    }
    table.uns["histoscribe"] = {
        "kind": "prediction",
        "unit": Target().unit,
        "method": "ridge",
        "encoder": "colour",
        "section": measured.name,
        "donor": measured.donor,
        "mpp": measured.mpp,
        "slide": str(measured.slide.path),
        "slide_digest": measured.slide.digest(),
        "bundle": "0123456789abcdef",
        "level": 0.8,
        "calibration_unit": "donor",
        "n_units": 5,
        "ood_slide": 5.0,
        "ood_warn_above": 20.0,
        "synthetic": True,
        "step_um": 100.0,
        "spot_um": 55.0,
        "training": json.dumps(training),
        "params": json.dumps({"pca": None}),
        "seed": 3,
        "feature_spec": json.dumps(spec),
        "scale": "matches",
        "code": "0.1.0",
    } | changes
    return table
