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
    brain = tmp_path_factory.mktemp("brain") / "151673.h5ad"
    brain.write_bytes(gzip.decompress((shared_data / "dlpfc/151673.h5ad.gz").read_bytes()))
    lowres = shared_data / "dlpfc/10X/151673/tissue_lowres_image.png"
    kidney = shared_data / "visium_hd_kidney"
    dzi = kidney / "upstream/Visium_HD_Human_Kidney_FFPE/pyramid_images/cells.dzi"
    png = shared_data / "her2st/app/www/imgs/A1_HE_image_dark.png"
    return {
        "A1": read("st-array", shared_data / "her2st", section="A1", image=str(png), scale=2000 / 6954),
        "MOB1": read("st-array", shared_data / "mob_st2k", section="MOB1"),
        "MOB3": read("st-array", shared_data / "mob_st2k", section="MOB3"),
        "embryo": read("visium", shared_data / "readers/visium_cytassist_mouse_embryo"),
        "brain": read("h5ad", brain, image=str(lowres), coords="imagecol,imagerow"),
        "kidney": read(
            *("h5ad", kidney / "derived/section_064um_700genes.h5ad"),
            image=str(dzi),
            mpp=2.0068,
            spot_um=64.0,
            depth="total_umi_all_genes",
        ),
    }


NAMES = ["A1", "MOB1", "MOB3", "embryo", "brain", "kidney"]


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


def test_her2st_full_resolution_is_confirmed(shared_data):
    section = read("st-array", shared_data / "her2st", section="C3")
    report = check(section)
    section.slide.close()
    assert report.verdict == "ok"
