"""Sections of six synthetic donors, and predictions made from them without any image."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.section import Origin
from histoscribe.core.target import Target
from histoscribe.testing import make_feature_sections

GENES = 12


@pytest.fixture(scope="session")
def sections():
    """Six donors, one section each: 6 genes with signal, 6 without; 100 um array."""
    return make_feature_sections(6, 64, seed=3)


@pytest.fixture
def predict():
    """Make a prediction for a section: its own target mixed with noise, in any order, with any provenance."""

    def make(section, *, noise=0.5, training=(), values=None, rows=None, seed=0, **info):
        genes = list(section.table.var_names[:GENES])
        truth = Target()(section, genes)
        rng = np.random.default_rng(seed)
        values = truth + noise * rng.normal(size=truth.shape) if values is None else values
        table = AnnData(np.asarray(values, dtype=np.float32), obs=pd.DataFrame(index=section.table.obs_names))
        table.var_names = genes
        table.var["train_mean"] = truth.mean(0) * 0.9
        table.obsm[keys.SPATIAL] = section.xy
        entries = [
            {"name": s.name, "donor": s.donor, "n_obs": s.n_obs}
            | (
                {}
                if s.origin is None
                else {
                    "reader": s.origin.reader,
                    "path": s.origin.path,
                    "options": dict(s.origin.options),
                    "digest": s.origin.digest,
                }
            )
            for s in training
        ]
        ours = {"kind": "prediction", "unit": Target().unit, "method": "toy", "mpp": section.mpp, "step_um": 100.0}
        table.uns[keys.UNS] = ours | {"training": json.dumps(entries)} | info
        return table if rows is None else table[rows].copy()

    return make


@pytest.fixture
def from_file():
    """Give a section an origin, as a reader would."""

    def make(section, digest, **options):
        return section.replace(origin=Origin("h5ad", "somewhere.h5ad", options, digest))

    return make
