"""Opening: which backend, which scale, which colours, and what is said of a file that cannot be read."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from histoscribe.core.errors import RegistryError, SlideError
from histoscribe.slide import SLIDES, open_slide
from slide import pictures


def colour(path):
    """The one colour of a plain image."""
    return open_slide(path).region(0, 0, width=8, height=8, out=(2, 2)).pixels.reshape(-1, 3).tolist()[0]


@pytest.mark.parametrize(
    ("kind", "backend"),
    [("png", "image"), ("webp", "image"), ("deepzoom", "deepzoom"), ("pages", "tiff"), ("striped", "tiff")],
)
def test_content_and_not_the_name_decides_the_backend(tmp_path, kind, backend):
    path = pictures.write(kind, tmp_path, pictures.picture(60, 70))
    if kind != "deepzoom":
        path = path.rename(tmp_path / "scan.svs")
    assert open_slide(path).backend == backend


def test_a_scanner_s_tiff_goes_to_openslide(tmp_path):
    aperio = {"description": "Aperio Image Library v1\n700x500|MPP = 0.25", "compression": "jpeg"}
    slide = open_slide(pictures.write_tiff(tmp_path / "a.svs", pictures.picture(), layout="flat", **aperio))
    assert (slide.backend, slide.mpp) == ("openslide", 0.25)


@pytest.mark.parametrize(("layout", "backend"), [("pages", "openslide"), ("subifds", "tiff"), ("flat", "openslide")])
def test_a_scanner_s_tiff_with_levels_hidden_from_openslide_does_not(tmp_path, monkeypatch, layout, backend):
    path = pictures.write_tiff(tmp_path / "a.tif", pictures.picture(), layout=layout)
    monkeypatch.setattr("histoscribe.slide._open._vendor", lambda path: "a-vendor")
    assert open_slide(path).backend == backend


def test_every_backend_is_registered_under_its_own_name():
    assert list(SLIDES) == ["deepzoom", "image", "omezarr", "openslide", "tiff"]
    assert all(SLIDES.get(name).backend == name for name in SLIDES)


def test_an_unknown_backend_suggests_the_nearest(tmp_path):
    path = pictures.write("png", tmp_path, pictures.picture(8, 8))
    with pytest.raises(RegistryError, match="openslide"):
        open_slide(path, backend="open-slide")


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (50_800, 50_800), "resolutionunit": "INCH"}, None),
        ({"resolution": (28.35, 28.35), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER"}, None),
        ({}, None),
    ],
)
def test_a_tiff_resolution_is_believed_in_cm_and_where_plausible(tmp_path, options, mpp):
    path = pictures.write_tiff(tmp_path / "a.tif", pictures.picture(64, 64), layout="flat", **options)
    assert open_slide(path).mpp == (mpp if mpp is None else pytest.approx(mpp))


@pytest.mark.parametrize(
    ("size", "units", "mpp"),
    [((0.3, 0.3), ("µm", "µm"), 0.3), ((0.3, 300), ("µm", "nm"), 0.3), ((0.3, 3), ("µm", "µm"), None)],
)
def test_ome_xml_gives_the_scale(tmp_path, size, units, mpp):
    about = dict(zip(("PhysicalSizeX", "PhysicalSizeY"), size, strict=True))
    about |= dict(zip(("PhysicalSizeXUnit", "PhysicalSizeYUnit"), units, strict=True))
    path = pictures.write_tiff(
        tmp_path / "a.ome.tif", pictures.picture(300, 300), layout="subifds", ome=True, metadata=about
    )
    slide = open_slide(path)
    assert len(slide.levels) == 3
    assert slide.mpp == (mpp if mpp is None else pytest.approx(mpp))


def test_a_jpeg_s_resolution_is_not_a_scale(tmp_path):
    Image.fromarray(pictures.picture(64, 64)).save(tmp_path / "a.jpg", dpi=(50_800, 50_800))
    assert open_slide(tmp_path / "a.jpg").mpp is None


def test_transparent_pixels_are_laid_on_white(tmp_path):
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[..., 0], pixels[..., 3] = 100, 51  # a fifth of (100, 0, 0), four fifths white
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert colour(tmp_path / "a.png") == [224, 204, 204]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"], tile=(16, 16))
    assert colour(tmp_path / "a.tif") == [224, 204, 204]


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_and_palette_images_become_rgb(tmp_path, mode):
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / "a.png")
    assert colour(tmp_path / "a.png") == [255, 255, 255]


def test_16_bit_colour_is_scaled_by_its_full_range(tmp_path):
    wide = np.full((8, 8, 3), 257 * 40, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(wide))
    tifffile.imwrite(tmp_path / "a.tif", wide, photometric="rgb")
    assert colour(tmp_path / "a.png") == colour(tmp_path / "a.tif") == [40, 40, 40]


def test_tiles_that_a_writer_left_out_are_white(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        parts = (None if i == 1 else np.full((16, 16, 3), 9, np.uint8) for i in range(4))
        tiff.write(parts, shape=(32, 32, 3), dtype=np.uint8, tile=(16, 16), photometric="rgb", compression="deflate")
    found = open_slide(tmp_path / "a.tif").region(0, 0, width=32, height=32, out=(32, 32)).pixels
    assert (found[:16, 16:] == 255).all()
    assert (found[16:] == 9).all()


def test_an_orientation_tag_is_not_applied_and_that_is_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pictures.picture(40, 60)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.warns(UserWarning, match="EXIF orientation of 6, which is not applied"):
        slide = open_slide(tmp_path / "a.jpg")
    assert slide.size == (60, 40)


def test_the_digest_is_the_content_s(tmp_path):
    one = pictures.write("png", tmp_path, pictures.picture(30, 30))
    assert open_slide(one).digest() == hashlib.sha256(one.read_bytes()).hexdigest()
    dzi = pictures.write("deepzoom", tmp_path, pictures.picture(300, 300))
    before = open_slide(dzi).digest()
    tile = tmp_path / "one_files" / "9" / "0_0.png"
    Image.fromarray(np.zeros((129, 129, 3), np.uint8)).save(tile)
    assert open_slide(dzi).digest() != before


def test_a_large_jpeg_takes_three_bytes_per_px_and_no_copy(tmp_path):
    """24 Mpx are 72 MB; thumbnail and tiles stay under 50 MB more."""
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc")
    path = tmp_path / "large.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode(np.broadcast_to(np.uint8(200), (4000, 6000, 3)).copy(), level=80))
    code = (
        "import sys\nfrom pathlib import Path\nfrom histoscribe.slide import open_slide\ns = open_slide(sys.argv[1])\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\nbefore = peak()\n"
        "assert s.thumbnail(max_px=2000).shape == (1333, 2000, 3)\n"
        "s.region(3000, 2000, width=1600, height=1600, out=(224, 224))\nprint((peak() - before) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    assert 65 < float(done.stdout) < 125


@pytest.mark.parametrize("kind", ["png", "webp", "pages", "subifds", "striped"])
def test_a_truncated_file_is_refused_when_it_is_opened(tmp_path, kind):
    path = pictures.write(kind, tmp_path, pictures.picture())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(
        SlideError, match=r"^slide .*(truncated|damaged).*(Copy or download it again|HE image).*$"
    ) as caught:
        open_slide(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_jpeg_is_refused_when_it_is_opened(tmp_path, share, progressive):
    # A preview inside the header has an end marker of its own, which must not count.
    Image.fromarray(pictures.picture(60, 80)).save(tmp_path / "preview.jpg")
    preview = (tmp_path / "preview.jpg").read_bytes()
    path = tmp_path / "a.jpg"
    Image.fromarray(pictures.picture()).save(path, progressive=progressive, comment=preview)
    whole = path.read_bytes()
    assert open_slide(path).size == (pictures.WIDTH, pictures.HEIGHT)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SlideError, match=r"truncated: its JPEG image goes on after its [\d,]+ bytes"):
        open_slide(path)


def test_a_jpeg_with_bytes_after_its_end_is_whole(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(pictures.picture(60, 80)).save(path)
    path.write_bytes(path.read_bytes() + b"\0" * 1000)
    assert open_slide(path).thumbnail(max_px=10).shape == (8, 10, 3)


def test_damage_inside_a_png_is_said_when_it_is_read(tmp_path):
    path = pictures.write("png", tmp_path, pictures.picture())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(SlideError, match="damaged and cannot be decoded"):
        open_slide(path).thumbnail(max_px=10)


def test_damage_inside_a_tiff_names_the_tile(tmp_path):
    path = pictures.write("flat", tmp_path, pictures.picture())
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[7]
    data = bytearray(path.read_bytes())
    data[offset : offset + 60] = b"\x7f" * 60
    path.write_bytes(data)
    slide = open_slide(path)
    assert slide.region(0, 0, width=9, height=9, out=(9, 9)).pixels.shape == (9, 9, 3)
    with pytest.raises(SlideError, match=r"level 0, tile \(1, 1\) is damaged"):
        slide.thumbnail(max_px=10)


def test_a_missing_deepzoom_tile_is_named(tmp_path):
    path = pictures.write("deepzoom", tmp_path, pictures.picture())
    (tmp_path / "one_files" / "10" / "2_1.png").unlink()
    with pytest.raises(SlideError, match=r"2_1\.png cannot be read"):
        open_slide(path).region(0, 0, width=700, height=500, out=(700, 500))


def _deepzoom_without_folder(folder):
    path = folder / "a.dzi"
    path.write_text(
        '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="png" Overlap="0" TileSize="9">'
        '<Size Width="9" Height="9"/></Image>'
    )
    return path


def _of(name, content):
    def write(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _cmyk(folder):
    Image.new("CMYK", (8, 8)).save(folder / "a.jpg")
    return folder / "a.jpg"


def _float(folder):
    tifffile.imwrite(folder / "a.tif", np.zeros((8, 8), np.float32))
    return folder / "a.tif"


def _stack(folder):
    tifffile.imwrite(folder / "a.tif", np.zeros((5, 32, 32), np.uint16), photometric="minisblack")
    return folder / "a.tif"


def _grey_16(folder):
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "no.svs", "does not exist"),
        (lambda folder: folder, "is a folder, not a slide"),
        (_of("a.svs", b""), "is empty"),
        (_of("a.jpg", b"<html>404</html>"), "of no format that can be read"),
        (_of("a.tif", b"II*\0" + b"\xff" * 40), "damaged or truncated"),
        (_of("a.png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 5)), "header cannot be read|truncated"),
        (_of("a.dzi", b'<Image xmlns="http://schemas.microsoft.com/deepzoom/2008">'), "no complete DeepZoom"),
        (_deepzoom_without_folder, "full resolution is missing"),
        (_cmyk, "printing colours"),
        (_float, "no image in colour"),
        (_stack, "no image in colour"),
        (_grey_16, "16-bit grey"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_with_a_remedy(tmp_path, make, said):
    with pytest.raises(SlideError, match=said) as caught:
        open_slide(make(tmp_path)).thumbnail(max_px=5)
    text = str(caught.value)
    assert str(tmp_path) in text
    assert "\n" not in text
    assert text.endswith(".")


@pytest.mark.parametrize("kind", ["pages", "ome", "striped", "planar", "png", "webp"])
def test_changed_bytes_end_as_an_image_or_as_one_line(tmp_path, kind):
    whole = pictures.write(kind, tmp_path, pictures.picture(200, 260)).read_bytes()
    rng = np.random.default_rng(0)
    said = []
    for trial in range(30):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, 2000 if trial % 2 else len(data), 8)] = rng.integers(0, 256, 8)
        path = tmp_path / f"changed{trial}"
        path.write_bytes(data.tobytes())
        try:
            open_slide(path).thumbnail(max_px=20)
        except SlideError as err:
            said.append(str(err))
    assert len(said) > 5
    assert not any("\n" in text for text in said)


@pytest.mark.shared
def test_real_slides_open_with_their_backend_and_scale(shared_data):
    svs = open_slide(shared_data / "readers" / "wsi" / "CMU-1-Small-Region.svs")
    assert (svs.backend, svs.size, svs.mpp) == ("openslide", (2220, 2967), 0.499)
    kidney = open_slide(next(shared_data.glob("visium_hd_kidney/upstream/*/pyramid_images/cells.dzi")))
    assert (kidney.backend, kidney.size, len(kidney.levels)) == ("deepzoom", (4456, 6000), 14)
    full, half = (kidney.region(1024, 2048, width=512, height=512, out=(n, n)).pixels for n in (512, 256))
    assert np.abs(pictures.halved(full).astype(int) - half).mean() < 4
    breast = open_slide(next((shared_data / "her2st" / "data" / "ST-imgs" / "C" / "C3").glob("*.jpg")))
    assert (breast.backend, breast.size, breast.mpp) == ("image", (9270, 9936), None)
