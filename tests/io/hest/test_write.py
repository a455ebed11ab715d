import json

import h5py
import numpy as np
import openslide
import pytest

from histoscribe.core import keys
from histoscribe.core.errors import DataError, StorageError
from histoscribe.io import read, read_hest_patches, read_hest_shapes, write
from histoscribe.testing import make_section
from histoscribe.tiles import section_mask


@pytest.fixture(scope="module")
def section():
    return make_section(size_um=600.0, mpp=1.0)


@pytest.fixture(scope="module")
def written(section, tmp_path_factory):
    root = tmp_path_factory.mktemp("hest")
    assert write(section, root, "hest") == root
    return root


def test_what_is_written_comes_back(section, written):
    found = read(None, written)
    np.testing.assert_array_equal(found.xy, section.xy)
    assert (found.table.layers["counts"] != section.table.layers["counts"]).nnz == 0
    for role in ("name", "donor", "mpp", "species", "platform", "spot_um", "pitch_um"):
        assert getattr(found, role) == getattr(section, role), role
    width, height = section.slide.size
    whole = {"width": width, "height": height, "out": (width, height)}
    assert (found.slide.region(0, 0, **whole).pixels == section.slide.region(0, 0, **whole).pixels).all()


def test_the_slide_states_its_scale_in_a_way_that_openslide_reads(section, written):
    with openslide.OpenSlide(str(written / f"wsis/{section.name}.tif")) as slide:
        assert slide.dimensions == section.slide.size
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(1.0)


def test_patches_show_the_squares_around_their_spots(section, written):
    found = read("hest", written)
    tiles = read_hest_patches(written, found)
    assert (tiles.generation, tiles.tile_px, tiles.side_um) == (3, 224, 112.0)
    with h5py.File(tiles.path) as file:
        assert dict(file["coords"].attrs) == {
            "patch_size_src": 112,
            "patch_size_target": 224,
            "downsample": 0.5,
            "pixel_size": 1.0,
        }
        corners = file["coords"][:]
    np.testing.assert_array_equal(corners, np.floor(section.xy[tiles.observations] - 56))
    x, y = map(int, corners[3])
    expected = section.slide.region(x, y, width=112, height=112, out=(224, 224)).pixels
    np.testing.assert_array_equal(tiles[3], expected)


def test_patches_without_tissue_are_left_out(section, tmp_path):
    xy = section.xy.copy()
    mask = section_mask(section)
    rows, columns = np.nonzero(~mask.mask)
    empty = np.column_stack([columns, rows])[len(rows) // 2] * mask.step_px
    if mask.share(empty[None], 60.0)[0] > 0.1:
        pytest.fail("the generated section has no glass to test with")
    xy[0] = empty
    moved = section.table.copy()
    moved.obsm[keys.SPATIAL] = xy
    other = section.replace(table=moved)
    found = read("hest", write(other, tmp_path / "a", "hest"))
    assert 0 not in read_hest_patches(tmp_path / "a", found).observations
    found = read("hest", write(other, tmp_path / "b", "hest", tissue=False))
    assert 0 in read_hest_patches(tmp_path / "b", found).observations
    assert not (tmp_path / "b/tissue_seg").exists()


def test_tissue_outlines_hold_what_the_mask_holds(section, written):
    mask = section_mask(section)
    outlines = read_hest_shapes(written, "tissue")
    rows, columns = np.indices(mask.mask.shape)
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1) * mask.step_px
    assert (outlines.contain(centres).reshape(mask.mask.shape) == mask.mask).mean() > 0.999
    assert outlines.areas.sum() == pytest.approx(mask.area_um2, rel=0.02)


def test_a_sample_joins_others_and_replaces_none_unasked(section, tmp_path):
    plain = {"patches": False, "tissue": False}
    assert write(section, tmp_path, "hest", **plain) == tmp_path
    with pytest.raises(StorageError, match="overwrite"):
        write(section, tmp_path, "hest", **plain)
    second = write(section, tmp_path, "hest", sample="S2", **plain)
    assert second == tmp_path / "st/S2.h5ad"
    assert read("hest", second).name == "S2"
    assert read("hest", tmp_path, sample=section.name).n_obs == section.n_obs


def test_replacing_a_sample_leaves_nothing_of_the_old_one(section, tmp_path):
    write(section, tmp_path, "hest")
    write(section, tmp_path, "hest", overwrite=True, patches=False, tissue=False)
    assert {p.parent.name for p in tmp_path.rglob(f"{section.name}*")} == {"st", "wsis", "thumbnails", "metadata"}


def test_a_write_that_fails_lists_no_sample(section, tmp_path, monkeypatch):
    def full(*_args):
        msg = "no space"
        raise StorageError(msg)

    monkeypatch.setattr("histoscribe.io.hest_write._write_table", full)
    with pytest.raises(StorageError, match="no space"):
        write(section, tmp_path, "hest", patches=False, tissue=False)
    assert not list((tmp_path / "st").glob("*.h5ad"))


def test_a_sample_keeps_its_donor_title_and_licence(tree, tmp_path):
    source = tree("TENX147", dataset_title="COAD")  # labelled Patient 1, which is wrong
    section = read("hest", source)
    found = read("hest", write(section, tmp_path / "out", "hest", patches=False, tissue=False))
    assert found.donor == section.donor == "P5, COAD"
    row = json.loads((tmp_path / "out/metadata/TENX147.json").read_text())
    assert (row["patient"], row["dataset_title"], row["license"]) == ("P5", "COAD", "CC BY 4.0")


def test_a_donor_that_was_not_stated_stays_so(tree, tmp_path):
    section = read("hest", tree(patient=""))
    found = read("hest", write(section, tmp_path / "out", "hest", patches=False, tissue=False))
    assert found.table.uns["histoscribe"]["donor_stated"] is False


def test_library_sizes_over_more_genes_come_back(section, tmp_path):
    few = section.replace(table=section.table[:, :5].copy())
    found = read("hest", write(few, tmp_path, "hest", patches=False, tissue=False))
    np.testing.assert_array_equal(found.depth, section.depth)


def test_without_a_slide_expression_is_written(section, tmp_path):
    root = write(section.replace(slide=None), tmp_path, "hest")
    assert read("hest", root, image="none").n_obs == section.n_obs


def test_what_cannot_be_a_sample_is_refused(section, tmp_path):
    with pytest.raises(DataError, match="'a/b' cannot be the id"):
        write(section, tmp_path, "hest", sample="a/b")
    with pytest.raises(DataError, match="holds no counts"):
        write(section.blind(), tmp_path, "hest")
    write(section, tmp_path, "hest", patches=False, tissue=False)
    with pytest.raises(DataError, match="was read from .* which would be replaced"):
        write(read("hest", tmp_path), tmp_path, "hest", overwrite=True)
