"""How precise registration is, and on which side it and the published motions of her2st differ.

    HISTOSCRIBE_DATA=../shared/data python benchmarks/alignment_precision.py [--part generated|genes|halves|images]

1. generated: sections with a known motion, made from 12 sections of her2st: half of the counts stay where they are, the
   other half is put on another lattice, with another edge, a smooth deformation of 0.25 pitch, and genes that change
   over 0.7 mm (`drift`: sd of the logarithm). Error of outlines, of genes and of both; how precision foretells it.
2. genes: neighbours placed by half of the genes and scored by the other half (correlation of maps smoothed over one
   pitch): both, outlines alone, and the published motion. The scored genes take no part, but share the observations.
3. halves: how far apart two halves of the genes, and two halves of the observations, put a section.
4. images: H&E of donor C, all 6 pairs of 4 sections: distance to where the images fit best (rigid; correlation of
   darkness at 40 to 300 um, climbed from the outlines' motion). No image takes part in any of the motions.

Distances are root mean squares over the observations of a section, in pitch (200 um).
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import minimize
from scipy.spatial import cKDTree

import histoscribe as hs
from alignment import DATA, DONORS, PITCH, REFERENCE, published
from histoscribe.align import Rigid, align_pair, fit_rigid, section_picture
from histoscribe.align.expression import Maps, shared_maps, smooth_genes
from histoscribe.align.footprint import Field, Footprint
from histoscribe.align.image import picture_similarity
from histoscribe.align.match import Match
from histoscribe.core.section import Section

NAMES = ("A1", "A4", "C1", "C3", "D2", "D5", "E1", "E3", "F1", "F3", "G1", "G2")
KINDS = ["outline", "genes", "both"]


def read(name, *, image="none"):
    """Read a section of her2st."""
    return hs.read("st-array", DATA / "her2st", section=name, image=image)


def apart(one, two, xy):
    """Root mean square distance of two placements, pitch."""
    return float(np.sqrt(((one(xy) - two(xy)) ** 2).sum(1).mean())) / PITCH


def waves(rng, low, high, length):
    """Return a smooth random field of variance 1."""
    step = length / 4
    values = gaussian_filter(rng.normal(size=np.ceil((high - low)[::-1] / step + 24).astype(int)), 4 / 2**0.5)
    values /= values.std()
    return lambda xy: map_coordinates(values, ((xy - low) / step + 12)[:, ::-1].T, order=1, mode="nearest")


def generate(section, seed, *, warp=0.25, edge=0.45, drift=1.0, jitter=0.3, genes=1500):
    """Return half of a section's counts, the other half cut anew, and the motion from the second to the first."""
    rng = np.random.default_rng([11, seed])
    counts = section.table.layers["counts"]
    most = np.argsort(-np.asarray((counts > 0).mean(0)).ravel(), kind="stable")[:genes]
    counts = np.asarray(sp.csr_matrix(counts)[:, most].todense()).astype(int)
    kept = rng.binomial(counts, 0.5)
    xy, centre = section.xy_um, section.xy_um.mean(0)
    low, high = xy.min(0) - 1500, xy.max(0) + 1500
    axes = [np.arange(a, b, PITCH) for a, b in zip(low - 500, high + 500, strict=True)]
    lattice = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2) + rng.uniform(0, PITCH, 2)
    lattice = Rigid(rng.uniform(-45, 45), centre, np.zeros(2))(lattice)
    tissue = lattice + warp * PITCH * np.stack([waves(rng, low, high, 2500.0)(lattice) for _ in range(2)], 1)
    print_ = Field(Footprint(xy, np.ones(len(xy)), PITCH), sigma_um=0.6 * PITCH)
    steepest = np.median(np.sort(np.linalg.norm(print_.slope(xy), axis=1))[-40:])
    level = 0.5 * np.median(print_.at(xy)) + 0.8 * edge * PITCH * steepest * waves(rng, low, high, 600.0)(lattice)
    inside = print_.at(tissue) > level
    lattice, tissue = lattice[inside], tissue[inside]
    distance, near = cKDTree(xy).query(tissue, k=12)
    weight = np.exp(-0.5 * (distance / (0.5 * PITCH)) ** 2) + 1e-12
    rest = counts - kept
    depth = np.maximum(rest.sum(1), 1)
    share = np.einsum("nk,nkg->ng", weight / weight.sum(1, keepdims=True), (rest / depth[:, None])[near])
    ways = np.stack([waves(rng, low, high, 700.0)(lattice) for _ in range(8)], 1)
    share *= np.exp(drift / 8**0.5 * ways @ rng.normal(size=(8, share.shape[1])))
    share *= rng.gamma(jitter**-2, jitter**2, share.shape) / share.sum(1, keepdims=True)
    moved = Rigid(rng.uniform(-180, 180), centre, rng.uniform(-2000, 2000, 2))(lattice)
    cut = _section(rng.poisson(share * depth[near[:, :1]]), moved, "moving", section.donor)
    return _section(kept, xy, "fixed", section.donor), cut, fit_rigid(moved, tissue)


def _section(counts, xy, name, donor):
    table = AnnData(obs=pd.DataFrame({"total_counts": counts.sum(1).astype(float)}, index=map(str, range(len(xy)))))
    table = AnnData(sp.csr_matrix(counts.shape), obs=table.obs)
    table.layers["counts"], table.obsm["spatial"] = sp.csr_matrix(counts), xy
    return Section(table, None, 1.0, name, donor, pitch_um=PITCH)


def placed(moving, fixed, start, genes=None):
    """Refine by outlines, by genes, and by both; `genes` are what `smooth_genes` returns."""
    prints = [Footprint.of(s, pitch_um=PITCH) for s in (moving, fixed)]
    outline = Match(*prints).refine(start)
    both = Match(*prints, maps=tuple(shared_maps(genes or smooth_genes(moving, fixed))))
    together, both.layers = both.refine(outline), both.layers[1:]
    return {"outline": outline, "genes": both.refine(outline), "both": together}


def generated():
    """Errors against a known motion."""
    rows = []
    for n, name in enumerate(NAMES):
        for seed, drift in enumerate((0.5, 1.0, 1.6)):
            fixed, moving, truth = generate(read(name), 9000 + 100 * n + seed, drift=drift)
            pair, xy = align_pair(moving, fixed), moving.xy_um
            row = {"drift": drift, "of": name, "seed": 9000 + 100 * n + seed, "verdict": pair.quality.verdict}
            row |= {k: apart(m, truth, xy) for k, m in placed(moving, fixed, truth).items()}
            row |= {"error": apart(pair.motion, truth, xy), "precision": pair.quality.precision_pitch}
            row |= {"turn": (pair.motion.angle_deg - truth.angle_deg + 180) % 360 - 180}
            rows.append(row | {"deg": pair.quality.precision_deg, "spread": pair.quality.spread_pitch})
    table = pd.DataFrame(rows)
    part = pd.qcut(table["precision"], 3)
    rms = table.groupby(part, observed=True)[["precision", "error", "deg", "turn"]].agg(lambda v: (v**2).mean() ** 0.5)
    print(
        f"root mean squares by precision\n{rms.round(3)}\nby drift\n", table.groupby("drift")[KINDS].median().round(3)
    )
    return table


def neighbours():
    """Neighbours of her2st, with the published motion."""
    for donor, n in DONORS.items():
        sections = [read(f"{donor}{i + 1}") for i in range(n)]
        mpp = sections[REFERENCE.get(donor, 0)].mpp
        for fixed, moving in pairwise(sections):
            yield moving, fixed, published(moving, mpp).then(published(fixed, mpp).inverse())


def genes():
    """Scores of genes that took no part, relative to the outlines' placement, x 1000."""
    rows, rng = [], np.random.default_rng(0)
    for moving, fixed, given in neighbours():
        chosen = smooth_genes(moving, fixed)
        order = rng.permutation(chosen[0].values.shape[1])
        scores = []
        for used, scored in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            found = placed(moving, fixed, given, [Maps(c.xy_um, c.values[:, used]) for c in chosen]) | {"given": given}
            held = Match(
                *(Footprint.of(s, pitch_um=PITCH) for s in (moving, fixed)),
                maps=tuple(Maps(c.xy_um, c.values[:, scored]) for c in chosen),
            )
            scores.append({k: np.array([x.correlation(m) for x in held.layers[1:]]) for k, m in found.items()})
        score = {k: np.concatenate([s[k] for s in scores]) for k in scores[0]}
        row = {"pair": f"{moving.name} to {fixed.name}", "genes": len(order), "outline": score["outline"].mean()}
        for one, two in (("both", "outline"), ("given", "outline"), ("both", "given")):
            gain = 1000 * (score[one] - score[two])
            row |= {f"{one}-{two}": gain.mean(), f"{one}>{two}": (gain > 0).mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def halves():
    """Distance of two placements from halves of the genes, and of the observations (a checkerboard of 1 pitch)."""
    rows = []
    for moving, fixed, given in neighbours():
        xy, chosen = moving.xy_um, smooth_genes(moving, fixed)
        by = [placed(moving, fixed, given, [Maps(c.xy_um, c.values[:, k::2]) for c in chosen]) for k in (0, 1)]
        row = {"pair": f"{moving.name} to {fixed.name}"}
        row |= {f"{k}_by_gene_halves": apart(by[0][k], by[1][k], xy) for k in ("genes", "both")}
        odd = (np.round(xy / PITCH).sum(1) % 2).astype(bool)
        by = [placed(moving.subset(np.flatnonzero(odd == k)), fixed, given) for k in (False, True)]
        row |= {f"{k}_by_spot_halves": apart(by[0][k], by[1][k], xy) for k in ("outline", "both")}
        found = align_pair(moving, fixed)
        rows.append(row | {"precision": found.quality.precision_pitch, "given": apart(found.motion, given, xy)})
    return pd.DataFrame(rows)


def images():
    """Distance to where H&E of donor C fits best."""
    rows = []
    sections = [read(f"C{i}", image=None) for i in range(2, 6)]
    pictures = {s.name: section_picture(s, mpp=7.0) for s in sections}
    for moving, fixed in ((a, b) for i, b in enumerate(sections) for a in sections[i + 1 :]):
        given = published(moving, fixed.mpp).then(published(fixed, fixed.mpp).inverse())
        found = placed(moving, fixed, given) | {"given": given}
        where = np.ones_like(pictures[fixed.name].tissue)

        def fit(motion, pair=(pictures[moving.name], pictures[fixed.name]), where=where):
            return picture_similarity(*pair, motion, where=where)

        base = found["outline"]

        def turned(p, base=base):
            return Rigid(base.angle_deg + p[0], base.centre, base.shift + 100 * np.asarray(p[1:]))

        options = {"initial_simplex": np.eye(4, 3) / 2, "xatol": 0.02, "fatol": 1e-4, "maxfev": 80}
        best = turned(minimize(lambda p: -fit(turned(p)), np.zeros(3), method="Nelder-Mead", options=options).x)
        row = {"pair": f"{moving.name} to {fixed.name}", "best_fit": fit(best)}
        row |= {f"{k}_fit": fit(m) for k, m in found.items()}
        rows.append(row | {k: apart(m, best, moving.xy_um) for k, m in found.items()})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"generated": generated, "genes": genes, "halves": halves, "images": images}
    parser.add_argument("--part", choices=list(parts), action="append")
    pd.set_option("display.width", 220, "display.max_columns", 30, "display.max_rows", 200)
    for part in parser.parse_args().part or parts:
        table = parts[part]()
        print(f"\n{part}\n{table.round(3).to_string(index=False)}\nmedian\n{table.median(numeric_only=True).round(3)}")
