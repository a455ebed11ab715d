"""Bags from files of features: positions in um, donor and site, and what is refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from histoscribe.core.errors import DataError
from histoscribe.io.bags import read_bag, read_bags

NAME = "TCGA-A1-A0SB-01Z-00-DX1.B34C267B"
TRIDENT = {"patch_size": 256, "patch_size_level0": 512, "target_magnification": 20}


def store(folder, name=NAME, *, n=3, attributes=TRIDENT, dim=4):
    folder.mkdir(exist_ok=True, parents=True)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        coords = np.arange(2 * n).reshape(n, 2) * 512
        file.create_dataset("coords", data=coords).attrs.update(attributes)
        file.create_dataset("features", data=np.arange(n * dim, dtype=np.float16).reshape(n, dim))
    return folder / f"{name}.h5"


def test_trident_file_becomes_a_bag_in_um_with_donor_site_and_encoder(tmp_path):
    bag = read_bag(store(tmp_path / "features_uni"))
    assert (bag.name, bag.donor, bag.site, bag.encoder) == (NAME, "TCGA-A1-A0SB", "A1", "uni")
    assert bag.features.dtype == np.float32
    # 256 px at 20x are 128 um, which are 512 px at level 0: 0.25 um/px; the centre of the first tile is at 256 px.
    np.testing.assert_allclose(bag.xy_um, (np.arange(6).reshape(3, 2) * 512 + 256) * 0.25)
    np.testing.assert_allclose(read_bag(bag_path(tmp_path), mpp=0.2).xy_um[0], [51.2, 153.6])


def bag_path(tmp_path):
    return tmp_path / "features_uni" / f"{NAME}.h5"


def test_without_a_scale_there_are_no_positions(tmp_path):
    assert read_bag(store(tmp_path, attributes={"patch_size": 256, "patch_level": 1})).xy_um is None


def test_tensor_file_becomes_a_bag_without_positions(tmp_path):
    torch.save(torch.ones(5, 2, dtype=torch.float16), tmp_path / "a.pt")
    bag = read_bag(tmp_path / "a.pt", site="x")
    assert (bag.features.shape, bag.xy_um, bag.donor, bag.site) == ((5, 2), None, "a", "x")


def test_fewer_tiles_are_drawn_by_seed_and_keep_their_places(tmp_path):
    path = store(tmp_path, n=50)
    few, again, other = (read_bag(path, max_tiles=7, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(few.features, again.features)
    assert not np.array_equal(few.features, other.features)
    whole = read_bag(path)
    at = np.searchsorted(whole.features[:, 0], few.features[:, 0])
    np.testing.assert_array_equal(whole.xy_um[at], few.xy_um)


def test_folder_is_read_in_order_and_in_part(tmp_path):
    for name in ("b", "a", "c"):
        store(tmp_path, name)
    assert [b.name for b in read_bags(tmp_path)] == ["a", "b", "c"]
    assert [b.name for b in read_bags(tmp_path, only={"c"})] == ["c"]


def test_a_table_says_whose_slide_it_is_and_stands_above_names(tmp_path):
    store(tmp_path / "f")
    store(tmp_path / "f", "b")
    (tmp_path / "about.tsv").write_text(f"slide\tsite\n{NAME}\tlab 2\n")
    found = {b.name: (b.donor, b.site) for b in read_bags(tmp_path / "f", about=tmp_path / "about.tsv")}
    assert found == {NAME: ("TCGA-A1-A0SB", "lab 2"), "b": ("b", "")}
    (tmp_path / "about.csv").write_text("slide,x\nb,1\n")
    with pytest.raises(DataError, match="has columns x"):
        read_bags(tmp_path / "f", about=tmp_path / "about.csv")


def test_what_is_no_bag_is_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match="holds no file of features"):
        read_bags(tmp_path)
    torch.save({"a": 1}, tmp_path / "a.pt")
    with pytest.raises(DataError, match="holds no .tiles, features. tensor"):
        read_bag(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"no")
    with pytest.raises(DataError, match=r"b\.pt cannot be read"):
        read_bag(tmp_path / "b.pt")
    store(tmp_path, "a")
    with pytest.raises(DataError, match="several files of slide a"):
        read_bags(tmp_path)
    with pytest.raises(DataError, match="holds no features"):
        read_bag(store(tmp_path, "empty", n=0))
