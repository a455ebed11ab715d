"""Registration against what was published: her2st's rigid motions, ra3d's manual turns, and H&E of donor C.

    HISTOSCRIBE_DATA=../shared/data python benchmarks/alignment.py [--images] [--json FILE]

Three questions, each with its yardstick:

1. her2st, 20 sections of 6 donors against the donor's reference (section 1; 2 for G): median distance of the
   observations from their published place, in pitch (200 um), aligned directly and as a stack; and the verdict.
2. ra3d, 5 sections of 2 patients against the first: the manual alignment's angle. Its positions were scaled to a unit
   square section by section, so that of the manual alignment only the turn is left; the distance is that of two
   placements that share their centre.
3. `--images`: which of ours, the published motion and image registration puts H&E upon H&E (donor C, neighbours):
   correlation of darkness in the band of 40 to 300 um, on tissue that was not registered on.
"""

from __future__ import annotations

import argparse
import os
from itertools import pairwise
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

import histoscribe as hs
from histoscribe.align import align_pair, align_stack, fit_rigid, register_images, section_picture
from histoscribe.align.image import picture_similarity
from histoscribe.core.files import write_json
from histoscribe.core.section import Section

DATA = Path(os.environ.get("HISTOSCRIBE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DONORS = {"A": 6, "C": 5, "D": 6, "E": 3, "F": 3, "G": 3}
#: Index of the section whose published positions are its own.
REFERENCE = {"G": 1}
PITCH = 200.0


def published(section, reference_mpp):
    """Return the published motion: um of the section's slide to um of the reference's."""
    path = DATA / "her2st" / "res" / "ST-cluster" / "lbl" / f"{section.name}-cluster-annotation.tsv.gz"
    table = pd.read_csv(path, sep="\t", index_col=0)
    source = table[["pixel_x", "pixel_y"]].to_numpy(float) * section.mpp
    return fit_rigid(source, table[["warped_x", "warped_y"]].to_numpy(float) * reference_mpp)


def apart(one, two, xy):
    """Median distance of two placements, pitch."""
    return float(np.median(np.linalg.norm(one(xy) - two(xy), axis=1))) / PITCH


def her2st(genes):
    """Compare with the published motions of her2st."""
    rows = []
    for donor, n in DONORS.items():
        sections = [hs.read("st-array", DATA / "her2st", section=f"{donor}{i + 1}", image="none") for i in range(n)]
        k = REFERENCE.get(donor, 0)
        stack, pairs = align_stack(sections, reference=k, genes=genes)
        verdicts = {p.moving: p.quality for p in pairs}
        for section, xy in zip(sections, stack.xy_um, strict=True):
            if section is sections[k]:
                continue
            truth = published(section, sections[k].mpp)
            direct = align_pair(section, sections[k], genes=genes)
            q = verdicts[section.name]
            rows.append(
                {
                    "section": section.name,
                    "direct_pitch": apart(direct.motion, truth, section.xy_um),
                    "stack_pitch": float(np.median(np.linalg.norm(xy - truth(section.xy_um), axis=1))) / PITCH,
                    "turn_off_deg": float(abs((direct.motion.angle_deg - truth.angle_deg + 180) % 360 - 180)),
                    "verdict": direct.quality.verdict,
                    "precision_pitch": direct.quality.precision_pitch,
                    "spread_pitch": direct.quality.spread_pitch,
                    "overlap": direct.quality.overlap,
                    "agreement": direct.quality.agreement,
                    "neighbour_verdict": q.verdict,
                    "reasons": "; ".join(direct.quality.reasons),
                }
            )
            print(_line(rows[-1]), flush=True)
    return pd.DataFrame(rows)


def _line(row):
    parts = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
    return "  ".join(parts)


def _ra3d_section(name):
    table = ad.read_h5ad(DATA / "ra3d" / "derived" / f"{name}.h5ad")
    xy = table.obs[["array_x", "array_y"]].to_numpy(float) * PITCH
    aligned = table.obs[["aligned_x", "aligned_y"]].to_numpy(float)
    linear = np.linalg.lstsq(np.column_stack([xy - xy.mean(0), np.ones(len(xy))]), aligned, rcond=None)[0][:2].T
    # Each axis was scaled to 0-1 after the turn: rows keep their direction.
    turn = linear / np.linalg.norm(linear, axis=1, keepdims=True)
    table.obsm["spatial"] = xy
    return Section(table, None, 1.0, name, name[:3], pitch_um=PITCH), turn


def ra3d():
    """Compare with the turns of ra3d's manual alignment."""
    rows = []
    for patient, n in (("RA1", 4), ("RA2", 3)):
        read = [_ra3d_section(f"{patient}_{i + 1}") for i in range(n)]
        stack, pairs = align_stack([s for s, _ in read])
        for i, (section, turn) in enumerate(read):
            if not i:
                continue
            relative = read[0][1].T @ turn
            manual = np.rad2deg(np.arctan2(relative[1, 0] - relative[0, 1], relative[0, 0] + relative[1, 1]))
            ours = fit_rigid(section.xy_um, stack.xy_um[i])
            by_hand = type(ours)(float(manual), ours.centre, ours.shift)
            rows.append(
                {
                    "section": section.name,
                    "manual_deg": float(manual),
                    "ours_deg": ours.angle_deg,
                    "off_deg": float((ours.angle_deg - manual + 180) % 360 - 180),
                    "apart_pitch": apart(ours, by_hand, section.xy_um),
                    "precision_pitch": pairs[i - 1].quality.precision_pitch,
                    "precision_deg": pairs[i - 1].quality.precision_deg,
                    "verdict": pairs[i - 1].quality.verdict,
                    "reasons": "; ".join(pairs[i - 1].quality.reasons),
                }
            )
            print(_line(rows[-1]), flush=True)
    return pd.DataFrame(rows)


def images():
    """Ask H&E of donor C which motion is right."""
    rows = []
    sections = [hs.read("st-array", DATA / "her2st", section=f"C{i}") for i in range(2, 6)]
    for fixed, moving in pairwise(sections):
        pair = align_pair(moving, fixed)
        given = published(moving, fixed.mpp).then(published(fixed, fixed.mpp).inverse())
        pictures = [section_picture(s, mpp=7.0) for s in (moving, fixed)]
        everywhere = np.ones_like(pictures[1].tissue)
        row = {"pair": f"{moving.name} to {fixed.name}"}
        row["published_similarity"] = picture_similarity(*pictures, given, where=everywhere)
        row["observations_similarity"] = picture_similarity(*pictures, pair.motion, where=everywhere)
        row["observations_to_published_pitch"] = apart(pair.motion, given, moving.xy_um)
        for kind in ("intensity", "keypoints"):
            found = register_images(moving, fixed, pair.motion, images=kind, pitch_um=PITCH)
            row |= {f"{kind}_kept": found.source == kind, f"{kind}_held_out_gain": found.after - found.before}
            if found.source == kind:
                row[f"{kind}_similarity"] = picture_similarity(*pictures, found.motion, where=everywhere)
                row[f"{kind}_to_published_pitch"] = apart(found.motion, given, moving.xy_um)
                row[f"{kind}_to_observations_pitch"] = apart(found.motion, pair.motion, moving.xy_um)
        rows.append(row)
        print(row, flush=True)
    return pd.DataFrame(rows)


def main():
    """Run what was asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", action="store_true", help="compare on the H&E of donor C, too")
    parser.add_argument("--genes", default="auto", choices=["auto", "place", "never"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    tables = {"her2st": her2st(given.genes), "ra3d": ra3d()}
    if given.images:
        tables["images"] = images()
    pd.set_option("display.width", 200, "display.max_columns", 30)
    for name, table in tables.items():
        print(f"\n{name}\n{table.round(3).to_string(index=False)}")
    found = tables["her2st"]
    for column in ("direct_pitch", "stack_pitch"):
        print(
            f"{column}: median {found[column].median():.3f}, worst {found[column].max():.3f}, "
            f"{int((found[column] < 0.15).sum())} of {len(found)} below 0.15"
        )
    if given.json:
        write_json(given.json, {k: v.replace({np.nan: None}).to_dict("records") for k, v in tables.items()})


if __name__ == "__main__":
    main()
