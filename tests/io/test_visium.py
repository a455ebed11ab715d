import gzip
import json

import h5py
import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import CoordinateError, DataError, GeneError, ScaleError, SlideError
from histoscribe.io import read


@pytest.mark.parametrize("version", [1, 2, "parquet"])
@pytest.mark.parametrize("matrix", ["h5", "mtx", "mtx.gz"])
def test_every_space_ranger_layout_gives_the_same_section(space_ranger, version, matrix):
    outs = space_ranger(version=version, matrix=matrix)
    section = read("visium", outs, image=str(outs.parents[1] / "full.png"))
    assert section.n_obs == 112  # 140 staggered spots, of which every fifth is off the tissue
    assert section.mpp == pytest.approx(10.0)
    assert (section.pitch_um, section.spot_um, section.name, section.species) == (100.0, 55.0, "sample7", "human")
    first = section.table.obs.iloc[0]
    assert section.xy[0].tolist() == pytest.approx([30 + first.array_col * 5, 40 + first.array_row * 8.7])
    assert section.depth.sum() == section.table.layers["counts"].sum()


@pytest.mark.parametrize(("image", "scale"), [("hires", 0.5), ("lowres", 0.3)])
def test_positions_and_resolution_follow_the_image_that_is_used(space_ranger, image, scale):
    outs = space_ranger()
    full = read("visium", outs, image=str(outs.parents[1] / "full.png"))
    small = read("visium", outs, image=image)
    np.testing.assert_allclose(small.xy, full.xy * scale)
    assert small.mpp == pytest.approx(full.mpp / scale)
    # One spot is as many um wide in either.
    np.testing.assert_allclose(small.xy_um, full.xy_um)


def test_a_path_to_the_hires_image_is_recognised_as_such(space_ranger):
    outs = space_ranger()
    named = read("visium", outs, image=str(outs / "spatial" / "tissue_hires_image.png"))
    assert named.mpp == pytest.approx(20.0)


def test_without_a_choice_hires_is_used_and_noted(space_ranger):
    section = read("visium", space_ranger().parent)
    assert section.mpp == pytest.approx(20.0)
    assert any("the hires image is used" in n for n in section.table.uns["histoscribe"]["notes"])
    assert any("no donor was stated" in n for n in section.table.uns["histoscribe"]["notes"])


def test_hires_taken_for_full_resolution_is_refused(space_ranger, tmp_path):
    outs = space_ranger()
    copy = tmp_path / "copy.png"
    copy.write_bytes((outs / "spatial" / "tissue_lowres_image.png").read_bytes())
    # Spots reach y = 153 of the full resolution.
    with pytest.raises(CoordinateError, match=r"observations lie outside the 144 x 120 px image .*histoscribe check"):
        read("visium", outs, image=str(copy))


def test_spots_off_tissue_are_kept_on_request(space_ranger):
    section = read("visium", space_ranger(), in_tissue="false")
    assert section.n_obs == 140


def test_turned_and_mirrored_arrays_give_the_same_scale(space_ranger, made):
    table = made.visium_positions()
    x, y = table["pxl_col_in_fullres"].copy(), table["pxl_row_in_fullres"].copy()
    table["pxl_col_in_fullres"], table["pxl_row_in_fullres"] = 300 - y, x + 10
    assert read("visium", space_ranger(positions=table)).mpp == pytest.approx(20.0)


def test_scale_factors_of_another_image_are_refused(space_ranger):
    with pytest.raises(ScaleError, match=r"positions say 10 um/px, scalefactors_json.json 20"):
        read("visium", space_ranger(factors={"fiducial_diameter_fullres": 5.25}))


def test_a_scale_factor_above_one_is_refused(space_ranger):
    with pytest.raises(ScaleError, match="tissue_hires_scalef is 5.0, not between 0 and 1"):
        read("visium", space_ranger(factors={"tissue_hires_scalef": 5.0}))


def test_a_contradicting_scale_is_refused(space_ranger):
    with pytest.raises(ScaleError, match=r"mpp=0\.5 was given, but the Visium array says 20 um/px"):
        read("visium", space_ranger(), mpp="0.5")


def test_a_folder_of_hd_bins_is_sent_to_its_own_reader(space_ranger):
    outs = space_ranger(factors={"bin_size_um": 8.0, "microns_per_pixel": 10.0})
    with pytest.raises(DataError, match=r"holds bins of Visium HD, not spots. Read it as visium-hd:"):
        read("visium", outs)


def test_symbols_shared_by_several_ids_are_summed(space_ranger, made):
    names = made.visium_positions()["barcode"]
    counts = made.counts_of(names, ("TBCE", "KRT8", "TBCE"))
    section = read("visium", space_ranger(counts=counts))
    assert list(section.table.var_names) == ["TBCE", "KRT8"]
    assert section.table.var["gene_ids"].tolist() == ["ENSG00000000000;ENSG00000000002", "ENSG00000000001"]
    assert section.depth.sum() == counts.loc[list(section.table.obs_names)].to_numpy().sum()


def test_features_that_are_no_genes_are_left_out(space_ranger):
    outs = space_ranger()
    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        del file["matrix/features/feature_type"]
        file["matrix/features/feature_type"] = np.array([b"Gene Expression"] * 3 + [b"Antibody Capture"])
    assert read("visium", outs).table.n_vars == 3


def test_plain_text_under_a_gz_name_is_read(space_ranger):
    outs = space_ranger(matrix="mtx.gz")
    for path in (outs / "filtered_feature_bc_matrix").iterdir():
        path.write_bytes(gzip.decompress(path.read_bytes()))
    assert read("visium", outs).n_obs == 112


def test_missing_files_are_named(space_ranger):
    outs = space_ranger()
    matrix = outs / "filtered_feature_bc_matrix.h5"
    matrix.rename(outs / "elsewhere.h5")
    with pytest.raises(DataError, match=r"has no filtered_feature_bc_matrix.h5 .*it has elsewhere.h5"):
        read("visium", outs)
    assert read("visium", outs, matrix=str(outs / "elsewhere.h5")).n_obs == 112
    (outs / "elsewhere.h5").rename(matrix)
    (outs / "spatial" / "tissue_hires_image.png").unlink()
    with pytest.raises(SlideError, match=r"image .*tissue_hires_image.png does not exist"):
        read("visium", outs, image="hires")
    (outs / "spatial" / "tissue_positions.csv").unlink()
    with pytest.raises(DataError, match="has no tissue_positions file"):
        read("visium", outs)
    (outs / "spatial" / "scalefactors_json.json").unlink()
    with pytest.raises(DataError, match="tissue_positions|scale factors"):
        read("visium", outs)


def test_truncated_matrix_is_one_clear_line(space_ranger):
    path = space_ranger() / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"feature-barcode matrix .* cannot be read.*truncated") as caught:
        read("visium", path.parent)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["matrix.mtx", "barcodes.tsv", "features.tsv"])
def test_truncated_or_missing_parts_of_a_matrix_folder_are_named(space_ranger, name):
    outs = space_ranger(matrix="mtx")
    path = outs / "filtered_feature_bc_matrix" / name
    text = path.read_text()
    path.write_text(text[: len(text) // 2].rpartition("\n")[0] + "\n")
    with pytest.raises(DataError, match="truncated"):
        read("visium", outs)
    path.unlink()
    with pytest.raises(DataError, match=rf"lacks {name}"):
        read("visium", outs)


def test_truncated_positions_are_refused(space_ranger):
    path = space_ranger() / "spatial" / "tissue_positions.csv"
    text = path.read_text()
    path.write_text(text[: len(text) // 2].rpartition(",")[0])
    with pytest.raises(DataError, match="truncated|rows hold values that are not numbers"):
        read("visium", path.parents[1])
    path.write_text("")
    with pytest.raises(DataError, match="is empty"):
        read("visium", path.parents[1])


@pytest.mark.parametrize(("value", "kind"), [(-2.0, "negative"), (1.5, "fractional"), (float("nan"), "NaN")])
def test_values_that_are_no_counts_are_refused(space_ranger, value, kind):
    outs = space_ranger()
    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        data = file["matrix/data"][:].astype(float)
        data[5] = value
        del file["matrix/data"]
        file["matrix/data"] = data
    with pytest.raises(DataError, match=f"1 {kind}"):
        read("visium", outs)


def test_duplicates_are_refused(space_ranger):
    outs = space_ranger()
    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        ids = file["matrix/features/id"]
        ids[1] = ids[0]
    with pytest.raises(GeneError, match=r"1 gene\(s\) more than once \(ENSG00000000000\)"):
        read("visium", outs)
    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        barcodes = file["matrix/barcodes"]
        barcodes[1] = barcodes[0]
    with pytest.raises(DataError, match=r"1 barcode\(s\) more than once"):
        read("visium", outs)


def test_barcodes_that_share_nothing_with_the_positions_are_refused(space_ranger):
    outs = space_ranger()
    path = outs / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path)
    table["barcode"] = table["barcode"].str.replace("-1", "-2")
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"no barcode of the matrix \(e.g. AA000000-1\) is in the positions \(e.g. AA"):
        read("visium", outs)


def test_no_spot_under_tissue_says_how_to_keep_them(space_ranger):
    outs = space_ranger()
    path = outs / "spatial" / "tissue_positions.csv"
    pd.read_csv(path).assign(in_tissue=0).to_csv(path, index=False)
    with pytest.raises(DataError, match="in_tissue=false"):
        read("visium", outs)


def test_broken_scale_factors_are_named(space_ranger):
    path = space_ranger() / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps({"tissue_hires_scalef": 0.5})[:-4])
    with pytest.raises(DataError, match="not valid JSON"):
        read("visium", path.parents[1])
