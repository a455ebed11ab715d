"""Render a synthetic tissue as H&E: dye amounts from the maps, then Beer-Lambert mixing, optics and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from histoscribe.testing._nuclei import FIBROBLAST, GLAND, LYMPHOCYTE
from histoscribe.testing._shapes import EPITHELIUM, FAT, GLASS, LUMEN, STROMA, VESSEL, smooth_noise

if TYPE_CHECKING:
    from histoscribe.testing._donor import Donor
    from histoscribe.testing._nuclei import Nuclei
    from histoscribe.testing._tissue import Tissue

__all__ = ["render"]

#: Haematoxylin in a nucleus of each kind: chromatin of lymphocytes is dense, that of gland cells open.
_CHROMATIN = {GLAND: 0.62, FIBROBLAST: 0.66, LYMPHOCYTE: 0.98}


def render(rng: np.random.Generator, tissue: Tissue, donor: Donor) -> np.ndarray:
    """Return ``(h, w, 3)`` uint8 RGB of a tissue in its donor's stain."""
    eosin, haematoxylin = _ground(rng, tissue)
    nuclear = _nuclei(rng, tissue.nuclei, tissue.labels.shape, tissue.mpp)
    cover = np.clip(nuclear / 0.5, 0.0, 1.0)
    eosin *= 1.0 - 0.55 * cover
    haematoxylin += nuclear
    # A section is not equally thick everywhere.
    thick = 1.0 + 0.07 * smooth_noise(rng, eosin.shape, 500.0 / tissue.mpp)
    eosin *= thick
    haematoxylin *= thick
    return _mix(rng, eosin, haematoxylin, donor, tissue.mpp)


def _ground(rng: np.random.Generator, tissue: Tissue) -> tuple[np.ndarray, np.ndarray]:
    """Return eosin and haematoxylin of everything but nuclei, ``(h, w)`` float32 each."""
    labels, mpp = tissue.labels, tissue.mpp
    fine = smooth_noise(rng, labels.shape, max(1.0, 2.5 / mpp))
    patchy = smooth_noise(rng, labels.shape, 60.0 / mpp)
    fibre = _fibre_texture(rng, tissue)
    eosin = np.zeros(labels.shape, dtype=np.float32)
    stain = np.zeros(labels.shape, dtype=np.float32)
    eosin_of = np.array([0.0, 0.0, 0.47, 0.015, 0.01, 0.85], dtype=np.float32)
    stain_of = np.array([0.0, 0.02, 0.115, 0.0, 0.0, 0.0], dtype=np.float32)
    assert tuple(range(6)) == (GLASS, STROMA, EPITHELIUM, LUMEN, FAT, VESSEL)
    eosin += eosin_of[labels]
    stain += stain_of[labels]
    stroma = labels == STROMA
    loose = np.clip(0.37 + 0.07 * patchy + 0.13 * fibre + 0.03 * fine, 0.04, 0.9) * (1.0 - 0.4 * tissue.immune)
    # Stroma shrinks away from glands in processing: a pale seam.
    loose *= 1.0 - 0.45 * np.exp(-(((tissue.inside + 2.0) / 2.5) ** 2))
    eosin[stroma] = loose[stroma]
    stain += np.where(stroma, 0.10 * tissue.immune, 0).astype(np.float32)
    lumen = labels == LUMEN
    secretion = np.clip(0.16 * patchy + 0.02 * fine, 0.0, 0.25)
    eosin[lumen] += secretion[lumen]
    blood = labels == VESSEL
    eosin[blood] *= np.clip(1.0 + 0.35 * fine, 0.1, 1.6)[blood]
    epithelium = labels == EPITHELIUM
    eosin[epithelium] += (0.05 * fine + 0.05 * patchy)[epithelium]
    fat = labels == FAT
    eosin[fat] += (0.42 * np.exp(-((tissue.membrane / 1.5) ** 2)))[fat]
    np.clip(eosin, 0.0, None, out=eosin)
    return eosin, stain


def _fibre_texture(rng: np.random.Generator, tissue: Tissue) -> np.ndarray:
    """Smear white noise along the fibres (line integral convolution, Cabral and Leedom 1993); zero mean, unit sd."""
    h, w = tissue.labels.shape
    noise = rng.standard_normal((h, w)).astype(np.float32)
    rows, columns = np.nonzero(tissue.labels == STROMA)
    angle = tissue.fibres[rows, columns]
    dx, dy = np.cos(angle), np.sin(angle)
    y, x = rows.astype(np.float32), columns.astype(np.float32)
    total = np.zeros(len(rows), dtype=np.float32)
    reach, n_steps = 14.0 / tissue.mpp, 7
    flat = noise.ravel()
    for step in np.linspace(-reach, reach, 2 * n_steps + 1, dtype=np.float32):
        r = np.clip((y + step * dy).astype(np.int32), 0, h - 1)
        c = np.clip((x + step * dx).astype(np.int32), 0, w - 1)
        total += flat[r * w + c]
    texture = np.zeros((h, w), dtype=np.float32)
    if len(rows):
        texture[rows, columns] = total / max(float(total.std()), 1e-6)
    return texture


def _nuclei(rng: np.random.Generator, nuclei: Nuclei, shape: tuple[int, int], mpp: float) -> np.ndarray:
    """Return ``(h, w)`` float32 haematoxylin of all nuclei: ellipses with a soft edge, a rim and coarse chromatin."""
    h, w = shape
    out = np.zeros(h * w, dtype=np.float32)
    for kind, chromatin in _CHROMATIN.items():
        some = nuclei.subset(nuclei.kind == kind)
        if not len(some):
            continue
        half = int(np.ceil(some.axes[:, 0].max() / mpp)) + 1
        steps = np.arange(-half, half + 1)
        column, row = np.floor(some.xy / mpp).astype(int).T
        dx = ((column[:, None] + steps + 0.5) * mpp - some.xy[:, :1]).astype(np.float32)[:, None, :]  # (n, 1, k)
        dy = ((row[:, None] + steps + 0.5) * mpp - some.xy[:, 1:]).astype(np.float32)[:, :, None]  # (n, k, 1)
        cos, sin = (f(some.angle).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
        long, short = (some.axes[:, i].astype(np.float32)[:, None, None] for i in (0, 1))
        radius = np.sqrt(((dx * cos + dy * sin) / long) ** 2 + ((dy * cos - dx * sin) / short) ** 2)
        # One pixel (or half a um) of soft edge; a rim 15 % darker than the middle.
        edge = np.clip((1.0 - radius) * short / max(0.5 * mpp, 0.4) + 0.5, 0.0, 1.0)
        amount = (chromatin * np.exp(rng.normal(0, 0.13, len(some)))).astype(np.float32)[:, None, None]
        values = amount * edge * (0.87 + 0.2 * np.clip(radius, 0, 1) ** 2)
        rows = row[:, None, None] + steps[None, :, None] + np.zeros_like(column)[:, None, None]
        columns = column[:, None, None] + steps[None, None, :]
        rows, columns, values = np.broadcast_arrays(rows, columns, values)
        keep = (values > 0) & (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        np.maximum.at(out, rows[keep] * w + columns[keep], values[keep])
    out = out.reshape(shape)
    grain = smooth_noise(rng, shape, max(1.0, 1.3 / mpp))
    return out * (1.0 + 0.16 * grain)


def _mix(rng: np.random.Generator, eosin: np.ndarray, haematoxylin: np.ndarray, donor: Donor, mpp: float) -> np.ndarray:
    """Turn amounts of dye into colours: light falls off exponentially with dye (Beer and Lambert)."""
    light = smooth_noise(rng, eosin.shape, max(eosin.shape) / 2)
    channels = []
    for c in range(3):
        density = eosin * np.float32(donor.eosin[c]) + haematoxylin * np.float32(donor.haematoxylin[c])
        channels.append((donor.glass[c] + 0.6 * light) * np.power(np.float32(10.0), -density))
    pixels = np.stack(channels, axis=-1)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.45 / mpp))
    # A camera's noise, repeated every 512 px: drawing it anew for every pixel would cost as much as all the rest.
    tile = rng.normal(0, 1.8, (512, 512, 3)).astype(np.float32)
    h, w = eosin.shape
    noise = np.tile(tile, (h // 512 + 1, w // 512 + 1, 1))[:h, :w]
    return np.clip(np.asarray(image) + noise + 0.5, 0, 255).astype(np.uint8)
