import gzip

import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import DataError, GeneError, ScaleError, SlideError
from histoscribe.io import read


def spots_of(root, section="C2"):
    path = root / "data" / "ST-spotfiles" / f"{section}_selection.tsv"
    return path, pd.read_csv(path, sep="\t")


def counts_path(root, section="C2"):
    return root / "data" / "ST-cnts" / f"{section}.tsv.gz"


def test_counts_positions_and_scale_come_from_the_three_files(her2st):
    section = read("st-array", her2st(), section="C2")
    spots = spots_of(her2st())[1]
    assert section.n_obs == 48
    assert section.mpp == pytest.approx(200 / 50)
    assert (section.pitch_um, section.spot_um) == (200.0, 100.0)
    # The join is by f"{x}x{y}", and the pixel columns are x right, y down.
    spot = spots.iloc[13]
    i = list(section.table.obs_names).index(f"{spot.x:.0f}x{spot.y:.0f}")
    assert section.xy[i].tolist() == [spot.pixel_x, spot.pixel_y]
    assert section.table.obs[["array_col", "array_row"]].iloc[i].tolist() == [spot.x, spot.y]
    counts = section.table.layers["counts"]
    assert counts.dtype.kind == "i"
    assert counts.format == "csr"
    assert section.depth.tolist() == np.asarray(counts.sum(1)).ravel().tolist()


def test_donor_of_the_her2st_tree_is_the_letter_of_the_section(her2st):
    section = read("st-array", her2st() / "data", section="C2")
    assert section.donor == "C"
    assert read("st-array", her2st(), section="C2", donor="P3").donor == "P3"


def test_rows_of_counts_keep_their_spot_whatever_their_order(her2st):
    straight = read("st-array", root := her2st(), section="C2")
    table = pd.read_csv(counts_path(root), sep="\t", index_col=0)
    table.iloc[::-1].to_csv(counts_path(root), sep="\t")
    turned = read("st-array", root, section="C2")
    same = straight.table[turned.table.obs_names].layers["counts"]
    assert (same != turned.table.layers["counts"]).nnz == 0


def test_selected_spots_without_counts_are_dropped_and_counted(her2st):
    section = read("st-array", her2st(drop=3), section="C2")
    assert section.n_obs == 45
    assert "3 selected spots have no counts and are left out" in section.table.uns["histoscribe"]["notes"]


def test_a_spot_of_total_count_zero_is_kept(her2st):
    root = her2st()
    table = pd.read_csv(counts_path(root), sep="\t", index_col=0)
    table.iloc[5] = 0
    table.to_csv(counts_path(root), sep="\t")
    section = read("st-array", root, section="C2")
    assert section.n_obs == 48
    assert (section.depth == 0).sum() == 1


def test_table_with_spots_in_columns_is_turned(her2st):
    root = her2st()
    straight = read("st-array", root, section="C2")
    table = pd.read_csv(counts_path(root), sep="\t", index_col=0)
    table.T.to_csv(counts_path(root), sep="\t")
    assert (read("st-array", root, section="C2").table.layers["counts"] != straight.table.layers["counts"]).nnz == 0


def test_single_files_are_read_with_a_spot_file(her2st):
    root = her2st()
    section = read("st-array", counts_path(root), spots=str(spots_of(root)[0]), image="none")
    assert section.slide is None
    assert section.name == "C2"
    with pytest.raises(DataError, match="without spot positions. Give spots="):
        read("st-array", counts_path(root))


def test_a_resized_image_scales_positions_and_resolution(her2st):
    root = her2st()
    image = root / "data" / "ST-imgs" / "C" / "C2" / "scan.jpg"
    full, small = (read("st-array", root, section="C2", image=str(image), scale=s) for s in (1.0, 0.5))
    np.testing.assert_allclose(small.xy, full.xy / 2)
    assert small.mpp == pytest.approx(2 * full.mpp)


def test_axes_that_disagree_are_refused(her2st):
    path, spots = spots_of(root := her2st())
    spots["pixel_y"] *= 1.06
    spots.to_csv(path, sep="\t", index=False)
    with pytest.raises(ScaleError, match=r"axes of the ST 1k array disagree, 3\.774 and 4 um/px.*mpp="):
        read("st-array", root, section="C2")
    assert read("st-array", root, section="C2", mpp=3.9).mpp == 3.9


def test_a_stated_scale_that_contradicts_the_array_is_refused_with_both_numbers(her2st):
    with pytest.raises(ScaleError, match=r"mpp=0\.7 was given, but the ST 1k array says 4 um/px"):
        read("st-array", her2st(), section="C2", mpp=0.7)


def test_a_stated_scale_within_five_percent_is_used(her2st):
    assert read("st-array", her2st(), section="C2", mpp=4.1).mpp == 4.1


def test_too_few_spots_to_know_the_array_need_a_scale(her2st):
    path, spots = spots_of(root := her2st())
    spots.iloc[:10].to_csv(path, sep="\t", index=False)
    with pytest.raises(ScaleError, match="10 spots do not tell a 1k array"):
        read("st-array", root, section="C2")
    assert read("st-array", root, section="C2", mpp=4.0).n_obs == 10


def test_bulb_folder_keeps_selected_spots_and_finds_the_staggered_array(bulb):
    section = read(None, bulb())
    assert section.n_obs == 96  # 3 of 4 of 128
    assert section.mpp == pytest.approx(20.0)
    assert section.pitch_um == pytest.approx(142.9)
    assert section.donor == "7"
    assert section.species == "mouse"


def test_ids_that_share_a_symbol_are_summed_and_others_kept(bulb):
    root = bulb()
    section = read("st-array", root, section="MOB1")
    raw = pd.read_csv(root / "MOB1.tsv.gz", sep="\t", index_col=0).loc[list(section.table.obs_names)]
    assert list(section.table.var_names) == ["Actb", "ENSMUSG00000000003.1"]
    summed = section.table.layers["counts"].toarray()
    assert (summed[:, 0] == raw.iloc[:, :2].sum(axis=1)).all()
    assert (section.depth == raw.sum(axis=1)).all()
    assert any("1 ids share a symbol" in n for n in section.table.uns["histoscribe"]["notes"])


def test_unknown_section_lists_what_there_is(her2st):
    with pytest.raises(DataError, match=r"has no section 'D9': C2\. Give section="):
        read("st-array", her2st(), section="D9")


def test_missing_image_is_named(her2st):
    with pytest.raises(SlideError, match="no image lies beside .*image=none"):
        read("st-array", her2st(image=False), section="C2")
    with pytest.raises(SlideError, match=r"image nowhere.jpg does not exist"):
        read("st-array", her2st(image=False), section="C2", image="nowhere.jpg")


def test_missing_spot_file_is_named(her2st):
    path, _ = spots_of(root := her2st())
    path.unlink()
    with pytest.raises(DataError, match=r"spot file .*C2_selection.tsv does not exist"):
        read("st-array", root, section="C2")


def test_truncated_gzip_is_one_clear_line(her2st):
    path = counts_path(root := her2st())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"count table .* cannot be read.*truncated") as caught:
        read("st-array", root, section="C2")
    assert "\n" not in str(caught.value)
    assert "while reading" in caught.value.__notes__[0]


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_truncated_text_is_refused_not_filled(her2st, cut):
    path = counts_path(root := her2st())
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[-1] = "\t".join(lines[-1].split("\t")[:-cut])
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(DataError, match="truncated"):
        read("st-array", root, section="C2")


@pytest.mark.parametrize(
    ("value", "kind"), [(-1, "negative"), (0.5, "fractional"), ("NaN", "NaN or infinite"), ("inf", "NaN or infinite")]
)
def test_values_that_are_no_counts_are_refused_with_their_place(her2st, value, kind):
    path = counts_path(root := her2st())
    table = pd.read_csv(path, sep="\t", index_col=0).astype(object)
    table.iloc[7, 2] = value
    table.to_csv(path, sep="\t")
    with pytest.raises(DataError, match=rf"1 {kind} values.*observation {table.index[7]}, gene KRT8"):
        read("st-array", root, section="C2")


def test_text_among_counts_is_refused_with_its_line(her2st):
    path = counts_path(root := her2st())
    table = pd.read_csv(path, sep="\t", index_col=0).astype(object)
    table.iloc[0, 0] = "many"
    table.to_csv(path, sep="\t")
    with pytest.raises(DataError, match=r"line 2: could not convert string to float: 'many'"):
        read("st-array", root, section="C2")


def test_duplicate_genes_are_refused(her2st):
    path = counts_path(root := her2st())
    table = pd.read_csv(path, sep="\t", index_col=0)
    table.columns = ["ACTB", "ACTB", "KRT8", "MT-CO1"]
    table.to_csv(path, sep="\t")
    with pytest.raises(GeneError, match=r"names 1 gene\(s\) more than once \(ACTB\)"):
        read("st-array", root, section="C2")


def test_duplicate_spots_are_refused_in_either_file(her2st):
    path, spots = spots_of(root := her2st())
    pd.concat([spots, spots.iloc[:1]]).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=r"spot file .* names 1 spot\(s\) more than once \(2x3\)"):
        read("st-array", root, section="C2")
    spots.to_csv(path, sep="\t", index=False)
    table = pd.read_csv(counts_path(root), sep="\t", index_col=0)
    pd.concat([table, table.iloc[:1]]).to_csv(counts_path(root), sep="\t")
    with pytest.raises(DataError, match=r"count table .* names 1 spot\(s\) more than once"):
        read("st-array", root, section="C2")


def test_spot_file_of_another_section_is_refused(her2st):
    path, spots = spots_of(root := her2st())
    spots["x"] += 50
    spots.to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=r"no spot of .* \(e.g. 52x3\) has a row in .* \(e.g. 2x3\)"):
        read("st-array", root, section="C2")


def test_spot_file_without_a_column_says_which(her2st):
    path, spots = spots_of(root := her2st())
    spots.drop(columns="pixel_y").to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=r"lacks the column\(s\) pixel_y"):
        read("st-array", root, section="C2")


def test_empty_counts_are_refused(her2st):
    path = counts_path(root := her2st())
    table = pd.read_csv(path, sep="\t", index_col=0)
    (table * 0).to_csv(path, sep="\t")
    with pytest.raises(DataError, match=r"holds no counts \(48 observations x 4 genes\)"):
        read("st-array", root, section="C2")
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="truncated or damaged"):
        read("st-array", root, section="C2")
