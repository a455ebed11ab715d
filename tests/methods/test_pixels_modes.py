"""Methods whose published form reads raw pixels are fitted, saved and applied in that form, on small slides."""

import numpy as np
import pytest

from histoscribe.methods import EXPRESSION, expression
from histoscribe.methods.train import prepare
from histoscribe.testing import Truth, make_section

QUICK = {"epochs": 1, "patience": 0, "lr": 1e-4}
SMALL = {
    "histogene": {"width": 16, "depth": 1, "heads": 2, "head_width": 8, "tile_px": 28},
    "hist2st": {"depth": 1, "heads": 2, "head_width": 8, "tile_px": 28, "graph_depth": 2, "n_views": 2},
    "m2ost": {"width": 12, "depth": 1, "heads": 2, "cross_heads": 2, "head_width": 6, "tile_px": 32},
}


@pytest.fixture(scope="module")
def sections():
    genes = {"nuclear-density": 2, "stroma": 2, "rest": 10}
    made = [make_section(d, seed=1, genes=genes, size_um=700.0) for d in range(2)]
    return prepare(made, "colour", size_um=(154.0, 308.0), show=False)


@pytest.mark.parametrize("name", SMALL)
def test_the_published_form_is_fitted_saved_and_applied_from_pixels(name, sections):
    panel = [str(g) for g in Truth.of(sections[0]).genes[:3]]
    model = expression(name, preset="published", **SMALL[name], training=QUICK).fit(sections[:1], panel)
    assert any(view.startswith("pixels") for view in model.shapes_)
    again = EXPRESSION.get(name)(**model.params())
    again.genes_, again.target_, again.spec_ = model.genes_, model.target_, model.spec_
    again.train_mean_ = model.train_mean_
    again.load_state(model.state())
    found, repeated = (np.asarray(m.predict(sections[1]).X) for m in (model, again))
    assert found.std(0).min() > 0
    assert np.array_equal(found, repeated)
