"""The HEST suites: the published protocol against a plain transcription, its quirks one by one, and the clean suite."""

from __future__ import annotations

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from bench.hest import TASKS, write_embeddings, write_hest_suite
from histoscribe.bench import _pool, load_suite, plan, run_suite, runner
from histoscribe.bench._job import perform, prediction_path
from histoscribe.bench.board import make_boards
from histoscribe.bench.board_text import markdown, task_tables
from histoscribe.bench.embeddings import with_embeddings
from histoscribe.bench.folds import load_folds
from histoscribe.bench.published import published_scores, published_values
from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target, panel_counts
from histoscribe.methods import expression
from histoscribe.metrics import PUBLISHED
from histoscribe.testing import write_hest_bench


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The generated tree, features of its tiles, and jobs that run in this process while the source may change."""
    root = tmp_path_factory.mktemp("hest")
    tree = write_hest_bench(root / "hest-bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HISTOSCRIBE_DATA", str(root))
        patch.setattr(_pool.Pool, "_process", lambda self, job: perform(job))
        for module in (plan, runner):
            patch.setattr(module, "code_digest", lambda: "frozen")
        yield SimpleNamespace(root=root, tree=tree, features=write_embeddings(tree, root / "features"))


def run(here, name, **options):
    suite = load_suite(write_hest_suite(name, here.root))
    options = {"embeddings": here.features, "controls": False} | options
    return run_suite(suite, out=here.root / "results", work=here.root / "work", **options)


@pytest.fixture(scope="module")
def official(here):
    """The head as published and the tuned ridge, on the features at hand."""
    return [done.record for done in run(here, "hest-official")]


def stored(path, name):
    with h5py.File(path) as file:
        values = file[name][:]
    return [b.decode() for b in values.ravel()] if values.dtype.kind in "SO" else values


def transcribed(here, task, fold):
    """Truth and prediction of one fold, as the protocol is told: scikit-learn alone, from the files."""
    panel = json.loads((here.tree / task / "var_50genes.json").read_text())["genes"]
    sides = {}
    for side in ("train", "test"):
        X, Y = [], []
        for sample in pd.read_csv(here.tree / task / "splits" / f"{side}_{fold}.csv")["sample_id"]:
            barcodes = stored(here.tree / task / "patches" / f"{sample}.h5", "barcode")
            features = pd.DataFrame(
                stored(here.features / task / f"{sample}.h5", "embeddings"),
                index=stored(here.features / task / f"{sample}.h5", "barcodes"),
            )
            X.append(features.loc[barcodes].to_numpy())
            table = read_h5ad(here.tree / task / "adata" / f"{sample}.h5ad")
            Y.append(np.log1p(table[barcodes, panel].X.toarray().astype(np.float64)))
        sides[side] = (np.concatenate(X), np.concatenate(Y))
    (X, Y), (x, y) = sides["train"], sides["test"]
    scaler = StandardScaler().fit(X)
    X, x = scaler.transform(X), scaler.transform(x)
    pca = PCA(min(256, *X.shape), random_state=1)
    X, x = (v.astype(np.float32).astype(np.float64, order="C") for v in (pca.fit_transform(X), pca.transform(x)))
    model = Ridge(solver="lsqr", alpha=100 / (X.shape[1] * 50), fit_intercept=False, max_iter=1000, random_state=1)
    return y, model.fit(X, Y).predict(x), panel


def folds_of_tree():
    return [(task, i) for task, n in TASKS.items() for i in range(n)]


def test_the_official_score_is_that_of_a_plain_transcription(here, official):
    found = official[0].published["published_pcc_pooled"]
    scores = []
    for task, i in folds_of_tree():
        y, p, _ = transcribed(here, task, i)
        scores.append(np.mean([pearsonr(a, b)[0] for a, b in zip(y.T, p.T, strict=True)]))
    assert found["folds"] == pytest.approx(scores, abs=2e-6)
    means = [np.mean(scores[:3]), np.mean(scores[3:5]), np.mean(scores[5:])]
    assert [t["mean"] for t in found["tasks"].values()] == pytest.approx(means, abs=2e-6)
    assert found["tasks"]["ALPHA"]["sd"] == pytest.approx(np.std(scores[:3]), abs=2e-6)


def test_every_gene_agrees_with_the_transcription(here, official):
    (work,) = (here.root / "work" / "hest-official" / "hest-ridge").glob(f"{official[0].run_key}")
    for number, (task, i) in enumerate(folds_of_tree()):
        y, p, panel = transcribed(here, task, i)
        ours = read_h5ad(prediction_path(work / f"fold-{number}", 0))
        sample = pd.read_csv(here.tree / task / "splits" / f"test_{i}.csv")["sample_id"][0]
        values = ours[stored(here.tree / task / "patches" / f"{sample}.h5", "barcode"), panel].X
        theirs = [pearsonr(a, b)[0] for a, b in zip(y.T, p.T, strict=True)]
        assert [pearsonr(a, b)[0] for a, b in zip(y.T, values.T, strict=True)] == pytest.approx(theirs, abs=1e-6)


def test_a_task_apart_is_scored_but_not_averaged(official):
    found = official[0].published["published_pcc_pooled"]
    counted = [found["tasks"][task]["mean"] for task in ("ALPHA", "BETA")]
    assert found["tasks"]["GAMMA"]["mean"] is not None
    assert found["mean"] == pytest.approx(np.mean(counted), abs=2e-6)


def test_a_tuned_strength_and_an_intercept_score_higher_on_the_same_features(official):
    fixed, *tuned = (r.published["published_pcc_pooled"]["mean"] for r in official)
    assert [r.preset for r in official] == ["", "tuned", ""]
    assert min(tuned) > fixed + 0.1
    assert {r.encoder for r in official} == {"stored-features"}


def test_the_target_is_the_logarithm_of_raw_counts(here):
    section = load_folds(load_suite(write_hest_suite("hest-official", here.root)))[0][0]
    genes = list(section.table.var_names)
    target = load_suite(write_hest_suite("hest-official", here.root)).make_target()
    assert target.unit == "ln(1 + counts)"
    assert np.allclose(target(section, genes), np.log1p(panel_counts(section, genes)), atol=1e-7)
    deeper = section.table.copy()
    deeper.obs[keys.DEPTH] *= 10
    assert np.array_equal(target(section.replace(table=deeper), genes), target(section, genes))
    assert not np.array_equal(Target()(section.replace(table=deeper), genes), Target()(section, genes))


def test_there_is_no_intercept(here):
    """At the mean of the training features the head predicts 0, whatever the genes' mean."""
    fold = load_folds(load_suite(write_hest_suite("hest-official", here.root)))[1][0]
    train = [with_embeddings(s, here.features, task="ALPHA") for s in fold.split.train]
    options = {"target": Target(scale=1, library="none"), "encoder": "stored-features", "seed": 1}
    slot = keys.features("stored-features")
    at_mean = train[0].subset(np.array([0]))
    at_mean.table.obsm[slot] = np.concatenate([s.table.obsm[slot] for s in train]).mean(0, keepdims=True)
    fixed = expression("hest-ridge").fit(train, fold.genes, **options)
    assert np.abs(fixed.predict(at_mean).X).max() < 1e-4
    tuned = expression("ridge", centre=False).fit(train, fold.genes, **options)
    assert np.allclose(tuned.predict(at_mean).X[0], tuned.train_mean_, atol=1e-4)
    assert tuned.train_mean_.min() > 0.1


def test_the_correlation_is_pooled_over_sections():
    """Two sections that differ in level: nothing is predicted within one, everything between them."""
    zigzag, flat = np.array([[1.0], [2.0], [1.0], [2.0]]), np.array([[1.0], [1.0], [2.0], [2.0]])
    fold = [(zigzag, flat), (zigzag + 10, flat + 10)]
    assert PUBLISHED.get("published_pcc_a")([fold]).mean == pytest.approx(0)
    assert PUBLISHED.get("published_pcc_pooled")([fold]).mean > 0.98


def test_one_constant_gene_leaves_fold_task_and_average_undefined_and_is_named(rng):
    good = rng.normal(size=(6, 2))
    bad = good.copy()
    bad[:, 1] = 3.0
    folds = [[(good, good)], [(bad, good)], [(good, good)]]
    options = {"tasks": ["A", "A", "B"], "genes": [["X", "Y"]] * 3}
    found = published_scores(["published_pcc_pooled"], folds, **options)["published_pcc_pooled"]
    assert found["folds"] == [pytest.approx(1), None, pytest.approx(1)]
    assert found["tasks"]["A"]["mean"] is None
    assert found["tasks"]["B"]["mean"] == pytest.approx(1)
    assert found["mean"] is None
    assert found["constant"] == {"1": ["Y"]}


def test_a_stored_split_says_where_a_donor_is_on_both_sides(here):
    suite = load_suite(write_hest_suite("hest-official", here.root, donors={"BETA1": "P", "BETA2": "P"}))
    split = load_folds(suite)[1][3].split
    assert split.name == "BETA: fold 0, test BETA1 (donor P in training, too)"
    assert split.apart == "section"


def test_the_clean_suite_keeps_a_donors_samples_on_one_side(here):
    path = write_hest_suite(
        "hest-clean", here.root, donors={"ALPHA1": "P", "ALPHA2": "P"}, replace=[("folds = 7", "folds = 6")]
    )
    folds = [f for f in load_folds(load_suite(path))[1] if f.task == "ALPHA"]
    assert sorted(sorted(s.name for s in f.split.test) for f in folds) == [["ALPHA1", "ALPHA2"], ["ALPHA3"]]
    assert all(f.split.apart == "donor" for f in folds)


def test_clean_genes_are_chosen_without_the_test_sample(here, tmp_path, monkeypatch):
    path = write_hest_suite("hest-clean", tmp_path, n_genes=20, replace=[("n_genes = 50", "n_genes = 20")])
    before = {f.split.name: f.genes for f in load_folds(load_suite(path))[1]}
    assert len({tuple(genes) for genes in before.values()}) > 3
    other = tmp_path / "hest-bench"
    for file in here.tree.rglob("*"):
        if file.is_file():
            (other / file.relative_to(here.tree)).parent.mkdir(parents=True, exist_ok=True)
            (other / file.relative_to(here.tree)).write_bytes(file.read_bytes())
    table = read_h5ad(other / "ALPHA" / "adata" / "ALPHA1.h5ad")
    table.X = table.X.multiply(np.random.default_rng(0).integers(0, 5, table.shape)).tocsr()
    table.write_h5ad(other / "ALPHA" / "adata" / "ALPHA1.h5ad")
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    after = {f.split.name: f.genes for f in load_folds(load_suite(path))[1]}
    without = "ALPHA: without donor ALPHA1"
    assert after[without] == before[without]
    assert after["ALPHA: without donor ALPHA2"] != before["ALPHA: without donor ALPHA2"]


def test_the_clean_suite_normalises_scores_sections_and_publishes_nothing(here):
    (done,) = run(here, "hest-clean", methods=["ridge"])
    record = done.record
    assert record.protocol == "clean"
    assert record.published == {}
    assert record.target["library"] == "all measured genes"
    assert [row["section"] for row in record.per_section] == [f"{t}{i + 1}" for t, n in TASKS.items() for i in range(n)]
    assert 0.05 < record.scores["ridge"]["depth_partial_pcc_gene"] < 1
    (board,) = make_boards([record])
    assert board.published == []
    assert list(task_tables(board)) == ["pcc_gene by task: mean over donors"]


def test_controls_and_an_encoder_run_on_the_stored_tiles(here):
    alone = [('version = "1"', 'version = "1"\ncontrols = ["array-knn"]')]
    suite = load_suite(write_hest_suite("hest-clean", here.root, tasks={"BETA": 2}, replace=alone))
    options = {"methods": ["ridge"], "encoder": "colour", "out": here.root / "encoded", "work": here.root / "work"}
    control, ridge = (done.record for done in run_suite(suite, **options))
    assert "pcc_gene" in control.scores["array-knn"]
    assert ridge.encoder == "colour"
    assert ridge.scores["ridge"]["pcc_gene"] > 0.1


def test_the_board_shows_papers_values_beside_ours(official):
    (board,) = make_boards(official)
    text = markdown([board])
    assert "| published_pcc_pooled, ours | published_pcc_pooled, papers |" in text
    assert "| hest-ridge, h-optimus-1 (not run here) | – | 0.423 hest-1k-2024 |" in text
    assert "README of github.com/mahmoodlab/HEST of 3 Apr 2026" in text
    tables = task_tables(board)
    ours = dict(zip(tables["published_pcc_pooled by task, ours"].header[1:], range(9), strict=False))
    assert {"ALPHA", "BETA", "GAMMA"} <= set(ours)
    assert tables["published_pcc_pooled by task, papers"].rows[0][:3] == ["hest-ridge, h-optimus-1", "0.4229", "0.6024"]


def test_a_run_with_a_listed_encoder_stands_in_the_row_of_its_published_value(official):
    record = official[0]
    record = type(record)(**{**vars(record), "encoder": "resnet50"})
    text = markdown(make_boards([record]))
    (line,) = [row for row in text.splitlines() if "0.325 hest-1k-2024" in row]
    assert line.startswith("| hest-ridge | 0.")


def test_the_published_averages_are_those_of_the_nine_tasks():
    values = published_values("hest-official")
    averages = {v.encoder: v.value for v in values if not v.task}
    assert len(averages) == 26
    assert max(averages.items(), key=lambda kv: kv[1]) == ("h-optimus-1", 0.4229)
    for encoder, average in averages.items():
        tasks = [v.value for v in values if v.encoder == encoder and v.task]
        assert len(tasks) == 9
        assert np.mean(tasks) == pytest.approx(average, abs=1.1e-4)


@pytest.mark.parametrize("name", ["hest-official", "hest-clean"])
def test_the_packaged_suites_name_all_samples_and_correct_their_donors(name):
    data = load_suite(name).data
    assert len(data.every) == 72
    assert {task: len(names) for task, names in data.tasks.items()} == {
        "IDC": 4,
        "PRAD": 23,
        "PAAD": 3,
        "SKCM": 2,
        "COAD": 4,
        "READ": 4,
        "CCRCC": 24,
        "LUNG": 2,
        "LYMPH_IDC": 4,
        "HCC": 2,
    }
    donors = {task: {data.donors.get(n, n) for n in names} for task, names in data.tasks.items()}
    assert donors["COAD"] == {"TENX111", "COAD-P1", "COAD-P2", "COAD-P5"}
    assert (len(donors["PRAD"]), len(donors["READ"]), len(donors["CCRCC"])) == (2, 2, 24)
    assert data.donors["ZEN36"] == data.donors["ZEN40"] != data.donors["ZEN48"] == data.donors["ZEN49"]
    assert data.apart == ("HCC",)


def test_a_missing_or_incomplete_file_of_embeddings_is_named(here, tmp_path):
    with pytest.raises(DataError, match="'ALPHA1' has no embeddings.*one file for each section"):
        run(here, "hest-official", embeddings=tmp_path, methods=["hest-ridge"])
    section = load_folds(load_suite(write_hest_suite("hest-official", here.root)))[0][0]
    with h5py.File(tmp_path / "ALPHA1.h5", "w") as file:
        file["embeddings"] = np.zeros((2, 3), dtype=np.float32)
        file["barcodes"] = section.table.obs_names[:2].to_numpy().astype("S")
    with pytest.raises(DataError, match=f"lacks {section.n_obs - 2} of {section.n_obs} observations"):
        with_embeddings(section, tmp_path)


def test_embeddings_and_an_encoder_at_once_are_refused(here):
    with pytest.raises(DataError, match="were both given"):
        run(here, "hest-official", encoder="colour")
