import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from histoscribe.core.errors import CoordinateError, DataError, GeneError, ScaleError, SlideError
from histoscribe.io import detect_reader, read
from histoscribe.testing import check_reader
from histoscribe.tiles.check import check


def notes(section):
    return "; ".join(section.table.uns["histoscribe"]["notes"])


def test_a_sample_of_the_hub_reads_with_every_role(tree, made):
    section = read(None, tree())
    table = made.visium()
    assert (section.mpp, section.spot_um, section.pitch_um, section.platform) == (2.0, 55.0, 100.0, "visium")
    assert (section.name, section.donor, section.species) == ("NCBI1", "P1, Breast sections", "human")
    np.testing.assert_array_equal(section.xy, table.obsm["spatial"])
    # Its in_tissue is not reliable: spots with 0 stay.
    assert section.n_obs == 100
    np.testing.assert_array_equal(section.table.layers["counts"].toarray(), table.X[:, :2].toarray())
    assert section.table.uns["histoscribe"]["hest"]["license"] == "CC BY 4.0"
    assert section.slide.size == (600, 500)


def test_the_reader_keeps_its_contract(tree):
    check_reader("hest", tree())


def test_several_samples_ask_for_one_and_name_them(tree):
    tree("NCBI1")
    root = tree("TENX9")
    with pytest.raises(DataError, match=r"holds 2 HEST samples \(NCBI1, TENX9\). Choose one: sample=NCBI1"):
        read("hest", root)
    assert read("hest", root, sample="TENX9").name == "TENX9"
    assert read("hest", root / "st/TENX9.h5ad").name == "TENX9"
    with pytest.raises(DataError, match=r"no HEST sample 'TENX8' .*Did you mean 'TENX9'"):
        read("hest", root, sample="TENX8")


def test_a_folder_that_one_object_saved_is_read(tree, tmp_path):
    root, saved = tree(), tmp_path / "saved"
    saved.mkdir()
    shutil.copy(root / "st/NCBI1.h5ad", saved / "aligned_adata.h5ad")
    shutil.copy(root / "wsis/NCBI1.tif", saved / "aligned_fullres_HE.tif")
    shutil.copy(root / "metadata/NCBI1.json", saved / "metrics.json")
    assert detect_reader(saved) == "hest"
    section, hub = read(None, saved), read(None, root)
    np.testing.assert_array_equal(section.xy, hub.xy)
    assert (section.name, section.mpp, section.donor) == (hub.name, hub.mpp, hub.donor)


def test_metadata_come_from_the_table_where_a_sample_has_none_of_its_own(tree):
    root = tree()
    row = json.loads((root / "metadata/NCBI1.json").read_text())
    (root / "metadata/NCBI1.json").unlink()
    # The published table begins with a byte-order mark, in front of its first column's name.
    pd.DataFrame([{"id": "OTHER"}, row])[["dataset_title", *row.keys() - {"dataset_title"}]].to_csv(
        root / "HEST_v1_1_0.csv", index=False, encoding="utf-8-sig"
    )
    section = read("hest", root)
    assert (section.donor, section.mpp) == ("P1, Breast sections", 2.0)


def test_the_embedded_pixel_size_is_never_used(tree):
    section = read("hest", tree(pixel_size_um_embedded=0.25))
    assert section.mpp == 2.0
    assert "pixel_size_um_estimated says 2 um/px, which is used; pixel_size_um_embedded says 0.25" in notes(section)
    with pytest.raises(ScaleError, match=r"mpp=0\.25 was given, but pixel_size_um_estimated says 2 um/px"):
        read("hest", tree(pixel_size_um_embedded=0.25), mpp=0.25)


def test_an_array_that_contradicts_the_metadata_is_noted_and_lets_the_user_decide(tree):
    root = tree(pixel_size_um_estimated=1.5)
    section = read("hest", root)
    assert section.mpp == 1.5
    assert "geometry of the Visium array says 2" in notes(section)
    assert "the image file states 2 um/px, which is not used; 1.5 is" in notes(section)
    decided = read("hest", root, mpp=2.0)
    assert decided.mpp == 2.0
    assert "mpp=2 was given and is used in place of pixel_size_um_estimated (1.5 um/px)" in notes(decided)
    with pytest.raises(ScaleError, match=r"mpp=3 was given"):
        read("hest", root, mpp=3.0)


def test_without_an_estimate_the_array_decides_or_the_user_must(tree, made):
    section = read("hest", tree(pixel_size_um_estimated=None))
    assert section.mpp == pytest.approx(2.0)
    assert "um/px from the geometry of the Visium array" in notes(section)
    root = tree(technology="Xenium", table=made.square(100), pixel_size_um_estimated=None, pixel_size_um_embedded=2.0)
    with pytest.raises(ScaleError, match="has no um/px"):
        read("hest", root)
    assert read("hest", root, mpp=2.0).mpp == 2.0


@pytest.mark.parametrize(
    ("technology", "pitch", "platform"), [("Xenium", 100, "xenium"), ("Visium HD", 128, "visium-hd")]
)
def test_pooled_squares_have_the_size_that_they_were_pooled_to(tree, made, technology, pitch, platform):
    table = made.square(pitch)
    # Counted after empty bins were dropped, as HEST does: the array coordinates are shifted.
    table.obs["array_row"] = np.arange(table.n_obs) // 7
    root = tree(technology=technology, table=table, spot_diameter=2.0, inter_spot_dist=float("nan"))
    section = read("hest", root)
    assert (section.spot_um, section.pitch_um, section.platform) == (pitch, pitch, platform)


def test_squares_of_another_size_are_measured(tree, made):
    section = read("hest", tree(technology="Xenium", table=made.square(55)))
    assert (section.spot_um, section.pitch_um) == (55.0, 55.0)
    assert "observations are 55 um apart, not the usual 100" in notes(section)


def test_cells_are_not_taken_for_squares(tree, made):
    x, y = np.random.default_rng(0).uniform(50, 450, (2, 60))
    table = made.table(x, y, np.zeros(60, int), np.zeros(60, int), ["KRT8"])
    section = read("hest", tree(technology="Xenium", table=table, spot_diameter=10.0))
    assert (section.spot_um, section.pitch_um) == (10.0, None)
    assert "lie on no lattice" in notes(section)


def test_a_legacy_array_is_confirmed_by_the_spacing_that_it_states(tree, made):
    row, column = (v.ravel() for v in np.meshgrid(np.arange(7), np.arange(7), indexing="ij"))
    table = made.table(40 + 75.0 * column, 30 + 75.0 * row, row, column, ["KRT8"])
    facts = {"technology": "Spatial Transcriptomics", "spot_diameter": 110.0, "inter_spot_dist": 150.0}
    section = read("hest", tree(table=table, **facts))
    assert (section.spot_um, section.pitch_um, section.platform) == (110.0, 150.0, "st-array")
    assert "says" not in notes(section)
    wrong = read("hest", tree(table=table, **facts | {"inter_spot_dist": 200.0}))
    assert "geometry of the array of 200 um says 2.667" in notes(wrong)


@pytest.mark.parametrize("patient", ["", "  ", None])
def test_a_blank_patient_is_no_donor(tree, patient):
    section = read("hest", tree(patient=patient))
    assert section.donor == "NCBI1"
    assert section.table.uns["histoscribe"]["donor_stated"] is False
    assert read("hest", tree(patient=patient), donor="K1").donor == "K1"


def test_a_patient_is_one_person_only_within_a_data_set(tree):
    tree("NCBI1", dataset_title="Breast sections of long standing, first part of the study")
    root = tree("NCBI2", dataset_title="Breast sections of long standing, first part of another study")
    one, two = (read("hest", root, sample=s).donor for s in ("NCBI1", "NCBI2"))
    assert one != two
    assert one.startswith("P1, Breast sections of long standing, first")


@pytest.mark.parametrize(("sample", "patient"), [("TENX147", "P5"), ("TENX148", "P2"), ("TENX149", "P1")])
def test_known_mislabels_are_corrected(tree, sample, patient):
    section = read("hest", tree(sample, dataset_title="COAD"))
    assert section.donor == f"{patient}, COAD"
    corrected = "it is" in notes(section)
    assert corrected == (sample != "TENX149")  # the third one's label happens to be right


def test_a_section_that_is_there_twice_has_one_donor(tree):
    tree("TENX155", patient="P2")
    root = tree("TENX128", patient="")
    first, second = (read("hest", root, sample=s) for s in ("TENX155", "TENX128"))
    assert first.donor == second.donor == "P2, Breast sections"
    assert "the same section as TENX155 (HEST issue 126)" in notes(second)
    tree("TENX155", patient="")
    assert read("hest", root, sample="TENX155").donor == read("hest", root, sample="TENX128").donor == "TENX155"


def test_doubtful_samples_say_so(tree):
    root = tree("TENX114", pixel_size_um_estimated=0.2125)
    assert "the scale of TENX114 is doubtful" in notes(read("hest", root))
    # Its sources contradict each other, so either can be chosen.
    assert read("hest", root, mpp=0.1369).mpp == 0.1369
    assert "NCBI784: pseudo-spots are shifted" in notes(read("hest", tree("NCBI784"), sample="NCBI784"))


def test_controls_are_left_out_and_repeated_symbols_summed(tree, made):
    table = made.visium(genes=("KRT8", "ESR1", "BLANK_0001", "antisense_X"))
    table.var_names = ["KRT8", "KRT8", "BLANK_0001", "antisense_X"]
    section = read("hest", tree(table=table))
    assert list(section.table.var_names) == ["KRT8"]
    assert section.depth.tolist() == table.X[:, :2].toarray().sum(1).tolist()
    assert "2 blank and control features are left out; 1 columns repeat a gene's name" in notes(section)
    with pytest.raises(GeneError, match="all 2 features of the table are blanks or controls"):
        read("hest", tree(table=made.visium(genes=("BLANK_1", "NegControlCodeword_1"))))


def test_ensembl_ids_are_kept_and_told(tree, made):
    section = read("hest", tree(table=made.visium(genes=("ENSG00000170421", "ENSG00000091831"))))
    assert list(section.table.var_names) == ["ENSG00000170421", "ENSG00000091831"]
    assert "100% of the genes are named by Ensembl id" in notes(section)


def test_a_swapped_slot_is_corrected_by_the_named_columns(tree, made):
    table = made.visium()
    straight = table.obsm["spatial"].copy()
    straight[:, 0] += 50  # x reaches 555, more than the image is high
    table.obs["pxl_col_in_fullres"] += 50
    table.obsm["spatial"] = straight[:, ::-1].copy()
    section = read("hest", tree(table=table))
    np.testing.assert_array_equal(section.xy, straight)
    assert "obsm['spatial'] holds (y, x)" in notes(section)


def test_the_thumbnail_gives_the_same_places_in_um(tree):
    root = tree()
    (root / "thumbnails").mkdir()
    slide = read("hest", root)
    Image.fromarray(slide.slide.thumbnail(max_px=300)).save(root / "thumbnails/NCBI1_downscaled_fullres.jpeg")
    small = read("hest", root, image="thumbnail")
    assert (small.mpp, small.slide.size) == (4.0, (300, 250))
    np.testing.assert_allclose(small.xy_um, slide.xy_um)
    # The user's um/px is that of the image that is used.
    assert read("hest", root, image="thumbnail", mpp=4.0).mpp == 4.0


def test_without_a_slide_expression_alone_is_read_only_when_asked_for(tree):
    root = tree(slide=False)
    with pytest.raises(SlideError, match=r"no slide of sample 'NCBI1' .*image=thumbnail, image=<path>, or image=none"):
        read("hest", root)
    with pytest.raises(SlideError, match="has no thumbnail"):
        read("hest", root, image="thumbnail")
    section = read("hest", root, image="none")
    assert section.slide is None
    assert section.mpp == 2.0


def test_an_image_of_another_size_is_refused_with_its_scale(tree, made, tmp_path):
    root = tree()
    Image.fromarray(made.pixels()[::2, ::2]).save(tmp_path / "half.png")
    with pytest.raises(ScaleError, match=r"is 300 x 250 px, but the metadata say 600 x 500 px.* give scale=0\.5"):
        read("hest", root, image=str(tmp_path / "half.png"))
    assert read("hest", root, image=str(tmp_path / "half.png"), scale=0.5).mpp == 4.0
    tifffile.imwrite(tmp_path / "crop.tif", made.pixels()[:, :300], photometric="rgb")
    with pytest.raises(CoordinateError, match="another shape"):
        read("hest", root, image=str(tmp_path / "crop.tif"))


def test_damaged_metadata_are_one_clear_line(tree):
    root = tree()
    (root / "metadata/NCBI1.json").write_text('{"id": "NCBI1",')
    with pytest.raises(DataError, match=r"NCBI1.json is not valid JSON.*Download it again") as caught:
        read("hest", root)
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_swapped_columns_of_a_real_sample_are_noticed_and_can_be_corrected(shared_data, tmp_path):
    source = shared_data / "xenium_lung"
    for folder in ("st", "wsis", "metadata"):
        (tmp_path / folder).mkdir()
    shutil.copy(source / "NCBI858.h5ad", tmp_path / "st")
    image = np.asarray(Image.open(source / "NCBI858.jpg"))
    tifffile.imwrite(tmp_path / "wsis/NCBI858.tif", image, tile=(256, 256), photometric="rgb")
    row = json.loads((source / "NCBI858.json").read_text())
    row |= {"st_technology": "Xenium", "pixel_size_um_estimated": 0.85, "patient": " "}
    (tmp_path / "metadata/NCBI858.json").write_text(json.dumps(row))
    with pytest.raises(CoordinateError, match="They fit when x and y are swapped"):
        read(None, tmp_path)
    report = check(read("hest", tmp_path, outside="keep"))
    assert (report.verdict, report.suggestion.name) == ("wrong", "swap x and y")
    section = read("hest", tmp_path, coords="y_pixel,x_pixel")
    assert check(section).verdict == "ok"
    assert (section.n_obs, section.table.n_vars, section.donor) == (200, 338, "NCBI858")
