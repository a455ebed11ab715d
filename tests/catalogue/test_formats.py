"""Export and import: round trips, and independent parsers that read what we write."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import bibtexparser
import pytest
from citeproc.source.json import CiteProcJSON
from hypothesis import given, settings
from hypothesis import strategies as st

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.formats import READERS, WRITERS, Entry, bibtex, csl, export, read_entries, ris
from histoscribe.core.errors import DataError


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


# Printable text of one line: what a title can hold. Private-use signs have no meaning that a file could keep.
signs = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
line = st.text(signs, min_size=1, max_size=60).map(lambda t: " ".join(t.split())).filter(bool)
letters = st.text(st.characters(categories=["Lu"], max_codepoint=0x24F), min_size=1, max_size=1)
small = st.text(st.sampled_from("abcdeéñøßłü'-"), min_size=1, max_size=10)
word = st.builds(lambda a, b: a + b.strip("-'"), letters, small)
person = st.builds(lambda f, g: f"{f}, {g}", st.lists(word, min_size=1, max_size=2).map(" ".join), word)
entries = st.builds(
    Entry,
    key=st.from_regex(r"[a-z]{1,8}-[0-9]{4}", fullmatch=True),
    kind=st.sampled_from(["article", "conference", "preprint", "other"]),
    title=line,
    authors=st.lists(person, max_size=4).map(tuple),
    year=st.none() | st.integers(1900, 2100),
    venue=st.none() | line,
    volume=st.none() | st.from_regex(r"[0-9]{1,3}(\([0-9]\))?", fullmatch=True),
    pages=st.none() | st.from_regex(r"[1-9][0-9]{0,3}-[1-9][0-9]{0,3}", fullmatch=True),
    doi=st.none() | st.from_regex(r"10\.[0-9]{4}/[a-z0-9][a-z0-9._()/-]{0,20}[a-z0-9]", fullmatch=True),
    arxiv=st.none() | st.from_regex(r"2[0-4](0[1-9]|1[0-2])\.[0-9]{5}", fullmatch=True),
    url=st.none() | st.from_regex(r"https://[a-z]{3,9}\.org/[a-z0-9/_~%&?=#-]{0,30}", fullmatch=True),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(entries, max_size=3, unique_by=lambda e: e.key))
@pytest.mark.parametrize("form", [bibtex, ris, csl], ids=["bibtex", "ris", "csl-json"])
def test_what_is_written_is_read_back(form, given_entries):
    text = form.write(given_entries)
    assert (form.read(text) if given_entries else []) == given_entries


@pytest.mark.parametrize("form", ["bibtex", "ris", "csl-json"])
def test_every_paper_survives_a_round_trip(catalogue, form):
    papers = list(catalogue.papers.values())
    expected = [Entry.of(p, catalogue.venues) for p in papers]
    assert READERS[form](export(catalogue, papers, form)) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # bibtexparser 1.4 calls pyparsing by its old names
def test_an_independent_parser_reads_our_bibtex(catalogue):
    papers = list(catalogue.papers.values())
    parser = bibtexparser.bparser.BibTexParser(common_strings=True, ignore_nonstandard_types=False)
    found = parser.parse(export(catalogue, papers, "bibtex")).entries_dict
    assert sorted(found) == sorted(p.id for p in papers)
    for paper in papers:
        entry = found[paper.id]
        assert entry.get("doi") == paper.doi
        assert entry.get("year") == (str(paper.year) if paper.year else None)
        plain = re.sub(r"\\([&%$#_])", r"\1", entry["title"]).replace("{", "").replace("}", "")
        assert " ".join(plain.split()) == " ".join(paper.title.split())


def test_an_independent_processor_reads_our_csl_json(catalogue):
    papers = list(catalogue.papers.values())
    source = CiteProcJSON(json.loads(export(catalogue, papers, "csl-json")))
    assert sorted(source) == sorted(p.id for p in papers)
    asign = source["asign-2025"]
    assert asign["author"][0].family == "Zhu"
    assert asign["issued"].year == 2025


def _plain_ris(text):
    """Read RIS by its published form: two capitals, two blanks, hyphen, blank; TY opens and ER closes a record."""
    records, current = [], None
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip() or re.fullmatch(r"\d+\.", row.strip()):
            continue
        found = re.fullmatch(r"([A-Z][A-Z0-9])  - ?(.*)", row)
        assert found, f"line {number} is no RIS: {row!r}"
        tag, value = found.groups()
        if tag == "TY":
            assert current is None, f"record opened twice in line {number}"
            current = {}
        current.setdefault(tag, []).append(value)
        if tag == "ER":
            records.append(current)
            current = None
    assert current is None
    return records


def test_a_parser_written_from_the_format_reads_our_ris(catalogue):
    papers = list(catalogue.papers.values())
    records = _plain_ris(export(catalogue, papers, "ris"))
    assert [r["ID"][0] for r in records] == [p.id for p in papers]
    for paper, record in zip(papers, records, strict=True):
        assert record["TI"] == [paper.title]
        assert record.get("DO", [None])[0] == paper.doi
        assert record.get("AU", []) == paper.authors


def test_bibtex_of_other_tools_is_understood():
    text = r"""@inproceedings{chung2024, title = {Accurate {HEST} {\"o}f 50\% H\&E},
      author = "P{\'e}rez, Jos{\'e} and van der Berg, Jan and others",
      booktitle = {Proc. {CVPR}}, pages = {11591--11600}, year = 2024,
      doi = {https://doi.org/10.1000/ABC}, eprint = {2403.07592v2}}"""
    (entry,) = bibtex.read(text)
    assert entry.title == "Accurate HEST öf 50% H&E"
    assert entry.authors == ("Pérez, José", "van der Berg, Jan", "others")
    assert (entry.pages, entry.year, entry.doi) == ("11591-11600", 2024, "10.1000/ABC")
    assert entry.arxiv == "2403.07592"


def test_csv_and_atom_hold_every_paper(catalogue):
    papers = list(catalogue.papers.values())
    rows = list(csv.DictReader(io.StringIO(export(catalogue, papers, "csv"))))
    assert [r["id"] for r in rows] == [p.id for p in papers]
    assert [r["title"] for r in rows] == [p.title for p in papers]
    feed = ET.fromstring(export(catalogue, papers, "atom"))
    ns = {"a": "http://www.w3.org/2005/Atom"}
    assert len(feed.findall("a:entry", ns)) == len(papers)
    for entry in feed.findall("a:entry", ns):
        assert entry.find("a:updated", ns).text.endswith("Z")
        assert entry.find("a:id", ns).text.startswith("tag:")


def test_a_bar_in_a_title_does_not_break_the_markdown_table(catalogue):
    paper = catalogue.paper("triplex-2024").model_copy(update={"title": "A | B [c]"})
    row = export(catalogue, [paper], "markdown").splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.bib", "@article{x, title = {A", "not BibTeX"),
        ("a.ris", "hello", "RIS"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[1]", "item 1 has no title"),
        ("a.docx", "x", "no known format"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(tmp_path, name, text, what):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=what):
        read_entries(tmp_path / name)


def test_an_unknown_format_is_answered_with_the_nearest(catalogue):
    with pytest.raises(DataError, match="Did you mean 'bibtex'"):
        export(catalogue, [], "bibtec")
    assert set(WRITERS) >= set(READERS)
