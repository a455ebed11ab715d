"""What a catalogue record may say: one pydantic model for papers, one for data sets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "Claim",
    "Code",
    "Conflict",
    "Dataset",
    "Method",
    "Modality",
    "Paper",
    "Record",
    "Result",
    "Venue",
    "Version",
    "Waiver",
    "json_schema",
]

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
Year = Annotated[int, Field(ge=1900, le=2100)]
Count = Annotated[int, Field(ge=0)]
Status = Literal["published", "preprint", "retracted", "unknown"]
Role = Literal["core", "related", "background"]


class _Model(BaseModel):
    # An unknown key is a typing mistake in a file that people write by hand, so it is refused by name.
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Claim(_Model):
    """One source of one field, and what it says where it disagrees with others.

    Attributes
    ----------
    source
        Key of ``sources.yaml``, or an address.
    value
        What this source says, where sources disagree.
    """

    source: Text
    value: str | int | None = None


class Conflict(_Model):
    """Sources disagree on a field; kept until a person decides.

    Attributes
    ----------
    field
        Field of the record, e.g. ``venue``.
    claims
        What each source says.
    decided
        The value that was chosen, or None while it is open.
    reason
        Why it was chosen, or what has to be looked up.
    """

    field: Text
    claims: Annotated[list[Claim], Field(min_length=1)]
    decided: str | int | None = None
    reason: Text


class Waiver(_Model):
    """A finding of ``papers check`` that a person has looked at and accepts.

    Attributes
    ----------
    rule
        Rule id.
    reason, by
        Why it is right as it stands, and who says so.
    about
        Other record, address or field that the finding names; None accepts every finding of the rule.
    """

    rule: Text
    reason: Annotated[str, StringConstraints(min_length=15)]
    by: Text
    about: Text | None = None


class Venue(_Model):
    """Where the cited version appeared: canonical name (see ``venues.yaml``) and track or remark."""

    name: Text
    track: Text | None = None


class Version(_Model):
    """One version of a work: a preprint, the article, a poster."""

    kind: Literal["preprint", "article", "abstract", "correction"]
    doi: Text | None = None
    arxiv: Text | None = None
    url: Url | None = None
    date: Date | None = None
    title: Text | None = None


class Method(_Model):
    """Name of the method and what else it is called; never a key, since names collide."""

    name: Text
    aliases: list[Text] = []


class Modality(_Model):
    """What goes in, what comes out, on which material; terms of the vocabulary.

    Attributes
    ----------
    inputs, outputs
        Terms of the vocabulary's `data`.
    histology
        Whether an H&E image is needed.
    resolution, platforms, organs, species
        Terms of the vocabulary; empty where not read.
    """

    inputs: list[Text] = []
    outputs: list[Text] = []
    histology: Literal["required", "optional", "unused"] | None = None
    resolution: list[Text] = []
    platforms: list[Text] = []
    organs: list[Text] = []
    species: list[Text] = []


class Code(_Model):
    """The authors' code: facts read in the repository, from which the ladder's rungs 1-4 follow.

    Attributes
    ----------
    url
        Repository; None where `status` is ``none``.
    status
        ``none``: looked for and not released. ``linked``: address known, contents not read. ``read``: contents read.
        ``incomplete``: read, and the paper's method is not in it.
    licence
        SPDX expression; ``none`` where the repository was read and has none; None where it was not read.
    environment, tests
        True/False where read: files that list the packages; automatic tests.
    weights, data
        Address or host where trained weights or prepared data are offered; ``none`` where read and absent.
    commit, last_commit, audited
        Commit and date of the state that was read, and when.
    cites
        Title of the paper that the repository's own citation block names.
    also
        Other addresses seen for the same code.
    note
        Anything else, in our own words.
    """

    url: Url | None = None
    status: Literal["none", "linked", "read", "incomplete"] = "linked"
    licence: Text | None = None
    environment: bool | None = None
    tests: bool | None = None
    weights: Text | None = None
    data: Text | None = None
    commit: Text | None = None
    last_commit: Date | None = None
    cites: Text | None = None
    also: list[Url] = []
    note: Text | None = None


class Result(_Model):
    """One number, with what it takes to compare it with another.

    Attributes
    ----------
    task, dataset
        Vocabulary term and data set id.
    split
        What is held out, e.g. ``leave-one-patient-out, 8 folds``.
    encoder
        Image encoder that the number was reached with; ``own`` where trained end to end.
    metric, value
        Axis-named metric and its value.
    origin
        ``paper``: reported by its authors. ``here``: measured by HistoScribe.
    source
        Where the number was read, for `origin` paper.
    benchmark, tolerance
        HistoScribe suite that follows the same protocol, and the largest difference that counts as reproduced.
    commit, seed
        State of the code and seed, for `origin` here.
    """

    task: Text
    dataset: Text
    split: Text | None = None
    encoder: Text | None = None
    metric: Text
    value: float
    origin: Literal["paper", "here"]
    source: Text | None = None
    benchmark: Text | None = None
    tolerance: Annotated[float, Field(gt=0)] | None = None
    commit: Text | None = None
    seed: int | None = None
    note: Text | None = None


class Record(_Model):
    """What papers and data sets share.

    Attributes
    ----------
    provenance
        Field name to the sources in which it was read.
    conflicts, waivers
        Disagreements that are kept; findings that are accepted, with the reason.
    mended
        What was wrong in a source and is right here, in our own words.
    """

    id: Id
    url: Url | None = None
    note: Text | None = None
    note_zh: Text | None = None
    provenance: dict[str, list[Text | Claim]] = {}
    conflicts: list[Conflict] = []
    mended: list[Text] = []
    waivers: list[Waiver] = []
    last_verified: Date | None = None


class Paper(Record):
    """One work, in all its versions.

    Attributes
    ----------
    authors
        ``Family, Given`` in order; empty where not read; ``others`` as the last where the source cuts the list.
    year
        Year of first publication of the cited version.
    doi
        DOI of the cited version; a preprint's DOI stands here only where the preprint is what is cited.
    arxiv
        arXiv id without version.
    role
        ``core``: joins histology and spatial transcriptomics. ``related``: neighbouring work.
        ``background``: cited by HistoScribe's own methods.
    founding
        Position among the eight papers that the list began with.
    tasks, approach
        Terms of the vocabulary, the most important first.
    datasets
        Ids of data set records; `datasets_unlisted` names those without a record.
    verified
        Field to the authority in which identifier and title were found together.
    """

    title: Text
    authors: list[Text] = []
    year: Year | None
    venue: Venue | None
    status: Status
    doi: Text | None = None
    arxiv: Text | None = None
    pages: Text | None = None
    volume: Text | None = None
    role: Role
    founding: Annotated[int, Field(ge=1)] | None = None
    tasks: Annotated[list[Text], Field(min_length=1)]
    approach: list[Text] = []
    method: Method | None = None
    modality: Modality = Modality()
    datasets: list[Text] = []
    datasets_unlisted: list[Text] = []
    versions: list[Version] = []
    code: Code | None = None
    results: list[Result] = []
    verified: dict[str, list[Text]] = {}


class Dataset(Record):
    """One data set, collection, portal, or set of predictions.

    Attributes
    ----------
    kind
        ``predicted`` marks model output, which must never serve as ground truth.
    n_spots
        Spots, bins or image-expression pairs.
    n_unlicensed, n_internal
        Samples that carry no licence; samples that their owner marks as internal.
    histology
        Whether images of the stained tissue are part of it.
    contains, overlaps
        Ids of data sets whose sections it holds; ids of those that share some sections or donors with it.
    paper
        Id of the paper that presents it.
    """

    name: Text
    aliases: list[Text] = []
    kind: Literal["cohort", "collection", "portal", "predicted"]
    paper: Text | None = None
    technology: list[Text] = []
    organs: list[Text] = []
    n_organs: Count | None = None
    species: list[Text] = []
    resolution: list[Text] = []
    n_samples: Count | None = None
    n_spots: Count | None = None
    n_donors: Count | None = None
    n_unlicensed: Count | None = None
    n_internal: Count | None = None
    release: Text | None = None
    doi: Text | None = None
    accession: list[Text] = []
    licence: Text | None = None
    gated: bool | None = None
    histology: bool | None = None
    image_mpp: float | None = None
    contains: list[Text] = []
    overlaps: list[Text] = []
    size: dict[str, int] = {}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of both kinds of record."""
    schemas = {name: model.model_json_schema() for name, model in (("paper", Paper), ("dataset", Dataset))}
    definitions: dict[str, Any] = {}
    for schema in schemas.values():
        definitions |= schema.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "HistoScribe catalogue record",
        "oneOf": [{"$ref": "#/$defs/Paper"}, {"$ref": "#/$defs/Dataset"}],
        "$defs": definitions | {"Paper": schemas["paper"], "Dataset": schemas["dataset"]},
    }
