"""A site of a few records, some of them hostile, and the site of the whole catalogue."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser

import pytest

from histoscribe.catalogue import RECORDS, Catalogue, Dataset, Paper
from histoscribe.catalogue.ladder import climb, ladder
from histoscribe.catalogue.site import build_site
from histoscribe.core.records import RunRecord

ATTACK = """</script><img src=x onerror="document.documentElement.dataset.pwned=1">"' ${7*7} {{7*7}} \u2028"""


def paper(key, title="A plain title", **more):
    given = {"year": 2024, "venue": {"name": "arXiv"}, "status": "preprint", "role": "core", "tasks": ["other"]}
    return Paper.model_validate({"id": key, "title": title, **given, **more})


def few_records():
    catalogue = Catalogue(RECORDS)
    catalogue.add(
        paper(
            "hostile-2024",
            ATTACK,
            authors=[f"{ATTACK}, B", "others"],
            venue={"name": ATTACK, "track": ATTACK},
            method={"name": "../../../" + ATTACK, "aliases": [ATTACK]},
            note=ATTACK,
            url='https://example.org/"><script>alert(1)</script>',
            code={"url": "https://example.org/'onclick='x", "weights": "javascript:alert(1)", "note": ATTACK},
            provenance={"title": ["javascript:alert(1)", ATTACK], ATTACK: ["here"]},
            conflicts=[{"field": ATTACK, "claims": [{"source": ATTACK, "value": ATTACK}], "reason": ATTACK}],
            mended=[ATTACK],
            datasets=["set-a"],
        )
    )
    result = {
        "task": "expression-prediction",
        "dataset": "set-a",
        "metric": "pcc_gene",
        "split": "donors",
        "value": 0.321,
    }
    catalogue.add(
        paper(
            "first-2023",
            "Diffusion predicts expression of breast tissue",
            method={"name": "TWIN"},
            tasks=["expression-prediction"],
            approach=["diffusion"],
            modality={"organs": ["breast"], "platforms": ["visium"]},
            code={"url": "https://example.org/code", "status": "read", "licence": "MIT", "environment": True},
            results=[{**result, "origin": "paper", "source": "https://example.org/paper"}],
            year=2023,
        )
    )
    catalogue.add(
        paper("second-2025", "Graphs find domains", method={"name": "Twin"}, tasks=["spatial-domains"], year=2025)
    )
    catalogue.add(Dataset(id="set-a", name=f"Set A {ATTACK}", kind="cohort", contains=["set-b"], note=ATTACK))
    catalogue.add(Dataset(id="set-b", name="Set B", kind="predicted"))
    return catalogue


def a_run(**more):
    given = {
        "method": "ridge",
        "params": {},
        "encoder": "colour",
        "genes": ["A"],
        "target": {},
        "split": {"apart": ["donor"]},
    }
    scores = {"ridge": {"pcc_gene": {"mean": 0.654}}, "mean-gene": {"pcc_gene": {"mean": 0.111}}}
    return RunRecord(**given, scores=scores, seed=3, data={}, n={}, commit="c0ffee", **more)


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    catalogue = few_records()
    climbs = ladder(catalogue.papers) | {"second-2025": climb(catalogue.papers["second-2025"], [a_run(synthetic=True)])}
    out = tmp_path_factory.mktemp("few") / "site"
    build_site(catalogue, out, climbs=climbs, implemented={"second-2025"})
    return out


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "site"
    build_site(Catalogue.load(), out)
    return out


class Page(HTMLParser):
    """Tags with their attributes, and the text, of one page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def all(self, name):
        return [(tag, attrs[name]) for tag, attrs in self.tags if name in attrs]


@pytest.fixture(scope="session")
def read():
    return cache(Page)


@pytest.fixture(scope="session")
def attack():
    return ATTACK


@pytest.fixture(scope="session")
def records():
    return few_records
