import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import DataError
from histoscribe.io import detect_reader, read

GENES = ("Chrna4", "Aph1b/c", "NegPrb1", "SystemControl2", "Negr1")


@pytest.fixture
def cosmx(tmp_path, made):
    def write(compress=False, fields=False):
        folder = tmp_path / "slide"
        folder.mkdir()
        # cell_ID starts anew in each field of view; 0 is what lies outside cells.
        keys = [(f, c) for f in (1, 2) for c in range(5)]
        counts = made.counts_of([f"{f}_{c}" for f, c in keys], GENES)
        table = pd.DataFrame(keys, columns=["fov", "cell_ID"]).join(counts.reset_index(drop=True))
        about = pd.DataFrame([k for k in keys if k[1]], columns=["fov", "cell_ID"])
        about["CenterX_global_px"] = 100_000.0 * about["fov"] + 1000 * about["cell_ID"]
        about["CenterY_global_px"] = 5000.0 - 500 * about["cell_ID"]
        end = ".csv.gz" if compress else ".csv"
        table.to_csv(folder / f"Run1_exprMat_file{end}", index=False)
        about.sample(frac=1, random_state=0).to_csv(folder / f"Run1_metadata_file{end}", index=False)
        if fields:
            text = "FOV,x_global_px,y_global_px,x_global_mm,y_global_mm\n1,0,0,0,0\n2,4000,3000,0.72,0.54\n"
            (folder / "Run1_fov_positions_file.csv").write_text(text)
        return folder, counts, about

    return write


def notes_of(section):
    return " | ".join(section.table.uns["histoscribe"]["notes"])


@pytest.mark.parametrize("compress", [False, True])
def test_cells_are_joined_by_field_of_view_and_number(cosmx, compress):
    folder, counts, about = cosmx(compress)
    assert detect_reader(folder) == "cosmx"
    section = read(None, folder)
    assert list(section.table.obs_names) == [f"{f}_{c}" for f in (1, 2) for c in range(1, 5)]
    # Negr1 is a gene whose name begins like that of a control.
    assert list(section.table.var_names) == ["Chrna4", "Aph1b/c", "Negr1"]
    np.testing.assert_array_equal(
        section.table.layers["counts"].toarray(), counts.loc[section.table.obs_names, ["Chrna4", "Aph1b/c", "Negr1"]]
    )
    np.testing.assert_allclose(section.xy, about[["CenterX_global_px", "CenterY_global_px"]])
    assert section.mpp == pytest.approx(0.12028)
    controls = counts[["NegPrb1", "SystemControl2"]].to_numpy().sum()
    assert f"2 control features (negative probes) with {controls} counts are left out" in notes_of(section)
    assert "2 rows of molecules outside cells (cell_ID 0) are left out" in notes_of(section)
    assert "0.12028 um, the instrument's" in notes_of(section)


def test_the_scale_comes_from_the_fields_of_view_or_from_the_user(cosmx):
    folder, _, _ = cosmx(fields=True)
    section = read("cosmx", folder)
    # 5000 px are 0.9 mm.
    assert section.mpp == pytest.approx(0.18)
    assert "0.18 um per global px, from px and mm of Run1_fov_positions_file.csv" in notes_of(section)
    assert read("cosmx", folder, px_um=0.2).mpp == pytest.approx(0.2)


def test_pseudo_spots_from_cells_and_molecules(cosmx):
    folder, counts, about = cosmx()
    section = read("cosmx", folder, grid_um=200, px_um=0.1)
    assert (
        section.depth.sum()
        == counts.loc[[n for n in counts.index if n[-1] != "0"], ["Chrna4", "Aph1b/c", "Negr1"]].to_numpy().sum()
    )
    assert section.table.obs["n_cells"].sum() == len(about)
    molecules = "fov,cell_ID,x_global_px,y_global_px,target\n1,0,50,60,Negr1\n1,1,2050,60,Negr1\n1,1,50,60,NegPrb1\n"
    (folder / "Run1_tx_file.csv").write_text(molecules)
    section = read("cosmx", folder, grid_um=200, px_um=0.1)
    np.testing.assert_array_equal(section.table.layers["counts"].toarray(), [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(section.xy_um, [[100, 100], [300, 100]])


def test_missing_files_and_columns_are_named(cosmx):
    folder, _, _ = cosmx()
    path = folder / "Run1_metadata_file.csv"
    text = path.read_text()
    path.write_text(text.replace("CenterX_global_px", "x"))
    with pytest.raises(DataError, match=r"metadata .* lacks the column\(s\) CenterX_global_px"):
        read("cosmx", folder)
    path.write_text(text.replace("cell_ID", "cell"))
    with pytest.raises(DataError, match=r"lacks the column\(s\) cell_ID"):
        read("cosmx", folder)
    path.unlink()
    with pytest.raises(DataError, match=r"has no \*metadata_file.csv \(it has Run1_exprMat_file.csv"):
        read("cosmx", folder)
