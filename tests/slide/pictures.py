"""One picture in every format that a backend reads."""

from __future__ import annotations

import numpy as np
import tifffile
from PIL import Image
from scipy import ndimage

WIDTH, HEIGHT, TILE = 700, 500, 128


def picture(height=HEIGHT, width=WIDTH, seed=0):
    """Smooth colour noise, so that lossy formats stay near."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (8, 8, 0))
    return np.clip(128 + 50 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def halved(pixels):
    """Mean of 2 x 2 px, sizes rounded up, as DeepZoom wants it."""
    h, w = pixels.shape[:2]
    even = np.pad(pixels, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge").astype(float)
    return even.reshape(-(-h // 2), 2, -(-w // 2), 2, 3).mean((1, 3)).round().astype(np.uint8)


def levels(pixels, n=3):
    found = [pixels]
    while len(found) < n:
        found.append(halved(found[-1]))
    return found


def write_tiff(path, pixels, *, layout="pages", compression="deflate", n=3, ome=False, **options):
    """`layout`: ``pages``, ``subifds`` or ``flat``."""
    options = {"tile": (TILE, TILE), "photometric": "rgb", "compression": compression, "metadata": None} | options
    found = levels(pixels, 1 if layout == "flat" else n)
    with tifffile.TiffWriter(path, ome=ome) as tiff:
        if layout == "subifds":
            options["subifds"] = len(found) - 1
        tiff.write(found[0], **options)
        for level in found[1:]:
            tiff.write(level, **(options | {"subifds": None, "subfiletype": 1}))
    return path


def write_deepzoom(path, pixels, *, tile=128, overlap=1, suffix="png"):
    h, w = pixels.shape[:2]
    last = (max(w, h) - 1).bit_length()
    for number, level in zip(range(last, -1, -1), levels(pixels, last + 1), strict=True):
        folder = path.with_name(f"{path.stem}_files") / str(number)
        folder.mkdir(parents=True)
        for y in range(0, level.shape[0], tile):
            for x in range(0, level.shape[1], tile):
                part = level[max(0, y - overlap) : y + tile + overlap, max(0, x - overlap) : x + tile + overlap]
                Image.fromarray(part).save(folder / f"{x // tile}_{y // tile}.{suffix}")
    path.write_text(
        f'<?xml version="1.0"?><Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="{suffix}" '
        f'Overlap="{overlap}" TileSize="{tile}"><Size Width="{w}" Height="{h}"/></Image>'
    )
    return path


def write(kind, folder, pixels):
    """Write losslessly as `kind` and return the path."""
    if kind in {"png", "webp"}:
        path = folder / f"one.{kind}"
        Image.fromarray(pixels).save(path, **({"lossless": True} if kind == "webp" else {}))
        return path
    if kind == "deepzoom":
        return write_deepzoom(folder / "one.dzi", pixels)
    path = folder / "one.tif"
    if kind == "striped":
        return write_tiff(path, pixels, layout="flat", tile=None, rowsperstrip=48, compression="lzw")
    if kind == "planar":
        tifffile.imwrite(path, np.moveaxis(pixels, 2, 0), tile=(TILE, TILE), photometric="rgb", planarconfig="separate")
        return path
    if kind == "channels":
        planes = np.moveaxis(pixels, 2, 0)
        tifffile.imwrite(path, planes, tile=(TILE, TILE), photometric="minisblack", metadata={"axes": "CYX"}, ome=True)
        return path
    if kind == "ome":
        return write_tiff(path.with_suffix(".ome.tif"), pixels, layout="subifds", ome=True, metadata={})
    return write_tiff(path, pixels, layout=kind)
