"""Figures: true sizes, one range for truth and prediction, no global state."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from PIL import Image

from histoscribe.core.errors import DataError
from histoscribe.reports import (
    ceiling_figure,
    controls_figure,
    map_figure,
    ood_figure,
    overlay_figure,
    trust_figure,
)
from histoscribe.reports._atlas import Atlas, Layer, Scale
from histoscribe.reports._draw import legible, overlay_png
from histoscribe.reports._view import Places, View, scale_bar_um
from reports.example import predict


def pixels(view, layer, max_px):
    return np.asarray(Image.open(io.BytesIO(overlay_png(view, layer=layer, max_px=max_px))).convert("RGBA"))


@pytest.mark.parametrize("shape", ["circle", "square"])
def test_observations_are_drawn_at_their_true_size_and_place(shape):
    view = View(x=1000.0, y=500.0, width=400.0, height=200.0, pixels=None)
    places = Places(np.array([[1100.0, 600.0]]), 80.0, shape)
    picture = pixels(view, Layer("predicted", places, np.array([1.0]), Scale("viridis", 0.0, 1.0)), 800)
    assert picture.shape == (400, 800, 4)
    cover = picture[..., 3] / 255.0
    # 2 px per um.
    expected = np.pi * 40.0**2 if shape == "circle" else 80.0**2
    assert cover.sum() / 4.0 == pytest.approx(expected, rel=0.02)
    rows, columns = np.nonzero(cover > 0.5)
    assert columns.mean() == pytest.approx(200.0, abs=1.5)
    assert rows.mean() == pytest.approx(200.0, abs=1.5)


def test_values_beyond_the_limit_take_the_warning_colour():
    view = View(0.0, 0.0, 200.0, 100.0, None)
    places = Places(np.array([[50.0, 50.0], [150.0, 50.0]]), 60.0, "square")
    picture = pixels(view, Layer("ood", places, np.array([94.0, 96.0]), Scale("cividis", 0.0, 95.0, "#d55e00")), 200)
    assert tuple(picture[50, 150, :3]) == (0xD5, 0x5E, 0x00)
    assert tuple(picture[50, 50, :3]) != (0xD5, 0x5E, 0x00)


def test_measured_and_predicted_share_one_range_and_residual_is_centred(measured):
    prediction = predict(measured)
    gene = prediction.var_names[0]
    found = {layer.kind: layer for layer in Atlas.of(prediction, measured=measured).layers(gene)}
    assert list(found) == ["measured", "predicted", "residual", "interval"]
    assert found["measured"].scale == found["predicted"].scale
    assert found["residual"].scale.low == -found["residual"].scale.high
    np.testing.assert_allclose(
        found["residual"].values, found["predicted"].values - found["measured"].values, rtol=0, atol=1e-6
    )
    pooled = np.concatenate([found["measured"].values, found["predicted"].values])
    assert found["measured"].scale.low == pytest.approx(np.quantile(pooled, 0.02))
    assert found["measured"].scale.high == pytest.approx(np.quantile(pooled, 0.98))


def test_without_measurement_novelty_takes_the_place_of_the_residual(prediction):
    kinds = [layer.kind for layer in Atlas.of(prediction).layers(prediction.var_names[0])]
    assert kinds == ["predicted", "interval", "ood"]


def test_a_constant_gene_still_has_a_range(measured):
    prediction = predict(measured)
    prediction.X[:] = 0.0
    scale = Atlas.of(prediction).layers(prediction.var_names[0])[0].scale
    assert scale.high > scale.low


def test_spots_and_bins_are_told_apart(measured):
    spots = Atlas.of(predict(measured)).places
    assert (spots.shape, spots.size_um) == ("circle", 55.0)
    grid = Atlas.of(predict(measured, spot_um=-1.0, step_um=64.0)).places
    assert (grid.shape, grid.size_um) == ("square", 64.0)
    bins = Atlas.of(predict(measured, spot_um=64.0, step_um=64.0)).places
    assert (bins.shape, bins.size_um) == ("square", 64.0)


def test_title_says_that_a_gene_is_not_trusted_and_that_data_are_synthetic(measured):
    prediction = predict(measured)
    bad = map_figure(prediction, prediction.var_names[-1], measured=measured)
    good = map_figure(predict(measured, synthetic=False), prediction.var_names[0], measured=measured)
    assert "NOT TRUSTED" in bad.get_suptitle()
    assert "SYNTHETIC" in bad.get_suptitle()
    assert "NOT TRUSTED" not in good.get_suptitle()
    assert "SYNTHETIC" not in good.get_suptitle()


def test_every_figure_draws_in_threads_and_leaves_no_global_state(measured, evaluation):
    prediction = predict(measured)
    before = list(Gcf.figs)  # of a library that another test drew with
    figures: list = []
    makers = [
        lambda: map_figure(prediction, prediction.var_names[0], measured=measured),
        lambda: ood_figure(prediction, slide=measured.slide),
        lambda: overlay_figure(prediction, measured=measured),
        lambda: trust_figure(prediction, theme="dark"),
        lambda: ceiling_figure(evaluation),
        lambda: controls_figure(evaluation),
    ]

    def work(make):
        figure = make()
        figure.savefig(io.BytesIO(), format="png")
        figures.append(figure)

    threads = [threading.Thread(target=work, args=(make,)) for make in makers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(figures) == len(makers)
    assert list(Gcf.figs) == before


def test_controls_that_win_are_drawn_in_the_warning_colour(evaluation):
    table = evaluation.table[evaluation.table["available"]].copy()
    table.loc[:, "pcc_gene"] = np.linspace(0.5, 0.1, len(table))
    table.loc[table.index[-1], "pcc_gene"] = 0.9
    from dataclasses import replace

    axes = controls_figure(replace(evaluation, table=table)).axes[0]
    colours = [tuple(c) for c in axes.collections[-1].get_facecolors()]
    assert colours[-1] != colours[1]
    assert len(set(colours[1:-1])) == 1


def test_novelty_needs_a_method_with_features(measured):
    plain = predict(measured)
    del plain.obs["ood_percentile"]
    with pytest.raises(DataError, match="uses no features"):
        ood_figure(plain)


def test_names_that_the_font_lacks_become_boxes():
    assert legible("IGHG1 α 基\n") == "IGHG1 α □□"


@pytest.mark.parametrize(("width", "bar"), [(1000.0, 200.0), (4999.0, 500.0), (9900.0, 1000.0), (30.0, 5.0)])
def test_scale_bar_is_a_round_length(width, bar):
    assert scale_bar_um(width) == bar


def test_a_picture_of_few_colours_loses_none_in_its_palette(rng):
    from histoscribe.reports._draw import _smallest

    pixels = np.zeros((40, 50, 4), dtype=np.uint8)
    pixels[5:30, 5:40] = rng.integers(0, 6, (25, 35, 4)) * [40, 30, 20, 0] + [0, 0, 0, 255]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    small = _smallest(buffer.getvalue())
    assert Image.open(io.BytesIO(small)).mode == "P"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(small)).convert("RGBA")), pixels)


def test_thousands_of_places_stay_light():
    side = np.arange(100) * 64.0
    xy = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    view = View(-50.0, -50.0, 6500.0, 6500.0, None)
    values = np.random.default_rng(0).normal(size=len(xy))
    for shape in ("circle", "square"):
        layer = Layer("predicted", Places(xy, 55.0, shape), values, Scale("viridis", -2.0, 2.0))
        assert len(overlay_png(view, layer=layer, max_px=720)) < 150_000
