"""`papers check`: each real defect is caught by its rule, and what is right raises nothing."""

import shutil
from pathlib import Path

import pytest
import yaml

from histoscribe.catalogue import RECORDS, Catalogue
from histoscribe.catalogue.check import check
from histoscribe.catalogue.ladder import ladder
from histoscribe.catalogue.pages import papers_page
from histoscribe.catalogue.project import check_citation, check_pages
from histoscribe.catalogue.rules import RULES
from histoscribe.catalogue.yamlfile import load_yaml, write_yaml

DEFECTS = sorted((Path(__file__).parent / "defects").glob("*.yaml"))

COMPLETE = {
    "id": "example-2025",
    "title": "EXAMPLE: a method that predicts expression",
    "year": 2025,
    "venue": {"name": "Bioinformatics"},
    "status": "published",
    "role": "core",
    "tasks": ["expression-prediction"],
    "doi": "10.1093/bioinformatics/btzzz000",
    "arxiv": "2501.00001",
    "url": "https://doi.org/10.1093/bioinformatics/btzzz000",
    "method": {"name": "EXAMPLE"},
    "code": {"url": "https://github.com/owner/example", "status": "read", "licence": "MIT"},
    "datasets": ["some-data"],
    "results": [
        {
            "task": "expression-prediction",
            "dataset": "some-data",
            "split": "patients, leave one out",
            "encoder": "own",
            "metric": "pcc_gene",
            "value": 0.3,
            "origin": "paper",
            "source": "https://doi.org/10.1093/bioinformatics/btzzz000",
        }
    ],
    "provenance": {"record": ["https://doi.org/10.1093/bioinformatics/btzzz000"]},
}
DATASET = {"id": "some-data", "name": "Some data", "kind": "cohort", "provenance": {"record": ["here"]}}


def folder_of(root, papers=(), datasets=()):
    for kind, records in (("papers", papers), ("datasets", datasets)):
        (root / kind).mkdir(parents=True)
        for record in records:
            write_yaml(root / kind / f"{record['id']}.yaml", record)
    return root


def findings(root, **kwargs):
    return check(Catalogue.load(root, collect=True), **kwargs)


def variant(**changes):
    return COMPLETE | changes


def test_there_are_25_defects_and_each_names_a_rule():
    assert [load_yaml(path)["defect"] for path in DEFECTS] == list(range(1, 26))
    outside = {"generated", "citation"}
    assert {load_yaml(path)["rule"] for path in DEFECTS} <= set(RULES) | outside


@pytest.mark.parametrize("path", DEFECTS, ids=lambda p: p.stem)
def test_a_real_defect_is_caught_by_its_rule_and_its_mended_form_is_not(path, tmp_path):
    defect = load_yaml(path)
    if "files" in defect:
        found, mended = _files(defect, tmp_path)
    else:
        wrong = folder_of(tmp_path / "wrong", defect.get("papers", ()), defect.get("datasets", ()))
        right = folder_of(tmp_path / "right", defect.get("mended_papers", ()), defect.get("mended_datasets", ()))
        found, mended = findings(wrong).findings, findings(right).findings
    assert defect["rule"] in {f.rule for f in found}
    assert [f.line() for f in mended] == []


def _files(defect, tmp_path):
    def judge(files):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        root.mkdir()
        if files == "generated":
            catalogue = Catalogue.load()
            files = {"PAPERS.md": papers_page(catalogue, ladder=ladder(catalogue.papers))}
        for name, text in files.items():
            (root / name).write_text(text, encoding="utf-8")
        if defect["rule"] == "citation":
            return list(check_citation(root, "Awesome Foundation Models for Pathology"))
        catalogue = Catalogue.load()
        return list(check_pages(root, {"PAPERS.md": papers_page(catalogue, ladder=ladder(catalogue.papers))}))

    return judge(defect["files"]), judge(defect["mended_files"])


def test_the_second_half_of_defect_24_is_caught_as_well(tmp_path):
    defect = load_yaml(next(p for p in DEFECTS if p.stem.startswith("24")))
    root = folder_of(tmp_path, defect["papers"], defect["datasets"])
    assert {"dataset-paper", "licence"} <= {f.rule for f in findings(root).findings}


def test_a_clean_record_raises_nothing(tmp_path):
    report = findings(folder_of(tmp_path, [COMPLETE], [DATASET]))
    assert [f.line() for f in report.findings] == []
    assert report.ok


@pytest.mark.parametrize("name", ["title", "year", "venue", "status", "role", "tasks"])
def test_a_forgotten_field_gives_one_line_that_names_it(tmp_path, name):
    record = {key: value for key, value in COMPLETE.items() if key != name}
    (finding,) = findings(folder_of(tmp_path, [record], [DATASET])).findings
    assert finding.rule == "schema"
    assert finding.line().startswith(f"schema example-2025.yaml: field '{name}' is missing. Add a line `{name}:")
    assert "\n" not in finding.line()


@pytest.mark.parametrize(
    ("rule", "record"),
    [
        ("schema", variant(yaer=2025)),
        ("schema", variant(year="soon")),
        ("id-form", variant(doi="https://doi.org/10.1093/bioinformatics/btzzz000", url=None)),
        ("id-form", variant(arxiv="2513.00001")),
        ("vocabulary", variant(tasks=["expresion-prediction"])),
        ("vocabulary", variant(venue={"name": "Bioinformtics"})),
        ("provenance", variant(provenance={})),
        ("provenance", variant(provenance={"record": ["somewhere"]})),
        ("dangling-dataset", variant(datasets=["no-such-data"])),
        ("url-identifier", variant(url="https://doi.org/10.1093/bib/other")),
        ("year-arxiv", variant(year=2024)),
        ("venue-doi", variant(doi="10.1093/bib/bbzzz")),
        ("licence", variant(code={"url": "https://github.com/owner/example", "status": "read"})),
        ("code-cites", variant(code={"url": "https://github.com/o/e", "cites": "Something else"})),
        ("result-context", variant(results=[COMPLETE["results"][0] | {"encoder": None}])),
        ("result-context", variant(results=[COMPLETE["results"][0] | {"split": None}])),
        ("result-context", variant(results=[COMPLETE["results"][0] | {"origin": "here", "seed": 0}])),
        ("waiver", variant(waivers=[{"rule": "same-code", "reason": "not needed at all here", "by": "test"}])),
        (
            "conflict",
            variant(
                conflicts=[{"field": "year", "claims": [{"source": "here"}], "decided": 2020, "reason": "an older one"}]
            ),
        ),
    ],
)
def test_each_kind_of_fault_is_caught_by_its_rule(tmp_path, rule, record):
    root = folder_of(tmp_path, [{k: v for k, v in record.items() if v is not None}], [DATASET])
    assert rule in {f.rule for f in findings(root).findings}


def test_a_file_called_otherwise_than_its_id_is_found(tmp_path):
    root = folder_of(tmp_path, [COMPLETE], [DATASET])
    (root / "papers" / "example-2025.yaml").rename(root / "papers" / "other.yaml")
    assert [f.rule for f in findings(root).findings] == ["file-name"]


def test_a_key_that_stands_twice_and_a_number_that_yaml_would_bend_are_not_swallowed(tmp_path):
    root = folder_of(tmp_path, [], [DATASET])
    text = yaml.safe_dump(COMPLETE, sort_keys=False).replace("'2501.00001'", "2501.00010")
    (root / "papers" / "example-2025.yaml").write_text(text)
    assert Catalogue.load(root).paper("example-2025").arxiv == "2501.00010"
    (root / "papers" / "example-2025.yaml").write_text(text + "year: 2024\n")
    (finding,) = findings(root).findings
    assert "stands twice" in finding.line()


def test_a_waiver_accepts_its_own_finding_and_no_other(tmp_path):
    twin = variant(id="twin-2025", title="Another", doi=None, arxiv=None, url=None, method=None, results=None)
    third = twin | {"id": "third-2025", "title": "A third"}
    twin["waivers"] = [
        {"rule": "same-code", "about": "example-2025", "reason": "One repository serves both.", "by": "t"}
    ]
    records = [{k: v for k, v in r.items() if v is not None} for r in (COMPLETE, twin, third)]
    report = findings(folder_of(tmp_path, records, [DATASET]))
    assert [f.record for f in report.waived] == ["twin-2025"]
    assert {(f.record, f.about) for f in report.findings if f.rule == "same-code"} == {
        ("third-2025", "example-2025"),
        ("twin-2025", "third-2025"),
    }


def test_the_catalogue_is_clean_and_every_waiver_has_a_reason():
    report = check(Catalogue.load(collect=True))
    assert [f.line() for f in report.findings] == []
    assert report.seconds < 5
    assert all(len(f.waived) > 15 for f in report.waived)


def test_a_mistake_in_a_shipped_record_is_found(tmp_path):
    shutil.copytree(RECORDS, tmp_path / "records")
    path = tmp_path / "records" / "papers" / "sdmbench-2024.yaml"
    path.write_text(path.read_text().replace("name: Nature Methods", "name: Nature Machine Intelligence"))
    found = findings(tmp_path / "records").findings
    assert {"venue-doi", "conflict"} <= {f.rule for f in found}
    assert {f.record for f in found} == {"sdmbench-2024"}
