"""The HTML page: self-contained, bilingual, accessible, escaped, and honest about what it shows."""

from __future__ import annotations

import base64
import errno
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from histoscribe.core.errors import CoordinateError, DataError, GeneError, StorageError
from histoscribe.reports import report
from histoscribe.testing import ArraySlide, make_section
from reports.example import predict

VOID = {"meta", "link", "img", "br", "input", "wbr", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, text and ancestors; fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text, self.elements, self.stack = text, [], []
        self.feed(text)
        assert not self.stack, f"not closed: {self.stack}"

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, **{k: v or "" for k, v in attrs}, "text": "", "inside": [e["tag"] for e in self.stack]}
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_endtag(self, tag):
        assert self.stack, tag
        assert self.stack[-1]["tag"] == tag, f"</{tag}> closes <{self.stack[-1]['tag']}>"
        self.stack.pop()

    def handle_data(self, data):
        for element in self.stack:
            element["text"] += data

    def all(self, tag, **attributes):
        return [
            e
            for e in self.elements
            if e["tag"] == tag and all(v in e.get(k, "").split() for k, v in attributes.items())
        ]


def page(path):
    return Page(Path(path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def full(measured, evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return page(report(predict(measured), evaluation, measured=measured, path=path))


def test_nothing_is_loaded_from_anywhere(full):
    loaded = [e[a] for e in full.elements for a in ("src", "srcset", "poster", "data", "action") if a in e]
    loaded += [e["href"] for e in full.elements if e["tag"] in ("link", "base", "image", "use") and "href" in e]
    loaded += re.findall(r"url\(\s*[\"']?([^\"')]+)", full.text)
    assert loaded
    assert all(re.match(r"data:image/(png|jpeg);base64,", value) for value in loaded)
    assert "@import" not in full.text
    assert all(e["href"].startswith("#") for e in full.all("a"))


def test_embedded_pictures_are_pictures(full):
    for source in {e["src"] for e in full.all("img")}:
        kind, _, data = source.partition(";base64,")
        magic = {"data:image/png": b"\x89PNG", "data:image/jpeg": b"\xff\xd8\xff"}[kind]
        assert base64.b64decode(data, validate=True).startswith(magic)


def test_policy_forbids_the_network_and_allows_only_the_pages_own_script(full):
    scripts = full.all("script")
    assert len(scripts) == 1
    policy = next(e["content"] for e in full.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    allowed = base64.b64encode(hashlib.sha256(scripts[0]["text"].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{allowed}'" in policy


def test_page_is_light_enough_to_send(full):
    assert len(full.text) < 8e6


def test_every_picture_says_what_it_shows_in_both_languages(full):
    images = full.all("img")
    assert len(images) > 10
    for image in images:
        assert image["alt"] == image["data-en"] != ""
        assert re.search(r"[\u4e00-\u9fff]", image["data-zh"])


def test_both_languages_are_complete(full):
    spans = Counter(e["lang"] for e in full.all("span") if "t" in e.get("class", "").split() and e["text"].strip())
    assert spans["en"] == spans["zh-Hans"] > 100
    assert next(e for e in full.elements if e["tag"] == "html")["lang"] == "en"


def test_tables_and_landmarks_are_labelled(full):
    assert all(e.get("scope") in ("col", "row") for e in full.all("th"))
    ids = [e["id"] for e in full.elements if "id" in e]
    assert len(ids) == len(set(ids))
    wanted = {e["aria-labelledby"] for e in full.elements if "aria-labelledby" in e}
    wanted |= {e["href"][1:] for e in full.all("a")}
    assert wanted <= set(ids)
    assert len(full.all("h1")) == 1
    assert all("tabindex" in e for e in full.elements if "scroll" in e.get("class", "").split())


def test_sections_come_in_the_order_a_reader_needs(full):
    order = [e["id"] for e in full.all("section")]
    assert order == ["verdict", "maps", "trust", "controls", "ood", "places", "meaning", "provenance", "cite"]


def test_untrusted_genes_are_marked_and_trusted_ones_are_not(full, prediction):
    cards = full.all("article")
    assert any("untrusted" in c["class"].split() for c in cards)
    for card in cards:
        gene = next(g for g in prediction.var_names if g in card["text"].split())
        trusted = bool(prediction.var.loc[gene, "trusted"])
        assert ("untrusted" in card["class"].split()) is not trusted
        assert ("Do not read this map as biology" in card["text"]) is not trusted


def test_each_gene_has_its_four_maps(full):
    kinds = [e["text"] for e in full.all("span", **{"class": "kind"})]
    cards = len(full.all("article"))
    assert sum("Measured" in k for k in kinds) == cards
    assert sum("Predicted − measured" in k for k in kinds) == cards
    assert sum("Interval width" in k for k in kinds) == cards


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_banner_is_there_exactly_when_the_data_are(measured, tmp_path, synthetic):
    found = page(report(predict(measured, synthetic=synthetic), path=tmp_path / "r.html"))
    assert bool(found.all("p", **{"class": "synthetic"})) is synthetic
    assert bool(found.all("span", **{"class": "made"})) is synthetic
    assert ("SYNTHETIC" in found.all("title")[0]["text"]) is synthetic


def test_a_measured_synthetic_section_is_called_synthetic_even_if_the_prediction_is_not(measured, tmp_path):
    found = page(report(predict(measured, synthetic=False), measured=measured, path=tmp_path / "r.html"))
    assert found.all("p", **{"class": "synthetic"})


def test_hostile_names_stay_text(measured, evaluation, tmp_path):
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }} $\\frac{'
    table = measured.table.copy()
    names = list(table.var_names)
    names[0] = evil
    table.var_names = names
    section = measured.replace(table=table)
    bad = predict(section, section=evil, donor=evil, method=evil, encoder=evil, slide=evil, scale=evil, bundle=evil)
    verdict = replace(evaluation, heading=evil, notes=[evil])
    found = page(report(bad, verdict, measured=section, title=evil, genes=[evil], path=tmp_path / "r.html"))
    assert len(found.all("script")) == 1
    assert not any(key.startswith("on") for e in found.elements for key in e)
    assert all(e["src"].startswith("data:") for e in found.all("img"))
    assert found.all("h1")[0]["text"] == evil
    assert any(e["text"] == evil for e in found.all("h3"))
    assert any(evil in e["alt"] for e in found.all("img"))


def test_without_measurement_the_page_says_so_and_shows_what_there_is(measured, tmp_path):
    found = page(report(predict(measured, donor="new"), path=tmp_path / "r.html"))
    first = found.all("li", **{"class": "first"})[0]
    assert "Not checked on this slide" in first["text"]
    kinds = {e["text"] for e in found.all("span", **{"class": "kind"})}
    assert not any("Measured" in k or "measured" in k for k in kinds)
    assert any("Unlike training" in k for k in kinds)
    assert "was not found, so the maps are drawn without it" in found.text


def test_an_asked_for_gene_is_shown_first(measured, tmp_path):
    prediction = predict(measured)
    asked = str(prediction.var_names[-1])
    found = page(report(prediction, genes=[asked], path=tmp_path / "r.html"))
    assert found.all("h3")[0]["text"] == asked


def test_an_unknown_gene_is_refused_with_the_nearest_name(prediction, tmp_path):
    near = str(prediction.var_names[0])
    with pytest.raises(GeneError, match=f"Did you mean '{re.escape(near)}'"):
        report(prediction, genes=[near + "x"], path=tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


def test_another_image_beneath_the_maps_is_called_out(measured, prediction, tmp_path):
    other = ArraySlide(measured.slide.pixels[::-1], mpp=measured.mpp)
    found = page(report(prediction, slide=other, path=tmp_path / "r.html"))
    assert "is not the file that was predicted from" in found.text
    right = page(report(prediction, slide=measured.slide, path=tmp_path / "s.html"))
    assert "is not the file that was predicted from" not in right.text


def test_places_outside_the_image_are_refused(measured, prediction, tmp_path):
    small = ArraySlide(measured.slide.pixels[:100, :100], mpp=measured.mpp)
    with pytest.raises(CoordinateError, match="lie outside the image"):
        report(prediction, slide=small, path=tmp_path / "r.html")


def test_what_is_not_a_prediction_is_refused(measured, prediction, tmp_path):
    with pytest.raises(DataError, match="is not a prediction"):
        report(measured.table, path=tmp_path / "r.html")
    with pytest.raises(DataError, match="lacks trusted"):
        report(_without(prediction, "trusted"), path=tmp_path / "r.html")
    with pytest.raises(DataError, match="is empty"):
        report(prediction[:0].copy(), path=tmp_path / "r.html")


def test_a_full_disk_leaves_the_older_report(prediction, tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("older")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match="nothing was lost"):
        report(prediction, path=path)
    monkeypatch.undo()
    assert path.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_a_prediction_without_features_or_intervals_still_has_a_report(measured, tmp_path):
    plain = predict(measured, encoder="none", level=-1.0, n_units=1, ood_slide=-1.0, feature_spec="null", method="mean")
    del plain.obs["ood_percentile"], plain.layers["lower"], plain.layers["upper"]
    plain.X[:] = 0.0
    plain.var["trusted"] = False
    found = page(report(plain, path=tmp_path / "r.html"))
    assert "No intervals." in found.text
    assert "ood" not in {e["id"] for e in found.all("section")}
    assert all("untrusted" in e["class"].split() for e in found.all("article"))


def test_a_grid_prediction_is_matched_by_position(measured, evaluation, tmp_path):
    shifted = predict(measured, spot_um=-1.0)
    shifted.obs_names = [f"x{i}y0" for i in range(shifted.n_obs)]
    found = page(report(shifted, evaluation, measured=measured, path=tmp_path / "r.html"))
    assert "square of 100 µm" in found.text


def test_training_on_the_same_donor_is_said(measured, tmp_path):
    assert np.all(measured.donor == "synthetic-donor-4")
    prediction = predict(measured, training='[{"name": "other", "donor": "synthetic-donor-4"}]')
    found = page(report(prediction, path=tmp_path / "r.html"))
    assert "was trained on other sections of this donor" in found.text
    assert make_section(donor=2).donor not in found.text


def _without(prediction, column):
    copy = prediction.copy()
    del copy.var[column]
    return copy


def test_wrong_places_are_a_warning_with_every_finding(measured, tmp_path, monkeypatch):
    found = SimpleNamespace(verdict="wrong", share_on_tissue=0.4, problems=("x and y are <swapped>.",))
    monkeypatch.setattr("histoscribe.reports._report._check", lambda _: found)
    made = page(report(predict(measured), measured=measured, path=tmp_path / "r.html"))
    warnings = [e["text"] for e in made.all("li", **{"class": "bad"})]
    assert any("do not lie where they should" in text for text in warnings)
    assert "The measured places are wrong (40 % lie on tissue)" in made.text
    assert [e["text"] for e in made.all("ul", **{"class": "problems"})] == ["x and y are <swapped>."]
