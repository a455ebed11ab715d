"""Register two pictures by mutual information, rigid, then affine, coarse to fine (SimpleITK)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.align.image import need
from histoscribe.align.transform import Affine, Rigid, fit_rigid

if TYPE_CHECKING:
    from histoscribe.align.picture import Picture

__all__ = ["register"]

#: um per px of the finest of three levels: glands are sharp, nuclei (which sections do not share) are not.
_FINEST_UM = 12.0
_SIGMA_UM = (80.0, 40.0, 20.0)
_ITERATIONS = 80
#: Margin around the tissue that takes part: outlines tell more than anything else, far glass tells nothing.
_MARGIN_UM = 200.0


def register(
    moving: Picture, fixed: Picture, start: Rigid, *, blocks: np.ndarray, reach_um: float, seed: int
) -> list[Rigid | Affine]:
    """Maximise Mattes' mutual information of the pictures' darkness over the tissue in `blocks`.

    Source: Mattes et al. 2003, as SimpleITK implements it; every px of the blocks is used, so that the result does
    not depend on chance.

    Parameters
    ----------
    moving, fixed
        Pictures.
    start
        First guess.
    blocks
        ``(h, w)`` bool, where the fixed picture takes part.
    reach_um, seed
        Not needed here.

    Returns
    -------
    The rigid motion, and the affine one that starts from it; from the moving frame to the fixed one.
    """
    sitk: Any = need("SimpleITK")
    centre = _centre(fixed)
    rigid = sitk.Euler2DTransform()
    rigid.SetCenter(centre.tolist())
    rigid.SetAngle(-np.deg2rad(start.angle_deg))
    # SimpleITK's transforms point from the fixed picture to the moving one.
    rigid.SetTranslation((start.inverse()(centre[None])[0] - centre).tolist())
    _climb(sitk, moving, fixed, rigid, blocks)
    affine = sitk.AffineTransform(2)
    affine.SetCenter(centre.tolist())
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    _climb(sitk, moving, fixed, affine, blocks)
    corners = np.array([[0.0, 0.0], [1e4, 0.0], [0.0, 1e4]])
    back = np.array([rigid.TransformPoint(p) for p in corners.tolist()])
    return [fit_rigid(back, corners), _read(affine)]


def _climb(sitk: Any, moving: Picture, fixed: Picture, transform: Any, blocks: np.ndarray) -> None:
    task = sitk.ImageRegistrationMethod()
    task.SetMetricAsMattesMutualInformation(32)
    task.SetMetricSamplingStrategy(task.NONE)
    task.SetMetricFixedMask(_image(sitk, (_grown(sitk, fixed) & blocks).astype(np.uint8), fixed))
    task.SetInterpolator(sitk.sitkLinear)
    task.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4 * fixed.mpp, minStep=0.02 * fixed.mpp, numberOfIterations=_ITERATIONS
    )
    task.SetOptimizerScalesFromPhysicalShift()
    finest = max(1, round(_FINEST_UM / fixed.mpp))
    task.SetShrinkFactorsPerLevel([4 * finest, 2 * finest, finest])
    task.SetSmoothingSigmasPerLevel(_SIGMA_UM)
    task.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    task.SetInitialTransform(transform, inPlace=True)
    # More threads sum in another order, and the last digits would differ from run to run.
    task.SetNumberOfThreads(1)
    task.Execute(*(_image(sitk, p.darkness(), p) for p in (fixed, moving)))


def _grown(sitk: Any, picture: Picture) -> np.ndarray:
    radius = max(1, round(_MARGIN_UM / picture.mpp))
    mask = sitk.GetImageFromArray(picture.tissue.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryDilate(mask, [radius, radius])).astype(bool)


def _image(sitk: Any, values: np.ndarray, picture: Picture) -> Any:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing([picture.mpp] * 2)
    image.SetOrigin((picture.origin_um + picture.mpp / 2).tolist())
    return image


def _centre(picture: Picture) -> np.ndarray:
    rows, columns = np.nonzero(picture.tissue)
    return picture.origin_um + (np.array([columns.mean(), rows.mean()]) + 0.5) * picture.mpp


def _read(transform: Any) -> Affine:
    points = np.array([transform.TransformPoint(p) for p in ([0.0, 0.0], [1e4, 0.0], [0.0, 1e4])])
    linear = ((points[1:] - points[0]) / 1e4).T
    return Affine(linear, points[0]).inverse()
