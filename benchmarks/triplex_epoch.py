"""Seconds of one TRIPLEX epoch: stored surroundings and section features against computing them in every step.

Data: her2st C2-C5 of the development folder (HISTOSCRIBE_DATA, default ../shared/data): 725 observations, one donor.
Both trainings take the same steps on the same batches, with ResNet18 trained from the tile's pixels (random start) and
the embedded encoder frozen for surroundings and section. The straightforward one encodes the 25 tiles around each
observation of a batch, and the tiles of all observations of its section, before each step; that what it computes is
what was stored is checked. One thread, one process; the two are run one after the other, in the order printed.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from histoscribe.core.grid import TileGrid
from histoscribe.encoders import encode_surround, make_encoder, split_name
from histoscribe.encoders._surround import surround_centres
from histoscribe.io import read_specs
from histoscribe.methods import train
from histoscribe.methods.expression.triplex import Triplex
from histoscribe.tiles import read_tiles

ENCODER, SIDE_UM = "efficientnet-lite0[grid3]", 154.0


class Straightforward(Triplex):
    """TRIPLEX that keeps no features: what surrounds a tile, and its section, are encoded again in every step."""

    def views(self, section):
        """Add where each observation is, to find its tiles again."""
        found = super().views(section)
        centres, _ = surround_centres(section, SIDE_UM, self.k)
        number = len(self.sections_)
        self.sections_.append((section, centres))
        return found | {"where": np.stack([np.full(section.n_obs, number), np.arange(section.n_obs)], axis=1)}

    def _fit(self, data, *, rng):
        self.sections_ = []
        base = "+".join(split_name(part)[0] for part in self.spec_.encoder.split("+"))
        self.encoder_ = make_encoder(base, threads=1)
        super()._fit(data, rng=rng)

    def loss(self, network, parts):
        """Encode everything again, check it against what was stored, then take the same loss."""
        for part in parts:
            number, rows = int(part.views["where"][0, 0]), part.rows.numpy()
            section, centres = self.sections_[number]
            around = self._encode(section, centres[rows].reshape(-1, 2)).reshape(len(rows), self.k**2, -1)
            whole = self._encode(section, section.xy)
            for name, value in (("around", around), ("features", whole)):
                mean, sd = self.scales_[name]
                stored, inside = part.views[name].numpy(), slice(None)
                if name == "around":
                    inside = part.views["inside"].numpy()
                # The section's stored feature is the mean of 3 x 3 overlapping cells, near the mean of the map.
                apart = np.abs(((value - mean) / sd)[inside] - stored[inside]).mean()
                assert apart < (0.05 if name == "around" else 0.5), (name, apart)
        return super().loss(network, parts)

    def _encode(self, section, centres):
        grid = TileGrid(centres, (SIDE_UM,), 224, section.mpp, section.grid.read_mpp)
        out = []
        for start in range(0, len(centres), 64):
            tiles, _ = read_tiles(section.slide, grid, SIDE_UM, slice(start, start + 64))
            out.append(self.encoder_.encode(tiles))
        return np.concatenate(out)


def main() -> None:
    """Time both."""
    default = Path(os.environ.get("HISTOSCRIBE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--frozen", action="store_true", help="Keep the tile's encoder frozen, too.")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"no development data at {args.data}; set HISTOSCRIBE_DATA")
        return
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    sections = read_specs([f"st-array:{args.data}/her2st?section=C{i}&species=human" for i in (2, 3, 4, 5)])
    start = time.perf_counter()
    sections = train.prepare(sections, ENCODER, size_um=SIDE_UM, threads=1)
    for section in sections:
        encode_surround(section, split_name(ENCODER)[0])
    encoded = time.perf_counter() - start
    options = {"epochs": 1, "batch": 128, "patience": 0, "mixed": False, "augment": False}
    backbone = None if args.frozen else "resnet18"
    seconds = {}
    for name, cls in (("stored", Triplex), ("straightforward", Straightforward)):
        method = cls(backbone=backbone, training=options)
        begun = []
        original = method._counted_loss
        method._counted_loss = lambda parts, begun=begun, f=original: begun.append(time.perf_counter()) or f(parts)
        method.fit(sections, 250, encoder=ENCODER, seed=0)
        # From the first step to the end: reading what was stored, and building the network, is no part of an epoch.
        seconds[name] = time.perf_counter() - begun[0]
        print(f"{name}: {seconds[name]:.1f} s an epoch ({len(begun)} steps)", flush=True)
    n = sum(s.n_obs for s in sections)
    print(f"n = {n} observations of 4 sections, 250 genes, {method.n_parameters() / 1e6:.1f} M parameters, seed 0")
    print(f"encoding what was not in the cache yet, once for all epochs: {encoded:.1f} s")
    print(f"ratio stored / straightforward: {seconds['stored'] / seconds['straightforward']:.3f}")


if __name__ == "__main__":
    main()
