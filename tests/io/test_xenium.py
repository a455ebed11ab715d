import gzip
import json

import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError
from histoscribe.io import detect_reader, read

GENES = ("ACTB", "KRT8", "NegControlProbe_1")
KINDS = ["Gene Expression", "Gene Expression", "Negative Control Probe"]
PIXEL = 0.25


@pytest.fixture
def cells():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "cell_id": [f"aaaa{i:04d}-1" for i in range(30)],
            "x_centroid": rng.uniform(20, 280, 30),
            "y_centroid": rng.uniform(20, 180, 30),
            "transcript_counts": 7,
            "total_counts": 9,
            "cell_area": 50.0,
        }
    )


@pytest.fixture
def transcripts():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "feature_name": rng.choice([*GENES, "UnassignedCodeword_0001"], 400),
            "x_location": rng.uniform(0, 300, 400),
            "y_location": rng.uniform(0, 200, 400),
            "qv": rng.choice([12.0, 20.0, 40.0], 400),
        }
    )


@pytest.fixture
def xenium(tmp_path, made, cells, transcripts):
    def write(ids=str, tables="parquet", molecules=True, experiment=True):
        folder = tmp_path / "lung" / "outs"
        folder.mkdir(parents=True)
        counts = made.counts_of(cells["cell_id"], GENES).sample(frac=1, random_state=0)
        made.write_matrix_h5(folder / "cell_feature_matrix.h5", counts, kinds=KINDS)
        written = cells.assign(cell_id=[ids(i) for i in cells["cell_id"]])
        named = {"cells": written, **({"transcripts": transcripts} if molecules else {})}
        for name, table in named.items():
            if tables == "parquet":
                table.to_parquet(folder / f"{name}.parquet", index=False)
            elif tables == "plain":
                table.to_csv(folder / f"{name}.csv.gz", index=False, compression=None)
            else:
                table.to_csv(folder / f"{name}.csv.gz", index=False)
        if experiment:
            (folder / "experiment.xenium").write_text(json.dumps({"pixel_size": PIXEL}))
        return folder, counts

    return write


def notes_of(section):
    return " | ".join(section.table.uns["histoscribe"]["notes"])


@pytest.mark.parametrize(
    ("tables", "ids"), [("parquet", str), ("parquet", str.encode), ("csv.gz", str), ("plain", str)]
)
def test_cells_are_joined_by_their_ids_in_every_layout(xenium, cells, tables, ids):
    folder, counts = xenium(ids=ids, tables=tables)
    section = read(None, folder.parent)
    assert (section.platform, section.name, section.n_obs, section.slide) == ("xenium", "lung", 30, None)
    assert section.mpp == PIXEL
    expected = cells.set_index("cell_id").loc[section.table.obs_names]
    np.testing.assert_allclose(section.xy_um, expected[["x_centroid", "y_centroid"]])
    np.testing.assert_array_equal(
        section.table.layers["counts"].toarray(), counts.loc[section.table.obs_names, ["ACTB", "KRT8"]]
    )
    # The vendor's total counts controls; ours does not.
    assert section.depth.sum() == counts[["ACTB", "KRT8"]].to_numpy().sum()
    assert "1 features that are not gene expression are left out" in notes_of(section)


@pytest.mark.parametrize("tables", ["parquet", "csv.gz"])
def test_pseudo_spots_sum_good_transcripts_of_genes(xenium, transcripts, tables):
    folder, _ = xenium(tables=tables)
    section = read("xenium", folder, grid_um=100)
    good = transcripts[(transcripts["qv"] >= 20) & transcripts["feature_name"].isin(["ACTB", "KRT8"])]
    assert section.depth.sum() == len(good)
    row, column = section.table.obs[["array_row", "array_col"]].loc["001x002"]
    inside = good[(good["x_location"] // 100 == column) & (good["y_location"] // 100 == row)]
    counts = pd.DataFrame(section.table.layers["counts"].toarray(), section.table.obs_names, section.table.var_names)
    assert counts.loc["001x002"].to_dict() == inside["feature_name"].value_counts().to_dict()
    assert (section.spot_um, section.pitch_um, section.n_obs) == (100, 100, 6)
    np.testing.assert_allclose(section.xy_um[list(section.table.obs_names).index("001x002")], (250, 150))
    poor = int((transcripts["qv"] < 20).sum())
    assert f"{len(transcripts) - poor - len(good)} of controls, {poor} below quality 20" in notes_of(section)


def test_pseudo_spots_sum_cells_where_there_are_no_transcripts(xenium):
    folder, counts = xenium(molecules=False)
    section = read("xenium", folder, grid_um=100)
    assert section.depth.sum() == counts[["ACTB", "KRT8"]].to_numpy().sum()
    assert section.table.obs["n_cells"].sum() == 30
    assert "30 cells are summed on a grid of 100 um" in notes_of(section)
    with pytest.raises(DataError, match="no file of transcripts to sum. Give grid_from=cells"):
        read("xenium", folder, grid_um=100, grid_from="transcripts")


@pytest.fixture
def he(tmp_path, made):
    """An H&E image of 0.5 um/px, a quarter turn from the section and 15 px into it; and its matrix."""
    image = made.write_image(tmp_path / "he.png", 450, 650)
    # Morphology x = 2 * H&E y - 30 and y = 830 - 2 * H&E x.
    matrix = np.array([[0, 2.0, -30.0], [-2.0, 0, 830.0], [0, 0, 1]])
    return image, matrix


def test_cells_lie_on_an_aligned_image(xenium, cells, he, tmp_path):
    folder, _ = xenium()
    image, matrix = he
    np.savetxt(tmp_path / "he_imagealignment.csv", matrix, delimiter=",")
    section = read("xenium", folder, image=str(image))  # the file beside the image is found
    expected = cells.set_index("cell_id").loc[section.table.obs_names]
    x, y = expected["x_centroid"] / PIXEL, expected["y_centroid"] / PIXEL
    np.testing.assert_allclose(section.xy, np.column_stack([415 - y / 2, 15 + x / 2]))
    assert section.mpp == pytest.approx(0.5)
    assert "H&E placed by a 3 x 3 affine (he_imagealignment.csv)" in notes_of(section)
    assert read("xenium", folder, image=str(image), mpp=0.5).mpp == 0.5
    with pytest.raises(ScaleError, match=r"mpp=0\.25 was given, but the alignment says 0\.5"):
        read("xenium", folder, image=str(image), mpp=0.25)


def test_key_points_place_cells_where_the_matrix_does(xenium, he, tmp_path):
    folder, _ = xenium()
    image, matrix = he
    np.savetxt(tmp_path / "matrix.csv", matrix, delimiter=",")
    points = np.array([[10, 20], [400, 30], [200, 600], [50, 500]], dtype=float)
    fixed = points @ matrix[:2, :2].T + matrix[:2, 2]
    table = pd.DataFrame(np.column_stack([fixed, points]), columns=["fixedX", "fixedY", "alignmentX", "alignmentY"])
    table.to_csv(tmp_path / "points.csv", index=False)
    by_matrix, by_points = (
        read("xenium", folder, image=str(image), alignment=str(tmp_path / f"{n}.csv")) for n in ("matrix", "points")
    )
    np.testing.assert_allclose(by_points.xy, by_matrix.xy, atol=1e-6)
    assert by_points.mpp == pytest.approx(by_matrix.mpp)
    assert "4 key points, which it fits to 0.0 um" in notes_of(by_points)


def test_a_matrix_of_the_wrong_direction_puts_cells_outside_and_is_refused(xenium, he, tmp_path):
    folder, _ = xenium()
    image, matrix = he
    np.savetxt(tmp_path / "he_imagealignment.csv", np.linalg.inv(matrix), delimiter=",")
    with pytest.raises(CoordinateError, match="lie outside the 450 x 650 px image"):
        read("xenium", folder, image=str(image))


def test_an_image_without_alignment_is_refused_with_what_to_do(xenium, he):
    folder, _ = xenium()
    with pytest.raises(SlideError, match=r"no file says how he.png lies on the section. Give alignment=.*identity"):
        read("xenium", folder, image=str(he[0]))
    with pytest.raises(SlideError, match="alignment=x.csv places an H&E image, but none is given"):
        read("xenium", folder, alignment="x.csv")


def test_an_image_in_morphology_pixels_needs_no_matrix(xenium, made, tmp_path):
    folder, _ = xenium()
    image = made.write_image(tmp_path / "registered.png", 1200, 800)
    section = read("xenium", folder, image=str(image), alignment="identity")
    assert section.mpp == PIXEL
    np.testing.assert_allclose(section.xy, read("xenium", folder).xy)


@pytest.mark.parametrize("image", ["morphology", "elsewhere/morphology_focus_0000.ome.tif"])
def test_the_morphology_image_is_refused_as_fluorescence(xenium, image):
    folder, _ = xenium()
    with pytest.raises(SlideError, match=r"is fluorescence \(DAPI or a marker\), not H&E"):
        read("xenium", folder, image=image)


def test_without_experiment_file_the_pixel_size_is_stated_as_assumed(xenium):
    folder, _ = xenium(experiment=False)
    assert detect_reader(folder) == "xenium"
    section = read("xenium", folder)
    assert section.mpp == 0.2125
    assert "no experiment.xenium, so morphology px are taken to be 0.2125 um" in notes_of(section)


def test_missing_and_foreign_files_are_named(xenium, made):
    folder, _ = xenium()
    (folder / "cells.parquet").rename(folder / "other.parquet")
    with pytest.raises(DataError, match=r"has no cells.parquet. Copy it from the run"):
        read("xenium", folder)
    (folder / "experiment.xenium").unlink()
    with pytest.raises(
        DataError, match=r"has no cell_feature_matrix.h5 with cells.parquet .*it has cell_feature_matrix"
    ):
        read("xenium", folder)
    (folder / "other.parquet").rename(folder / "cells.parquet")
    (folder / "experiment.xenium").write_text("{}")
    with pytest.raises(ScaleError, match="states no pixel_size"):
        read("xenium", folder)
    (folder / "experiment.xenium").unlink()
    made.write_matrix_h5(folder / "cell_feature_matrix.h5", made.counts_of(["x-1", "y-1"], GENES), kinds=KINDS)
    with pytest.raises(DataError, match=r"no cell of cell_feature_matrix.h5 \(e.g. x-1\) is in cells.parquet"):
        read("xenium", folder)


def test_damaged_tables_are_one_clear_line(xenium):
    folder, _ = xenium(tables="csv.gz")
    path = folder / "transcripts.csv.gz"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"transcripts .* cannot be read") as caught:
        read("xenium", folder, grid_um=50)
    assert "\n" not in str(caught.value)
    pd.DataFrame({"feature_name": ["ACTB"], "x": [1.0]}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"transcripts .*x_location"):
        read("xenium", folder, grid_um=50)
    path = folder / "cells.csv.gz"
    path.write_bytes(gzip.compress(b"cell_id,x_centroid\naaaa0000-1,3\n"))
    with pytest.raises(DataError, match=r"cells .*lacks the column\(s\) y_centroid"):
        read("xenium", folder)
