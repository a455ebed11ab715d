"""Numbers: places, genes by layer, trust, search, groups, markers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from histoscribe.studio.values._markers import rank_sum

from .conftest import GENES, assert_told


def floats(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, dtype="<f4")


def test_the_list_names_items_that_lie_on_one_slide(client, ids):
    lines = {line["kind"]: line for line in client.get("/api/items").json()["items"]}
    assert set(lines["section"]["compare"]) == {ids["slide"], ids["prediction"]}
    assert lines["section"]["n_observations"] == 24
    assert lines["prediction"]["n_genes"] == 3
    assert lines["slide"]["mpp"] == pytest.approx(0.5)
    assert all(line["state"] == "ready" and "/" not in line["file"] for line in lines.values())


def test_a_section_beside_its_prediction_has_four_layers(client, ids):
    detail = client.get(f"/api/items/{ids['section']}").json()
    assert [y["name"] for y in detail["layers"]] == ["measured", "predicted", "residual", "uncertainty"]
    assert [y["name"] for y in detail["layers"] if y["default"]] == ["measured"]
    assert detail["trust"]
    assert detail["observations"] == {"n": 24, "shape": "circle", "size_px": 110.0, "pitch_px": 200.0}
    assert detail["categories"][0]["names"] == ["stroma", "tumour"]
    assert detail["composition"]["names"] == ["T cell", "B cell"]
    assert "80 % interval" in detail["layers"][3]["unit"]


def test_places_are_those_of_the_file(client, ids):
    xy = floats(client.get(f"/api/items/{ids['section']}/observations")).reshape(-1, 2)
    assert xy[0].tolist() == [200, 200]
    assert xy[-1].tolist() == [1200, 800]


def test_layers_of_a_gene_fit_each_other(client, ids):
    def layer(item, name):
        return floats(client.get(f"/api/items/{ids[item]}/genes/ERBB2?layer={name}"))

    counts = client.studio.items.get(ids["section"]).opened.own.counts
    depth = client.studio.items.get(ids["section"]).opened.own.depth
    measured = np.log1p(counts[:, [0]].toarray()[:, 0] / depth * 1e4)
    assert layer("section", "measured") == pytest.approx(measured, rel=1e-5)
    for item in ("section", "prediction"):
        assert layer(item, "residual") == pytest.approx(layer(item, "predicted") - layer(item, "measured"), abs=1e-5)
        assert layer(item, "uncertainty") == pytest.approx(np.full(24, 2.0), abs=1e-5)


def test_a_genes_headers_give_unit_range_and_trust(client, ids):
    answer = client.get(f"/api/items/{ids['prediction']}/genes/ERBB2")
    values = floats(answer)
    assert answer.headers["x-layer"] == "predicted"
    assert answer.headers["x-unit"] == "ln(1 + counts per 10000)"
    assert float(answer.headers["x-min"]) == pytest.approx(values.min(), rel=1e-4)
    assert float(answer.headers["x-max"]) == pytest.approx(values.max(), rel=1e-4)
    assert answer.headers["x-trust"] == "good"
    again = client.get(answer.url, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def test_genes_are_found_by_their_beginning_in_any_case_and_carry_trust(client, ids):
    found = client.get(f"/api/items/{ids['section']}/genes?query=erb").json()
    assert [(g["name"], g["trust"]) for g in found["genes"]] == [("ERBB2", "good"), ("ERBB3", "weak")]
    assert "lower bound 0.30 (4 donors)" in found["genes"][0]["reason"]
    everything = client.get(f"/api/items/{ids['section']}/genes?limit=2&offset=1").json()
    assert everything["total"] == len(GENES)
    assert len(everything["genes"]) == 2
    krt8 = client.get(f"/api/items/{ids['section']}/genes?query=KRT8").json()["genes"][0]
    assert krt8["trust"] == "none"
    assert client.get(f"/api/items/{ids['section']}/genes?query=ACTB").json()["genes"][0]["layers"] == ["measured"]


def test_what_is_not_there_is_told(client, ids):
    assert "ERBB2" in assert_told(client.get(f"/api/items/{ids['section']}/genes/ERBB"), 404)["todo"]
    assert_told(client.get(f"/api/items/{ids['prediction']}/genes/ACTB?layer=residual"), 404)
    assert_told(client.get(f"/api/items/{ids['slide']}/genes/ACTB"), 404)
    assert_told(client.get(f"/api/items/{ids['section']}/categories/nothing"), 404)
    assert_told(client.get("/api/items/0123456789abcdef"), 404)


def test_groups_are_codes_and_summaries(client, ids):
    codes = np.frombuffer(client.get(f"/api/items/{ids['section']}/categories/domain").content, dtype="<u2")
    assert codes.tolist() == [1] * 12 + [0] * 12
    groups = client.get(f"/api/items/{ids['section']}/summary?gene=ERBB2&category=domain").json()["groups"]
    assert [(g["name"], g["n"]) for g in groups] == [("stroma", 12), ("tumour", 12)]
    assert groups[1]["mean"] > groups[0]["mean"] + 1
    shares = floats(client.get(f"/api/items/{ids['section']}/composition")).reshape(-1, 2)
    assert shares.shape == (24, 2)


def test_markers_of_a_selection_find_the_planted_gene(client, ids):
    asked = {"indices": list(range(12)), "layer": "measured"}
    found = client.post(f"/api/items/{ids['section']}/markers", json=asked).json()
    assert (found["n_inside"], found["n_outside"], found["n_tested"]) == (12, 12, len(GENES))
    best = found["genes"][0]
    assert best["name"] == "ERBB2"
    assert best["auc"] > 0.95
    assert best["log2_fold_change"] > 1
    assert best["p_adjusted"] < 1e-3


@pytest.mark.parametrize("indices", [[], [0], list(range(24)), [0, 1, 2, 99]])
def test_a_selection_that_cannot_be_compared_is_told(client, ids, indices):
    answer = client.post(f"/api/items/{ids['section']}/markers", json={"indices": indices})
    assert_told(answer, 409)


@pytest.mark.parametrize("genes", [1, 3])
@pytest.mark.parametrize("share_of_zeros", [0.0, 0.8])
def test_the_rank_sum_test_is_scipys(rng, genes, share_of_zeros):
    values = np.round(rng.gamma(2, 1, (200, genes)), 1) * (rng.random((200, genes)) >= share_of_zeros)
    inside = rng.random(200) < 0.3
    auc, p = rank_sum(values, inside)
    want = stats.mannwhitneyu(values[inside], values[~inside], axis=0, method="asymptotic")
    assert auc == pytest.approx(want.statistic / (inside.sum() * (~inside).sum()))
    assert p == pytest.approx(want.pvalue, rel=1e-6)


def test_a_gene_without_variation_marks_nothing():
    auc, p = rank_sum(np.full((50, 2), 3.0), np.arange(50) < 20)
    assert auc == pytest.approx([0.5, 0.5])
    assert p.tolist() == [1.0, 1.0]
