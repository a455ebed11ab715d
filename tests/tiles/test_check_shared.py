"""The check on real sections: right ones are not accused, wrong ones are found out."""

import gzip

import numpy as np
import pytest

from histoscribe.io import read, read_spec
from histoscribe.tiles.check import check

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """Sections by name, each read once."""

    def brain(name):
        path = tmp_path_factory.mktemp("brain") / f"{name}.h5ad"
        path.write_bytes(gzip.decompress((shared_data / f"dlpfc/{name}.h5ad.gz").read_bytes()))
        lowres = shared_data / f"dlpfc/10X/{name}/tissue_lowres_image.png"
        return read("h5ad", path, image=str(lowres), coords="imagecol,imagerow")

    kidney = shared_data / "visium_hd_kidney"
    dzi = kidney / "upstream/Visium_HD_Human_Kidney_FFPE/pyramid_images/cells.dzi"
    png = shared_data / "her2st/app/www/imgs/A1_HE_image_dark.png"
    return {
        "A1": read("st-array", shared_data / "her2st", section="A1", image=str(png), scale=2000 / 6954),
        "MOB1": read("st-array", shared_data / "mob_st2k", section="MOB1"),
        "MOB2": read("st-array", shared_data / "mob_st2k", section="MOB2"),
        "MOB3": read("st-array", shared_data / "mob_st2k", section="MOB3"),
        "MOB4": read("st-array", shared_data / "mob_st2k", section="MOB4"),
        "embryo": read("visium", shared_data / "readers/visium_cytassist_mouse_embryo"),
        "brain": brain(151673),
        "brain 2": brain(151674),
        "kidney": read(
            *("h5ad", kidney / "derived/section_064um_700genes.h5ad"),
            image=str(dzi),
            mpp=2.0068,
            spot_um=64.0,
            depth="total_umi_all_genes",
        ),
    }


NAMES = ["A1", "MOB1", "MOB2", "MOB3", "MOB4", "embryo", "brain", "brain 2", "kidney"]


def placed(section, xy, mpp=None):
    table = section.table.copy()
    table.obsm["spatial"] = xy
    return section.replace(table=table, mpp=mpp or section.mpp)


@pytest.mark.parametrize("name", NAMES)
def test_right_sections_are_confirmed(real, name):
    report = check(real[name])
    assert report.verdict == "ok", report.reason
    assert report.recorded.z > 5


@pytest.mark.parametrize("name", ["A1", "MOB1", "MOB3", "embryo", "brain"])
def test_swaps_and_flips_are_named(real, name):
    section = real[name]
    (width, height), (x, y) = section.slide.size, section.xy.T
    wrong = {
        "swap x and y": np.column_stack([y, x]),
        "flip x": np.column_stack([width - x, y]),
        "flip y": np.column_stack([x, height - y]),
    }
    found = {change: check(placed(section, xy)).suggestion for change, xy in wrong.items()}
    assert {change: s and s.name for change, s in found.items()} == {change: change for change in wrong}


def test_a_flip_is_named_where_every_mirror_image_lies_on_tissue(real):
    section = real["kidney"]
    x, y = section.xy.T
    report = check(placed(section, np.column_stack([section.slide.size[0] - x, y])))
    assert report.share_on_tissue > 0.95
    assert report.suggestion.name == "flip x"


@pytest.mark.parametrize("name", ["A1", "MOB1", "embryo"])
@pytest.mark.parametrize("factor", [0.15, 6.67])
def test_coordinates_of_another_resolution_are_named(real, name, factor):
    section = real[name]
    report = check(placed(section, section.xy * factor))
    assert report.verdict == "wrong"
    assert report.suggestion.transformation.scale == pytest.approx(1 / factor, rel=0.01)


def test_swapped_columns_of_the_lung_are_noticed(shared_data):
    root = shared_data / "xenium_lung"
    section = read_spec(f"h5ad:{root}/NCBI858.h5ad?image={root}/NCBI858.jpg&mpp=2&outside=keep")
    report = check(section)
    assert report.verdict == "wrong"
    assert report.suggestion.name == "swap x and y"
    assert report.suggestion.share > report.share_on_tissue + 0.1
    assert check(report.apply(section)).verdict == "ok"


@pytest.mark.parametrize("name", ["C3"])
def test_her2st_full_resolution_is_confirmed(shared_data, name):
    section = read("st-array", shared_data / "her2st", section=name)
    report = check(section)
    section.slide.close()
    assert report.verdict == "ok"


def test_an_image_cut_out_elsewhere_is_not_confirmed(shared_data):
    # A2's PNG is shifted against its spot file, as an overlay shows: 23 % of the spots lie on black.
    png = shared_data / "her2st/app/www/imgs/A2_HE_image_dark.png"
    report = check(read("st-array", shared_data / "her2st", section="A2", image=str(png), scale=2000 / 6966))
    assert report.verdict != "ok"
    assert report.share_on_tissue < 0.8


def test_too_few_spots_are_neither_confirmed_nor_accused(shared_data):
    for name in ("section1", "section2"):
        report = check(read("visium", shared_data / "readers/visiumio_extdata/10xVisium" / name))
        assert (report.verdict, report.suggestion) == ("cannot tell", None)


def test_an_image_without_tissue_is_refused(shared_data):
    # The hires image of this folder is empty; its lowres image is a brain, on which 100 spots prove nothing.
    folder = shared_data / "readers/squidpy_test"
    report = check(read("visium", folder))
    assert report.verdict == "wrong"
    assert "no stained tissue was found" in report.problems[0]
    assert check(read("visium", folder, image="lowres")).verdict == "cannot tell"
