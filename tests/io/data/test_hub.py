"""Data sets of the hub: selection by sample, table and part; pages, tokens and gates."""

from __future__ import annotations

import hashlib
import json
import zipfile
from io import BytesIO

import pytest

from histoscribe.core.errors import DataError
from histoscribe.io.data import Choice, data_set, fetch, plan_files
from histoscribe.io.data._hub import hub_token

COMMIT = "c0ffee" * 6 + "c0ff"
TABLE = (
    "\ufeffdataset_title,id,organ,patient,nb_genes\n"
    "One,TENX95,Breast,P1,541\nTwo,NCBI7,Breast, ,33000\nThree,NCBI70,Kidney,P2,9\n"
)


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class FakeHub:
    """A hub with one data set, on the misbehaving server: pages of three entries, large files on another host name."""

    def __init__(self, server, repo, files, *, gated=False):
        self.server, self.repo, self.files, self.gated = server, repo, files, gated
        server.files[f"/api/datasets/{repo}/revision/main"] = lambda h: self._api(h, {"sha": COMMIT})
        server.files[f"/api/datasets/{repo}/tree/{COMMIT}"] = self._tree
        folders = {"/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 1)}
        for folder in folders:
            server.files[f"/api/datasets/{repo}/tree/{COMMIT}/{folder}"] = self._tree
        for path, content in files.items():
            server.files[f"/datasets/{repo}/resolve/{COMMIT}/{path}"] = self._resolve
            server.serve(f"/cdn/{path}", content)

    def _allowed(self, handler):
        return not self.gated or handler.headers.get("Authorization") == "Bearer hf_good"

    def _refusal(self, handler):
        return self.server.answer(b"", always=("status", 401 if handler.headers.get("Authorization") is None else 403))

    def _api(self, handler, value, headers=None):
        return self.server.answer(json.dumps(value).encode(), kind="application/json", headers=headers or {})

    def _tree(self, handler):
        if not self._allowed(handler):
            return self._refusal(handler)
        path, _, query = handler.path.partition("?")
        folder = path.partition(COMMIT)[2].lstrip("/")
        deep, start = "recursive=True" in query, int(query.partition("cursor=")[2] or 0)
        names = [n for n in self.files if n.startswith(f"{folder}/" if folder else "")]
        if not deep:
            names = [n for n in names if "/" not in n[len(folder) + bool(folder) :]]
        entries = [{"type": "directory", "path": "st", "oid": "0", "size": 0}]
        for name in names:
            data = self.files[name]
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)}
            if len(data) > 60:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        more = {}
        if start + 3 < len(entries):
            more = {"Link": f'<{self.server.url(path)}?recursive={deep}&cursor={start + 3}>; rel="next"'}
        return self._api(handler, entries[start : start + 3], more)

    def _resolve(self, handler):
        if not self._allowed(handler):
            return self._refusal(handler)
        path = handler.path.partition(f"{COMMIT}/")[2]
        return self.server.answer(
            b"", always=("redirect", self.server.url(f"/cdn/{path}?Signature=s", host="localhost"))
        )


def zipped():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("TENX95_cellvit_seg.geojson", b"{}")
    return buffer.getvalue()


FILES = {
    "README.md": b"read me",
    "HEST_v1_0_0.csv": b"id\nOLD\n",
    "HEST_v1_10_0.csv": TABLE.encode(),
    "HEST_v1_9_0.csv": b"id\nOLD\n",
    "st/TENX95.h5ad": b"a" * 100,
    "st/NCBI7.h5ad": b"b" * 100,
    "st/NCBI70.h5ad": b"c" * 100,
    "wsis/TENX95.tif": b"d" * 300,
    "wsis/NCBI7.tif": b"e" * 300,
    "metadata/TENX95.json": b"{}",
    "tissue_seg/NCBI7_contours.geojson": b"{}",
    "cellvit_seg/TENX95_cellvit_seg.geojson.zip": zipped(),
}


@pytest.fixture
def hub(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    return FakeHub(server, "MahmoodLab/hest", FILES)


@pytest.fixture
def plan(tmp_path, transfer):
    def run(**choice):
        choice = {k: tuple(v) if isinstance(v, list) else v for k, v in choice.items()}
        return plan_files(data_set("hest-1k"), Choice(**choice), scratch=tmp_path / "scratch", transfer=transfer)

    return run


def paths(plan):
    return sorted(item.path for item in plan.items)


def test_files_of_a_sample_begin_with_its_id_and_no_longer_one(hub, plan):
    chosen = plan(samples=["NCBI7"])
    assert paths(chosen) == ["HEST_v1_10_0.csv", "st/NCBI7.h5ad", "tissue_seg/NCBI7_contours.geojson", "wsis/NCBI7.tif"]
    assert chosen.revision == COMMIT
    assert chosen.size == 100 + 300 + 2 + len(TABLE.encode())


def test_the_metadata_table_of_the_highest_version_chooses_samples(hub, plan):
    chosen = plan(where="organ == 'Breast' and nb_genes > 1000")
    assert chosen.samples == ("NCBI7",)
    assert plan(where="patient == 'P2'", parts=["st"]).samples == ("NCBI70",)
    with pytest.raises(DataError, match="columns are dataset_title, id, organ"):
        plan(where="tissue == 1")
    with pytest.raises(DataError, match="nothing of hest-1k is chosen"):
        plan(where="organ == 'Moon'")


def test_everything_must_be_asked_for(hub, plan):
    with pytest.raises(DataError, match=r"all of hest-1k \(2000 GB\) is more than most want"):
        plan()
    assert len(plan(everything=True, parts=["st"]).items) == 4


def test_a_subset_is_fetched_over_redirects_with_checksums_and_archives_are_unpacked(
    hub, plan, server, tmp_path, transfer
):
    chosen = plan(samples=["TENX95"], parts=["st", "metadata", "cellvit_seg"])
    fetched = fetch(chosen, tmp_path / "hest", transfer=transfer, show=False)
    expected = ["HEST_v1_10_0.csv", "cellvit_seg/TENX95_cellvit_seg.geojson", "metadata/TENX95.json", "st/TENX95.h5ad"]
    assert sorted(fetched.new) == expected
    manifest = json.loads((tmp_path / "hest/histoscribe.json").read_text())
    assert manifest["revision"] == COMMIT
    assert manifest["files"]["st/TENX95.h5ad"]["checked"] == "hub"
    assert manifest["files"]["st/TENX95.h5ad"]["sample"] == "TENX95"
    assert "Signature" not in (tmp_path / "hest/histoscribe.json").read_text()
    again = fetch(chosen, tmp_path / "hest", transfer=transfer, show=False)
    assert again.new == []


def test_a_file_whose_bytes_are_not_those_of_the_listing_is_refused(hub, plan, server, tmp_path, transfer):
    server.files["/cdn/st/TENX95.h5ad"].content = b"x" * 100
    with pytest.raises(DataError, match="Nothing was kept"):
        fetch(plan(samples=["TENX95"], parts=["st"]), tmp_path / "hest", transfer=transfer, show=False)
    assert not (tmp_path / "hest/st/TENX95.h5ad").exists()


def test_a_gated_data_set_says_where_the_form_is_and_how_to_give_a_token(
    hub, plan, monkeypatch, tmp_path, transfer, server
):
    hub.gated = True
    with pytest.raises(DataError, match=r"\(401\).*form at https://huggingface.co/datasets/MahmoodLab/hest.*HF_TOKEN"):
        plan(samples=["TENX95"])
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    with pytest.raises(DataError, match=r"\(403\).*does not open it: accept the form") as caught:
        plan(samples=["TENX95"])
    assert "hf_bad" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    fetch(plan(samples=["TENX95"], parts=["st"]), tmp_path / "hest", transfer=transfer, show=False)
    assert set(server.asked("Authorization", "/cdn/st/TENX95.h5ad?Signature=s")) == {None}


def test_the_token_comes_from_the_environment_or_the_hub_s_own_file(tmp_path, monkeypatch):
    assert hub_token() is None
    home = tmp_path / "hub"
    home.mkdir()
    (home / "token").write_text("hf_file\n")
    monkeypatch.setenv("HF_HOME", str(home))
    assert hub_token() == "hf_file"
    monkeypatch.setenv("HF_TOKEN", " hf_env ")
    assert hub_token() == "hf_env"


def test_a_listing_that_is_no_listing_is_refused(server, plan, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    server.serve("/api/datasets/MahmoodLab/hest/revision/main", b"<html>", kind="application/json")
    with pytest.raises(DataError, match="does not answer as the hub does"):
        plan(samples=["TENX95"])


def test_a_path_that_leads_out_of_the_folder_is_refused(server, plan, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    FakeHub(server, "MahmoodLab/hest", {"st/TENX95.h5ad": b"a", "st/TENX95_/../../x": b""})
    # Its layout admits one folder and one file; anything deeper is no part of the data.
    assert paths(plan(samples=["TENX95"], parts=["st"])) == ["st/TENX95.h5ad"]


def test_slides_of_stimage_keep_names_with_plus_and_underscores(server, tmp_path, transfer, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    slide = "Mouse_Brain+Kidney_10X_02212023_Visium"
    files = {
        "meta/meta_all_gene.csv": b"slide,tissue\nold,x\n",
        "meta/meta_all_gene02122025.csv": f"slide,tissue\n{slide},Brain\n".encode(),
        f"Visium/coord/{slide}_coord.csv": b",yaxis,xaxis,r\n",
        f"Visium/gene_exp/{slide}_count.csv": b",A\n",
        f"Visium/image/{slide}.png": b"png",
        "ST/coord/Human_Breast_Andersson_10142021_ST_A1_coord.csv": b"",
    }
    FakeHub(server, "jiawennnn/STimage-1K4M", files)
    chosen = plan_files(
        data_set("stimage-1k4m"), Choice(where="tissue == 'Brain'"), scratch=tmp_path, transfer=transfer
    )
    assert chosen.samples == (slide,)
    fetched = fetch(chosen, tmp_path / "st", transfer=transfer, show=False)
    assert sorted(fetched.new) == [*sorted(p for p in files if slide in p), "meta/meta_all_gene02122025.csv"]
