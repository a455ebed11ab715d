"""The registry: data sets that can be had by name, one TOML file each; what is not known is left out, never guessed."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from histoscribe.core.errors import DataError, RegistryError
from histoscribe.core.registry import did_you_mean
from histoscribe.io.data._checksum import is_checksum

__all__ = ["DataSet", "FileEntry", "HubEntry", "PlaceEntry", "data_set", "data_sets", "parse_data_set"]

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Text = Annotated[str, StringConstraints(min_length=1)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class PlaceEntry(_Model):
    """Members of an archive that match `member` (a regular expression) go to `to`, perhaps without their gzip layer."""

    member: Text
    to: Text
    gunzip: bool = False


class FileEntry(_Model):
    """A file at an address; with ``{sample}`` in it, one for each sample.

    Attributes
    ----------
    part
        What it belongs to: the word of ``--parts``.
    url
        Its address.
    to
        Where it goes, relative to the data set's folder; empty for an archive.
    unpack
        True for a zip or tar archive, which is unpacked and not kept.
    into
        Folder that the members' own names are below; for an archive without `place`.
    place
        Which members of an archive go where; empty: all of them.
    password, password_source
        Password of the archive, and where its authors published it.
    size, checksum
        Bytes and checksum, where they are known for one file.
    sizes, checksums
        The same for each sample.
    samples
        Samples that this file exists for; empty: all of the data set.
    """

    part: Text
    url: Url
    to: str = ""
    unpack: bool = False
    into: str = ""
    place: tuple[PlaceEntry, ...] = ()
    password: str | None = None
    password_source: str = ""
    size: int | None = Field(default=None, ge=0)
    checksum: str | None = None
    sizes: dict[str, int] = {}
    checksums: dict[str, str] = {}
    samples: tuple[Text, ...] = ()

    @field_validator("checksum")
    @classmethod
    def _known_kind(cls, value: str | None) -> str | None:
        if value is not None and not is_checksum(value):
            msg = f"{value!r} is no sha256:, md5: or git-sha1: checksum"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> FileEntry:
        if self.unpack == bool(self.to) or ((self.place or self.into) and not self.unpack):
            msg = "give `to` for a file that is kept, or `unpack` (with `into` or `place`) for an archive"
            raise ValueError(msg)
        if bad := [c for c in self.checksums.values() if not is_checksum(c)]:
            msg = f"{bad[0]!r} is no sha256:, md5: or git-sha1: checksum"
            raise ValueError(msg)
        if self.password and not self.password_source:
            msg = "a password needs its source: where did the authors publish it?"
            raise ValueError(msg)
        return self


class HubEntry(_Model):
    """A data set on the Hugging Face hub.

    Attributes
    ----------
    repo, revision
        Its id, and the branch, tag or commit; a branch is resolved to its commit before anything is downloaded.
    layout
        Regular expression over paths with the groups `part` and, for files of one sample, `id`. Paths that do not
        match are no part of the data.
    parts
        Parts that exist, and with them the words of ``--parts``.
    default
        Parts that are fetched if none is named.
    folders
        Folders to list, where one listing of everything would be long: ``{part}`` is filled in. Empty: all at once.
    unpack
        Regular expression of archives that are unpacked beside where they lie.
    table, table_id
        Regular expression of the metadata table's path (of several, the one of highest numbers counts), and its column
        with the samples' ids.
    """

    repo: Text
    revision: Text = "main"
    layout: Text
    parts: tuple[Text, ...]
    default: tuple[Text, ...]
    folders: tuple[Text, ...] = ()
    unpack: str = ""
    table: str = ""
    table_id: str = "id"


class DataSet(_Model):
    """A data set that can be had by name.

    Attributes
    ----------
    id, title
        Name in this registry, and the name that its authors gave it.
    catalogue
        Id of the catalogue's record; empty where it has none.
    paper
        Key of the paper to cite; empty where there is none.
    licence, licence_source
        As its source states it, and that source.
    homepage
        Where a person reads about it, and accepts a form where there is one.
    gated
        Needs an account, and a form that was accepted.
    platform
        Words of the catalogue: visium, visium-hd, st, xenium.
    species, donors
        Species; donor of each sample, where known.
    size_gb
        About how much all of it is, GB, where known.
    note
        What a user should know before.
    read
        Specifications of sections: ``{dir}`` is the data set's folder, ``{sample}`` a sample.
    samples
        Names of the samples, where they are listed here.
    default
        Parts that are fetched if none is named; empty: all.
    select
        True where all of it is too much: samples, or ``--all``, must be named.
    files, hub
        Either files at addresses, or a data set of the hub.
    """

    id: Id
    title: Text
    catalogue: str = ""
    paper: str = ""
    licence: Text
    licence_source: Text
    homepage: Url
    gated: bool = False
    platform: tuple[Text, ...]
    species: tuple[Text, ...] = ()
    donors: dict[str, str] = {}
    size_gb: float | None = None
    note: str = ""
    read: tuple[Text, ...]
    samples: tuple[Text, ...] = ()
    default: tuple[Text, ...] = ()
    select: bool = False
    files: tuple[FileEntry, ...] = ()
    hub: HubEntry | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataSet:
        if bool(self.files) == bool(self.hub):
            msg = "give either [[files]] or [hub]"
            raise ValueError(msg)
        lacking = sorted(set(self.default) - set(self.parts)) if self.files else []
        if lacking:
            msg = f"default names the parts {lacking}, which no file belongs to"
            raise ValueError(msg)
        for entry in self.files:
            if ("{sample}" in entry.url or "{sample}" in entry.to) and not (entry.samples or self.samples):
                msg = f"{entry.url} stands for each sample, but no samples are listed"
                raise ValueError(msg)
        for pattern in filter(None, (self.hub.layout, self.hub.table, self.hub.unpack) if self.hub else ()):
            re.compile(pattern)
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that exist, in order."""
        return self.hub.parts if self.hub else tuple(dict.fromkeys(entry.part for entry in self.files))

    @property
    def default_parts(self) -> tuple[str, ...]:
        """Parts that are fetched if none is named."""
        return (self.hub.default if self.hub else self.default) or self.parts


def parse_data_set(text: str, *, where: str) -> DataSet:
    """Read one entry from TOML.

    Raises
    ------
    DataError
        Naming the field that is wrong.
    """
    try:
        return DataSet.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as err:
        msg = f"{where} is not valid TOML ({err}). Correct it."
        raise DataError(msg) from err
    except ValidationError as err:
        first = err.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the entry"
        msg = f"{where}: {field}: {first['msg']}. Correct it."
        raise DataError(msg) from err


@cache
def data_sets() -> dict[str, DataSet]:
    """Return every data set by id, in order of their names."""
    folder: Any = files("histoscribe.io.data").joinpath("sets")
    found = [
        parse_data_set(path.read_text(encoding="utf-8"), where=path.name)
        for path in folder.iterdir()
        if path.name.endswith(".toml")
    ]
    return {entry.id: entry for entry in sorted(found, key=lambda entry: entry.id)}


def data_set(name: str) -> DataSet:
    """Return one data set.

    Raises
    ------
    RegistryError
        If it does not exist, with the nearest names.
    """
    known = data_sets()
    if name not in known:
        msg = f"no data set is called {name!r}. {did_you_mean(name, list(known))}"
        raise RegistryError(msg)
    return known[name]
