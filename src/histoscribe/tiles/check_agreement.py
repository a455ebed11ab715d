"""Agreement: how well the pixels under each observation go with what was measured there, place by place.

Unlike the share of observations on tissue it needs no outline, so it decides where the whole image is tissue, and it
falls off within one pitch and with 2 % of scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import scipy.sparse as sp
from scipy import ndimage
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.tiles.check_transform import pitch_px

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["Agreement", "CellAgreement", "SpotAgreement", "agreement"]

#: Below this many observations chance agreement of a few components is too wide to decide anything.
MIN_OBSERVATIONS = 100
_MAX_CENTRES, _MAX_PX = 3000, 4000


class Agreement(Protocol):
    """Evidence that positions and pixels belong together."""

    kind: str
    step_px: float

    def statistic(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Return how well pixels at ``(n, 2)`` positions of all observations agree; NaN where under half lie inside.

        `scale` is the factor by which `xy` was multiplied: spots grow with their distances.
        """
        ...

    def z(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Return the statistic in standard deviations above what wrong places give; NaN where it cannot be had."""
        ...


def agreement(section: Section) -> Agreement | None:
    """Choose the evidence that suits a section: a lattice of spots or bins with counts, or single cells; or None."""
    if section.slide is None or section.n_obs < MIN_OBSERVATIONS:
        return None
    pitch = pitch_px(section)
    if pitch is None:
        small = section.spot_um is None or section.spot_um <= 20
        return CellAgreement(section) if small else None
    evidence = SpotAgreement(section, pitch) if section.measured else None
    return evidence if evidence is not None and evidence.usable else None


class SpotAgreement:
    """Local correlation of expression with colour and texture under the spot.

    Both sides are freed of everything smooth by subtracting the mean of the six nearest neighbours; then the squared
    canonical correlations of (log depth, first five components of log expression) with (optical density of red, green,
    blue, its local spread) are summed. Wrong places give about ``6 * 4 / n``; their spread is measured at 48 places
    four and seven pitches away.
    """

    kind = "local correlation of expression and image"

    def __init__(self, section: Section, pitch: float) -> None:
        rng = np.random.default_rng(0)
        n = section.n_obs
        centres = np.sort(rng.choice(n, _MAX_CENTRES, replace=False)) if n > _MAX_CENTRES else np.arange(n)
        near = cKDTree(section.xy).query(section.xy[centres], k=7)[1]  # (c, 7), itself first
        self._rows, flat = np.unique(near, return_inverse=True)
        self._near = flat.reshape(near.shape)
        self._expression = _whiten(self._high_pass(_expression(section, self._rows)))
        # Relative to the pitch, which is right in px even where um/px is not.
        relative = (section.spot_um or section.pitch_um or 1.0) / (section.pitch_um or section.spot_um or 1.0)
        if section.pitch_um is None and section.spot_um is not None:
            relative = section.spot_um / section.mpp / pitch
        self._pictures, self._radius_px = _Pictures(section), relative * pitch / 2
        self._features: dict[int, tuple[np.ndarray, float]] = {}
        self.step_px = pitch
        self.usable = self._expression is not None

    def _high_pass(self, values: np.ndarray) -> np.ndarray:
        return values[self._near[:, 0]] - values[self._near[:, 1:]].mean(1)

    def _pixels(self, scale: float) -> tuple[np.ndarray, float]:
        # Features in steps of a quarter: a spot's colour does not depend on its exact edge.
        step = round(np.log(scale) / np.log(1.25))
        if step not in self._features:
            self._features[step] = _spot_features(self._pictures, self._radius_px * 1.25**step)
        return self._features[step]

    def statistic(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Sum of squared canonical correlations, scaled to the share of observations inside the image."""
        features, zoom = self._pixels(scale)
        values, inside = _sample(features, xy[self._rows] * zoom)
        whole = inside[self._near].all(1)
        if whole.mean() < 0.5 or whole.sum() < MIN_OBSERVATIONS // 2:
            return float("nan")
        pixels = _whiten(self._high_pass(values)[whole])
        expression = self._expression if whole.all() else _whiten(self._expression[whole])
        if pixels is None or expression is None:
            return float("nan")
        # Chance agreement grows as 1 / n: the factor makes partly outside placements comparable.
        return float(((expression.T @ pixels) ** 2).sum() * whole.mean())

    def z(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Compare with 48 places that are wrong by four and seven pitches."""
        here = self.statistic(xy, scale=scale)
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.column_stack([np.cos(angles), np.sin(angles)]) * self.step_px * scale
        wrong = np.array([self.statistic(xy + r * offset, scale=scale) for r in (4, 7) for offset in ring])
        wrong = wrong[np.isfinite(wrong)]
        if not np.isfinite(here) or len(wrong) < 8 or wrong.std() == 0:
            return float("nan")
        return float((here - wrong.mean()) / wrong.std())


class CellAgreement:
    """Nuclei are dark: darkness at the cell's centre minus darkness around it.

    A centre that has nothing to do with the pixels is as often darker as lighter than its surroundings, so the mean
    over cells divided by its standard error is a z score.
    """

    kind = "darkness at cell centres against their surroundings"

    def __init__(self, section: Section) -> None:
        image, self._zoom = _Pictures(section).density(min(1.0, section.mpp))
        dark, um = image.mean(2), 1 / (section.mpp / self._zoom)  # px per um
        # 4 um: the radius of a nucleus; 20 um: about its neighbours.
        contrast = ndimage.gaussian_filter(dark, 4 * um) - ndimage.gaussian_filter(dark, 20 * um)
        self._contrast = contrast[..., None]
        self.step_px = 10 / section.mpp

    def statistic(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Mean contrast over its standard error."""
        values, inside = _sample(self._contrast, xy * self._zoom)
        values = values[inside, 0]
        if inside.mean() < 0.5 or len(values) < MIN_OBSERVATIONS // 2 or values.std() == 0:
            return float("nan")
        return float(values.mean() / (values.std() / np.sqrt(len(values))))

    def z(self, xy: np.ndarray, *, scale: float = 1.0) -> float:
        """Return the statistic, which is a z score itself."""
        return self.statistic(xy, scale=scale)


def _expression(section: Section, rows: np.ndarray) -> np.ndarray:
    counts = sp.csr_matrix(section.table.layers[keys.COUNTS])[rows].astype(np.float64)
    depth = np.maximum(section.depth[rows], 1.0)
    top = np.sort(np.argsort(-np.asarray(counts.sum(0)).ravel(), kind="stable")[:500])
    rates = np.log1p((sp.diags(1e4 / depth) @ counts[:, top]).toarray())
    rates -= rates.mean(0)
    # Components from the small side: (500, 500) however many observations there are.
    values, vectors = np.linalg.eigh(rates.T @ rates)
    leading = vectors[:, np.argsort(-values, kind="stable")[:5]]
    return np.column_stack([np.log(depth), rates @ leading])


class _Pictures:
    """The slide at several sizes, read from the file as seldom as possible."""

    def __init__(self, section: Section) -> None:
        assert section.slide is not None
        self._slide = section.slide
        self._read: dict[int, np.ndarray] = {}

    def density(self, zoom: float) -> tuple[np.ndarray, float]:
        """Return optical density ``(h, w, 3)`` at about `zoom` px per level-0 px, and the exact zoom."""
        from PIL import Image

        width, height = self._slide.size
        longest = max(64, min(_MAX_PX, max(width, height), round(max(width, height) * zoom)))
        enough = [size for size in self._read if size >= longest]
        if not enough:
            # Twice as large as needed: most searches go on to finer pictures, and reading costs more than shrinking.
            size = min(_MAX_PX, max(width, height), 2 * longest)
            self._read[size] = self._slide.thumbnail(max_px=size)
            enough = [size]
        pixels = self._read[min(enough)]
        if longest < max(pixels.shape[:2]):
            factor = longest / max(pixels.shape[:2])
            size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        return -np.log((pixels.astype(np.float32) + 1) / 256), pixels.shape[1] / width


def _spot_features(pictures: _Pictures, radius_px: float) -> tuple[np.ndarray, float]:
    # Six px to the radius: finer pixels change a spot's mean colour by nothing.
    density, zoom = pictures.density(min(1.0, 6 / radius_px))
    sigma = radius_px * zoom / 1.5
    smooth = [ndimage.gaussian_filter(density[..., c], sigma) for c in range(3)]
    dark = density.mean(2)
    spread = ndimage.gaussian_filter(dark**2, sigma) - ndimage.gaussian_filter(dark, sigma) ** 2
    return np.stack([*smooth, np.sqrt(np.maximum(spread, 0))], axis=-1), zoom


def _sample(image: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    column, row = np.floor(xy).astype(np.int64).T
    height, width = image.shape[:2]
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    return image[row.clip(0, height - 1), column.clip(0, width - 1)], inside


def _whiten(values: np.ndarray) -> np.ndarray | None:
    """Return an orthonormal basis of the centred columns, or None where nothing varies."""
    values = values - values.mean(0)
    basis, singular, _ = np.linalg.svd(values, full_matrices=False)
    if singular[0] <= 1e-9:
        return None
    return basis[:, singular > singular[0] * 1e-6]
