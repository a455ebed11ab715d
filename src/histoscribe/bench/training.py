"""What a prediction's model was trained on, and how that relates to the section it is scored on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.core import keys
from histoscribe.core.errors import DataError, HistoScribeError, LeakError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["Relation", "donors", "relation", "same_source", "training_entries", "training_from_prediction"]

Relation = Literal["new donor", "same donor", "same section", "unknown"]


def training_entries(prediction: AnnData) -> list[dict[str, Any]]:
    """Return what the prediction says about its training sections: name, donor, reader, path, options, digest."""
    text = dict(prediction.uns.get(keys.UNS, {})).get("training", "[]")
    try:
        return [dict(entry) for entry in json.loads(text)]
    except (TypeError, ValueError) as err:
        msg = f"uns['{keys.UNS}']['training'] is not a JSON list of sections ({err}). Predict again."
        raise DataError(msg) from err


def training_from_prediction(prediction: AnnData) -> list[Section]:
    """Read the training sections again from where the prediction says they came from.

    Raises
    ------
    DataError
        If the prediction names none, a section did not come from files, its files moved, or their content changed.
    """
    from histoscribe.io import read

    entries = training_entries(prediction)
    if not entries:
        msg = "the prediction does not say which sections its model was trained on. Give them (--train, training=)."
        raise DataError(msg)
    sections = []
    for entry in entries:
        name = entry["name"]
        if not entry.get("reader"):
            msg = f"training section {name!r} was not read from files. Give the training sections (--train, training=)."
            raise DataError(msg)
        try:
            section = read(entry["reader"], entry["path"], **entry.get("options", {}))
        except (HistoScribeError, OSError) as err:
            msg = (
                f"training section {name!r} cannot be read again from {entry['path']} ({err}) Give the training "
                "sections (--train, training=)."
            )
            raise DataError(msg) from err
        found = section.origin.digest if section.origin is not None else ""
        if found != entry["digest"]:
            msg = (
                f"training section {name!r} at {entry['path']} has changed since the model was fitted (its checksum "
                "differs). Restore the files, or give the training sections (--train, training=)."
            )
            raise DataError(msg)
        if section.n_obs != entry.get("n_obs", section.n_obs):
            msg = (
                f"training section {name!r} has {section.n_obs} observations in its files, but the model was fitted on "
                f"{entry['n_obs']} of them. Give the training sections (--train, training=)."
            )
            raise DataError(msg)
        sections.append(section.replace(name=name, donor=entry["donor"]))
    return sections


def relation(test: Section, entries: Sequence[Mapping[str, Any]], training: Sequence[Section] = ()) -> Relation:
    """Say how a test section relates to what was trained on.

    Parameters
    ----------
    test
        The section scored, only the observations that are scored.
    entries
        What the prediction says (`training_entries`).
    training
        Training sections at hand, if any.

    Raises
    ------
    LeakError
        If observations of `test` were themselves trained on.
    """
    if not entries and not training:
        return "unknown"
    for section in training:
        if not _is_same(test, _entry(section)):
            continue
        shared = test.table.obs_names.intersection(section.table.obs_names)
        if len(shared):
            _leak(test, f"{len(shared)} of its {test.n_obs} scored observations")
    described = [*entries, *(_entry(s) for s in training)]
    same = [entry for entry in described if _is_same(test, entry)]
    # Without the sections at hand: the same files read in the same way with as many observations.
    own = (dict(test.origin.options), test.n_obs) if test.origin is not None else None
    if not training and any((e.get("options"), e.get("n_obs")) == own for e in same):
        _leak(test, "all of it")
    if same:
        return "same section"
    return "same donor" if test.donor in {e["donor"] for e in described} else "new donor"


def _leak(test: Section, what: str) -> None:
    msg = (
        f"section {test.name!r} was itself trained on ({what}), so its score says nothing. Evaluate on a section that "
        "the model never saw."
    )
    raise LeakError(msg)


def _entry(section: Section) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": section.name, "donor": section.donor, "digest": ""}
    if section.origin is not None:
        entry |= {"digest": section.origin.digest, "options": dict(section.origin.options)}
    return entry


def donors(entries: Sequence[Mapping[str, Any]], training: Sequence[Section]) -> list[str]:
    """Return the names of all training donors, sorted."""
    return sorted({str(e["donor"]) for e in entries} | {s.donor for s in training})


def same_source(a: Section, b: Section) -> bool:
    """Say whether two sections are the same tissue section, or parts of one."""
    return _is_same(a, _entry(b))


def _is_same(test: Section, entry: Mapping[str, Any]) -> bool:
    """Same expression files; without checksums, same name of the same donor."""
    own = test.origin.digest if test.origin is not None else ""
    if own and entry.get("digest"):
        return bool(own == entry["digest"])
    return test.name == entry["name"] and test.donor == entry["donor"]
