"""What was trained on is told from the prediction, read again, and never scored."""

from __future__ import annotations

import pytest

from histoscribe.bench import evaluate, training_from_prediction
from histoscribe.bench.training import relation
from histoscribe.core.errors import DataError, LeakError
from histoscribe.io import read


@pytest.fixture
def on_disk(sections, tmp_path):
    """Two sections written as AnnData files and read as a user would."""
    read_back = []
    for section in sections[:3]:
        path = tmp_path / f"{section.name}.h5ad"
        section.table.write_h5ad(path)
        read_back.append(read("h5ad", path, image="none", mpp=1.0, donor=section.donor))
    return read_back


def test_training_sections_are_read_again_from_the_prediction(on_disk, predict):
    found = training_from_prediction(predict(on_disk[0], training=on_disk[1:]))
    assert [(s.name, s.donor) for s in found] == [(s.name, s.donor) for s in on_disk[1:]]
    table = evaluate(predict(on_disk[0], training=on_disk[1:]), on_disk[0]).table
    assert table.loc["array-knn", "available"]


def test_a_moved_or_changed_file_leaves_the_method_scored_and_the_controls_with_the_reason(
    on_disk, predict, tmp_path, sections
):
    prediction = predict(on_disk[0], training=on_disk[1:])
    changed = sections[1].table[:, ::-1].copy()
    changed.write_h5ad(tmp_path / f"{sections[1].name}.h5ad")
    with pytest.raises(DataError, match=f"{sections[1].name}.* has changed since the model was fitted"):
        training_from_prediction(prediction)
    table = evaluate(prediction, on_disk[0]).table
    assert table["available"].to_dict() == {
        "toy": True,
        "array-knn": False,
        "colour-ridge": False,
        "log-depth-oracle": True,
        "sister-copy": False,
        "training-mean": True,
    }
    assert "has changed since" in table.loc["array-knn", "reason"]
    (tmp_path / f"{sections[1].name}.h5ad").unlink()
    with pytest.raises(DataError, match=r"cannot be read again from .*synthetic-2\.h5ad"):
        training_from_prediction(prediction)


def test_training_that_was_a_part_of_its_file_is_not_replaced_by_the_whole(on_disk, predict):
    half = on_disk[1].subset(range(30))
    with pytest.raises(DataError, match="has 64 observations in its files, but the model was fitted on 30"):
        training_from_prediction(predict(on_disk[0], training=[half]))


def test_a_prediction_that_names_no_training_says_so(sections, predict):
    with pytest.raises(DataError, match="does not say which sections"):
        training_from_prediction(predict(sections[0]))
    result = evaluate(predict(sections[0]), sections[0])
    assert "training donors unknown" in result.heading


def test_scoring_what_was_trained_on_is_refused(sections, predict, on_disk):
    with pytest.raises(LeakError, match="64 of its 64 scored observations"):
        evaluate(predict(sections[0]), sections[0], training=sections[:2])
    # Without the sections at hand, the files and options tell.
    with pytest.raises(LeakError, match="itself trained on"):
        evaluate(predict(on_disk[0], training=on_disk), on_disk[0], training=())


def test_relations_range_from_a_new_donor_to_the_same_section(sections, from_file):
    whole = from_file(sections[0], "abc")
    left, right = whole.subset(range(30)), whole.subset(range(30, 64))
    sister = from_file(sections[1], "def").replace(donor=whole.donor)
    assert relation(left, [], []) == "unknown"
    assert relation(left, [], [sections[2]]) == "new donor"
    assert relation(left, [], [sister, sections[2]]) == "same donor"
    assert relation(left, [], [right, sister]) == "same section"
    with pytest.raises(LeakError, match="30 of its 30"):
        relation(left, [], [whole])


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ([1, 2], "no test donor in training"),
        ("sister", "same donor in training: not a new-donor result"),
        ("part", "another part of the same section in training: not a new-donor result"),
    ],
)
def test_the_heading_says_whether_the_donor_was_new(training, said, sections, predict, from_file):
    whole = from_file(sections[0], "abc")
    test = whole.subset(range(32))
    chosen = (
        {
            "sister": [from_file(sections[1], "def").replace(donor=whole.donor)],
            "part": [whole.subset(range(32, 64))],
        }.get(training)
        if isinstance(training, str)
        else [sections[i] for i in training]
    )
    assert said in evaluate(predict(test), test, training=chosen).heading
