"""A bundle is one file that gives back exactly what was fitted, or says why it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from histoscribe.core.errors import BundleError
from histoscribe.methods import EXPRESSION, expression
from histoscribe.methods.bundle import Bundle, provenance
from histoscribe.methods.calibration import calibrate, no_calibration
from histoscribe.testing import make_feature_sections
from histoscribe.testing._method_study import find
from histoscribe.testing._method_study import fitted as fitted_once


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(3, 30, seed=4)


def fitted(sections, name="ridge"):
    model = expression(name).fit(sections[:2], 6, seed=7)
    return Bundle(model, calibrate(model, sections[:2], seed=7), provenance(sections[:2]))


@pytest.mark.parametrize("name", list(EXPRESSION))
def test_saved_and_loaded_predictions_are_equal_to_the_bit(name, tmp_path):
    subject, model = find(name), fitted_once(name)
    bundle = Bundle(model, no_calibration(len(model.genes_)), provenance(subject.training))
    again = Bundle.load(bundle.save(tmp_path / "a.bundle"))
    np.testing.assert_array_equal(model.predict(subject.new).X, again.predictor.predict(subject.new).X)
    assert again.genes == bundle.genes
    assert again.digest() == bundle.digest()


def test_calibration_and_provenance_survive_saving(sections, tmp_path):
    bundle = fitted(sections)
    again = Bundle.load(bundle.save(tmp_path / "a.bundle"))
    assert again.provenance == bundle.provenance
    np.testing.assert_array_equal(again.calibration.half_width, bundle.calibration.half_width)


def test_the_same_training_gives_the_same_bytes(sections, tmp_path):
    first, second = (fitted(sections).save(tmp_path / n).read_bytes() for n in ("a", "b"))
    assert first == second


def test_a_missing_truncated_or_foreign_file_is_refused(sections, tmp_path):
    with pytest.raises(BundleError, match="does not exist"):
        Bundle.load(tmp_path / "none")
    whole = fitted(sections).save(tmp_path / "a").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="damaged or not a bundle"):
        Bundle.load(tmp_path / "half")
    save_file({"x": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(BundleError, match="not a HistoScribe bundle"):
        Bundle.load(tmp_path / "foreign")


def test_one_changed_number_is_noticed(sections, tmp_path):
    path = fitted(sections).save(tmp_path / "a")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match="checksum differs"):
        Bundle.load(path)


def test_sections_of_two_species_do_not_make_one_bundle(sections):
    with pytest.raises(BundleError, match="several species"):
        provenance([sections[0], sections[1].replace(species="mouse")])


def test_features_made_otherwise_are_refused(sections):
    from dataclasses import replace

    from histoscribe.core.features import Features

    model = expression("ridge").fit(sections[:2], 6)
    features = Features.of(sections[2].table)
    other = sections[2].replace(table=sections[2].table.copy())
    Features(features.matrix, replace(features.spec, fingerprint="other", geometry={"sides_um": [55.0]})).attach(
        other.table
    )
    with pytest.raises(BundleError, match=r"\[other\].*sides_um \[55.0\] instead of \[112.0\]"):
        model.predict(other)
