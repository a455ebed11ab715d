"""Sections cut from one planted tissue: arrays laid anew over the same shape and the same maps of genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.align import Rigid
from histoscribe.core.section import Section

PITCH = 200.0
N_GENES = 30


def in_tissue(xy):
    """A lopsided blob of about 4.5 x 3.5 mm with a notch: no symmetry to turn or mirror it by."""
    angle = np.arctan2(xy[:, 1], xy[:, 0])
    radius = 1900 * (1 + 0.28 * np.cos(angle - 0.4) + 0.15 * np.cos(2 * angle + 1) + 0.08 * np.cos(3 * angle - 2))
    notch = (np.abs(xy[:, 0] - 700) < 350) & (xy[:, 1] > 900)
    return (np.hypot(*xy.T) < radius) & ~notch


def in_circle(xy):
    return np.hypot(*xy.T) < 2000


def lattice(rng):
    """A square array laid at random: its lines have nothing to do with the tissue."""
    axis = np.arange(-5000, 5000, PITCH)
    xy = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2) + rng.uniform(0, PITCH, 2)
    return Rigid(rng.uniform(-40, 40), np.zeros(2), np.zeros(2))(xy)


def expected(xy, *, seed):
    """Smooth maps of genes over the tissue, ``(n, g)``."""
    rng = np.random.default_rng(seed)
    ways, phases = rng.normal(0, 1 / 900, (2, N_GENES)), rng.uniform(0, 2 * np.pi, N_GENES)
    return 30 * np.exp(0.9 * np.sin(xy @ ways + phases))


def cut(shape, motion, seed, *, name="s", donor="d", maps=1, keep=None, measured=True):
    """Cut a section: `motion` takes the tissue's frame to the section's slide; `keep` drops part of the tissue."""
    rng = np.random.default_rng([7, seed])
    xy = lattice(rng)
    xy = xy[shape(xy)]
    if keep is not None:
        xy = xy[keep(xy)]
    counts = rng.poisson(expected(xy, seed=maps)).astype(np.int32)
    table = AnnData(
        obs=pd.DataFrame({"total_counts": counts.sum(1).astype(float)}, index=[f"o{i}" for i in range(len(xy))]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(N_GENES)]),
    )
    if measured:
        table.layers["counts"] = sp.csr_matrix(counts)
    table.obsm["spatial"] = motion(xy)
    return Section(table, None, 1.0, name, donor, pitch_um=PITCH)


def motion(angle=0.0, x=0.0, y=0.0):
    return Rigid(angle, np.zeros(2), np.array([x, y]))
