import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.io._alignment import read_alignment

ANGLE = np.radians(30)
#: H&E px to frame px: 2 frame px per H&E px, turned, shifted, and mirrored.
MATRIX = np.array(
    [
        [2 * np.cos(ANGLE), 2 * np.sin(ANGLE), 100.0],
        [2 * np.sin(ANGLE), -2 * np.cos(ANGLE), -40.0],
        [0, 0, 1],
    ]
)


def keypoints(n=6, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 500, (n, 2))
    fixed = image @ MATRIX[:2, :2].T + MATRIX[:2, 2]
    image = image + rng.normal(0, noise, image.shape) if noise else image
    return pd.DataFrame(np.column_stack([fixed, image]), columns=["fixedX", "fixedY", "alignmentX", "alignmentY"])


@pytest.mark.parametrize("separator", [",", " "])
def test_a_matrix_is_inverted(tmp_path, separator):
    path = tmp_path / "he_imagealignment.csv"
    np.savetxt(path, MATRIX, delimiter=separator)
    affine, note = read_alignment(path, frame_mpp=0.2125, where="here")
    # H&E (10, 20) lies where the matrix says; the reader needs the way back.
    frame = MATRIX @ (10, 20, 1)
    np.testing.assert_allclose(affine @ frame, (10, 20), atol=1e-8)
    assert "3 x 3 affine" in note


def test_key_points_give_the_same_affine_as_the_matrix(tmp_path):
    path = tmp_path / "keypoints.csv"
    keypoints().to_csv(path, index=False)
    affine, note = read_alignment(path, frame_mpp=0.2125, where="here")
    np.testing.assert_allclose(affine, np.linalg.inv(MATRIX)[:2], atol=1e-8)
    assert "6 key points, which it fits to 0.0 um" in note


def test_the_residual_of_key_points_is_stated_in_um(tmp_path):
    path = tmp_path / "keypoints.csv"
    # 400 points with 3 px of noise in each axis: 3 * sqrt(2) px from the truth, at 2 * 0.2125 um per H&E px.
    keypoints(400, noise=3.0).to_csv(path, index=False)
    _, note = read_alignment(path, frame_mpp=0.2125, where="here")
    residual = float(note.partition("fits to ")[2].partition(" um")[0])
    assert residual == pytest.approx(3 * np.sqrt(2) * 2 * 0.2125, rel=0.1)


def test_three_key_points_prove_nothing_and_the_note_says_so(tmp_path):
    path = tmp_path / "keypoints.csv"
    keypoints(3).to_csv(path, index=False)
    assert "exactly, as three points always do" in read_alignment(path, frame_mpp=0.2125, where="here")[1]


def test_key_points_marked_on_different_places_are_refused(tmp_path):
    path = tmp_path / "keypoints.csv"
    table = keypoints(8)
    table.loc[0, "alignmentX"] += 2000
    table.to_csv(path, index=False)
    with pytest.raises((CoordinateError, ScaleError), match=r"not marked on the same place|stretches one axis"):
        read_alignment(path, frame_mpp=0.2125, where="here")


def test_too_few_or_collinear_key_points_are_refused(tmp_path):
    path = tmp_path / "keypoints.csv"
    for table in (keypoints(2), keypoints(5).assign(fixedX=1.0), keypoints(4).assign(alignmentX=np.nan)):
        table.to_csv(path, index=False)
        with pytest.raises(CoordinateError, match=r"key points; an affine needs three or more"):
            read_alignment(path, frame_mpp=0.2125, where="here")


@pytest.mark.parametrize("text", ["1,0,5\n0,1,5\n", "1,0,5\n0,1,5\n0,0.5,1\n", "a,b,c\n1,2,3\n4,5,6\n", ""])
def test_anything_else_is_refused(tmp_path, text):
    path = tmp_path / "alignment.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"neither a 3 x 3 affine .* fixedX"):
        read_alignment(path, frame_mpp=0.2125, where="here")


def test_an_affine_that_stretches_one_axis_is_refused(tmp_path):
    path = tmp_path / "alignment.csv"
    np.savetxt(path, np.diag([2.0, 3.0, 1.0]), delimiter=",")
    with pytest.raises(ScaleError, match=r"stretches one axis 1\.5 times"):
        read_alignment(path, frame_mpp=0.2125, where="here")
