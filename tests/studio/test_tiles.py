"""Tiles: passed through to the bit, decoded, built; bounded, cached, and watched."""

from __future__ import annotations

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from histoscribe.slide import open_slide, write_tiff
from histoscribe.slide._cache import TileCache
from histoscribe.studio.pixels._built import build, halved
from histoscribe.studio.pixels._stored import StoredJpegs
from histoscribe.studio.pixels._tiles import SlideTiles

from .conftest import assert_told, tissue


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_stored_tiles_are_pixel_identical_to_the_decoded_slide(files):
    slide = open_slide(files / "slide.tif")
    tiles = SlideTiles(slide, TileCache())
    assert tiles.passthrough
    for level, found in enumerate(tiles.levels):
        for column in range(found.columns):
            for row in range(found.rows):
                x, y, t = column * found.tile_width, row * found.tile_height, found.tile_width
                got = decoded(tiles.tile(level, column, row))
                w, h = min(t, found.width - x), min(t, found.height - y)
                want = slide._read(level, x, y, w, h)
                assert got.shape == (t, t, 3)
                # Two JPEG decoders may round differently by one.
                assert np.abs(got[:h, :w].astype(int) - want).max() <= 1


def test_a_builders_pyramid_has_the_right_pixels_on_every_level(files, tmp_path):
    slide = open_slide(files / "flat.png")
    build(slide, tmp_path / "built.tif", of=slide.size, full=True)
    stored = StoredJpegs.open(tmp_path / "built.tif")
    assert [level.size for level in stored.levels] == halved(slide.size)
    for level, found in enumerate(stored.levels):
        got = decoded(stored.tile(level, 0, 0))
        whole = np.asarray(Image.fromarray(tissue()).resize(found.size, Image.Resampling.BOX))
        h, w = min(512, found.size[1]), min(512, found.size[0])
        assert np.abs(got[:h, :w].astype(int) - whole[:h, :w]).mean() < 2


@pytest.mark.parametrize("name", ["flat.png", "flat.jpg"])
def test_a_flat_image_is_shown_on_every_level(files, name):
    tiles = SlideTiles(open_slide(files / name), TileCache())
    assert not tiles.passthrough
    assert [(v.width, v.height) for v in tiles.levels] == halved((1500, 1100))
    for level, found in enumerate(tiles.levels):
        got = decoded(tiles.tile(level, 0, 0))[: min(found.height, 512), : min(found.width, 512)]
        want = np.asarray(Image.fromarray(tissue()).resize((found.width, found.height), Image.Resampling.BOX))
        assert np.abs(got.astype(int) - want[: got.shape[0], : got.shape[1]]).mean() < 3


def test_a_tiff_without_jpeg_is_decoded_through_a_bounded_cache(files, tmp_path):
    write_tiff(open_slide(files / "flat.png"), tmp_path / "plain.tif", mpp=0.5)
    cache = TileCache(max_bytes=30_000)
    tiles = SlideTiles(open_slide(tmp_path / "plain.tif"), cache)
    assert tiles.levels[0].source == "decoded"
    for column in range(tiles.levels[0].columns):
        for row in range(tiles.levels[0].rows):
            got = decoded(tiles.tile(0, column, row))
            assert got.shape == (512, 512, 3)
    assert cache.bytes <= 30_000
    assert np.abs(decoded(tiles.tile(0, 0, 0)).astype(int) - tissue()[:512, :512]).mean() < 3


def test_a_large_slide_without_levels_gets_coarse_ones(tmp_path):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "one.tif") as tiff:
        tiff.write(tissue(2300, 2100), tile=(256, 256), photometric="rgb", compression="jpeg")
    tiles = SlideTiles(open_slide(tmp_path / "one.tif"), TileCache())
    assert [v.source for v in tiles.levels] == ["stored", "built", "built", "built"]
    assert [v.downsample for v in tiles.levels] == [1, 2, 4, 8]
    got = decoded(tiles.tile(3, 0, 0))[:263, :288]
    want = np.asarray(Image.fromarray(tissue(2300, 2100)).resize((288, 263), Image.Resampling.BOX))
    assert np.abs(got.astype(int) - want).mean() < 3


def test_a_tile_is_sent_with_an_etag_and_not_sent_again(client, ids):
    address = f"/api/items/{ids['slide']}/tile/0/1/1"
    answer = client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("place", ["0/99/0", "0/0/99", "9/0/0"])
def test_there_is_no_tile_outside_the_slide(client, ids, place):
    assert_told(client.get(f"/api/items/{ids['slide']}/tile/{place}"), 404)


def test_a_thumbnail_is_small_and_whole(client, ids):
    answer = client.get(f"/api/items/{ids['slide']}/thumbnail?max_px=200")
    got = decoded(answer.content)
    assert got.shape == (147, 200, 3)
    want = np.asarray(Image.fromarray(tissue()).resize((200, 147), Image.Resampling.BOX))
    assert np.abs(got.astype(int) - want).mean() < 4


def test_a_deleted_or_replaced_slide_is_told_and_the_server_goes_on(make_client, files, tmp_path):
    copy = tmp_path / "copy.tif"
    shutil.copy(files / "slide.tif", copy)
    client = make_client(copy)
    (item,) = client.studio.items
    address = f"/api/items/{item.id}/tile/0/0/0"
    assert client.get(address).status_code == 200
    os.utime(copy, (1, 1))
    assert "replaced" in assert_told(client.get(address), 409)["what"]
    copy.unlink()
    assert_told(client.get(address), 410)
    assert_told(client.get(f"/api/items/{item.id}"), 410)
    copy.symlink_to(files / "section.h5ad")  # another file under its name is not read
    assert_told(client.get(address), 409)
    assert client.get("/api/items").status_code == 200


def test_a_slide_that_cannot_be_read_is_told_in_the_list_and_when_asked_for(make_client, tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(40))
    client = make_client(f"slide:{tmp_path / 'broken.tif'}")
    (item,) = client.studio.items
    assert_told(client.get(f"/api/items/{item.id}"), 422)
    (line,) = client.get("/api/items").json()["items"]
    assert line["state"] == "failed"
    assert "broken.tif" in line["error"]["what"]


def test_the_short_way_sends_what_the_route_sends(client, ids, monkeypatch):
    from histoscribe.studio._fast_tiles import FastTiles

    address = f"/api/items/{ids['slide']}/tile/0/2/1"
    fast = client.get(address)
    monkeypatch.setattr(FastTiles, "_answer", lambda *_: None)
    slow = client.get(address)
    assert fast.content == slow.content
    assert dict(fast.headers) == dict(slow.headers)


@pytest.mark.shared
def test_a_real_slides_own_tiles_look_as_openslide_decodes_them(shared_data):
    tiles = SlideTiles(open_slide(shared_data / "readers" / "wsi" / "CMU-1-Small-Region.svs"), TileCache())
    assert tiles.passthrough
    level = tiles.levels[0]
    for column, row in ((0, 0), (4, 5), (8, 11)):
        w, h = level.tile_width, level.tile_height
        got, want = decoded(tiles.tile(0, column, row)), tiles.slide._read(0, column * w, row * h, w, h)
        assert np.abs(got.astype(int) - want).max() <= 1
