"""Plan: which files of a data set are wanted, before anything is downloaded."""

from __future__ import annotations

import fnmatch
import io
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean
from histoscribe.io.data._archive import safe_name
from histoscribe.io.data._download import Remote, Transfer, download
from histoscribe.io.data._http import announced_size
from histoscribe.io.data._hub import Hub, HubFile
from histoscribe.io.data._unpack import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from histoscribe.io.data._registry import DataSet, FileEntry

__all__ = ["Choice", "Item", "Plan", "plan_files"]


@dataclass(frozen=True)
class Choice:
    """What a user wants of a data set.

    Attributes
    ----------
    parts
        Parts, or ``("all",)``; empty: the data set's default.
    samples
        Patterns of sample names, as a shell's.
    where
        A pandas expression over the metadata table, e.g. ``organ == 'Breast'``.
    everything
        Confirms that all samples are wanted, where that is much.
    revision
        Branch, tag or commit of a hub's data set; by default that of the registry.
    """

    parts: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    where: str = ""
    everything: bool = False
    revision: str = ""


@dataclass(frozen=True)
class Item:
    """One file that is wanted.

    Attributes
    ----------
    path
        Where it goes, relative to the data set's folder; for an archive a name that tells it from others.
    part, sample
        Part, and sample or "".
    remote
        Where it comes from.
    archive
        True where it is unpacked and not kept.
    into, places, password
        How it is unpacked.
    announced
        Bytes that the server announces where the registry knows none: for display, nothing is checked against it.
    """

    path: str
    part: str
    sample: str
    remote: Remote
    archive: bool = False
    into: str = ""
    places: tuple[Place, ...] = ()
    password: str | None = None
    announced: int | None = None

    @property
    def size(self) -> int | None:
        """Bytes, as far as is known."""
        return self.remote.size if self.remote.size is not None else self.announced


@dataclass(frozen=True)
class Plan:
    """All files that are wanted.

    `revision` is the commit of a hub's data set, else "". `samples` are those that files were chosen of.
    """

    data_set: DataSet
    items: tuple[Item, ...]
    samples: tuple[str, ...]
    revision: str = ""

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(item.size or 0 for item in self.items)

    @property
    def unknown(self) -> int:
        """Number of files whose size is not known."""
        return sum(item.size is None for item in self.items)

    def with_sizes(self, transfer: Transfer | None = None) -> Plan:
        """Return the plan with the sizes that servers announce for files of which the registry knows none."""
        timeout = min(10.0, (transfer or Transfer()).timeout_s)

        def ask(item: Item) -> Item:
            if item.size is not None:
                return item
            size = announced_size(item.remote.url, headers=item.remote.headers, timeout=timeout)
            return replace(item, announced=size)

        with ThreadPoolExecutor(max_workers=8) as pool:
            return replace(self, items=tuple(pool.map(ask, self.items)))


def plan_files(data_set: DataSet, choice: Choice, *, scratch: Path, transfer: Transfer | None = None) -> Plan:
    """List the files that `choice` wants of `data_set`.

    Parameters
    ----------
    scratch
        Folder for a metadata table that has to be read first.

    Raises
    ------
    DataError
        If a part, sample or column does not exist, nothing is chosen, or everything is and that is too much.
    """
    parts = _parts(data_set, choice)
    if data_set.select and not (choice.samples or choice.where or choice.everything):
        size = f" ({data_set.size_gb:g} GB)" if data_set.size_gb else ""
        msg = (
            f"all of {data_set.id}{size} is more than most want. Name samples (--sample 'TENX9*'), or choose them by "
            f"the metadata table (--where), or give --all. --dry-run shows what would come."
        )
        raise DataError(msg)
    if data_set.hub is not None:
        return _from_hub(data_set, choice, parts, scratch, transfer)
    if choice.where or choice.revision:
        what = "--where: it has no metadata table" if choice.where else "--revision: it is not on a hub"
        msg = f"{data_set.id} takes no {what}. Leave it out; --sample takes the names that `info` shows."
        raise DataError(msg)
    samples = _match(data_set.samples, choice.samples, data_set.id) if choice.samples else data_set.samples
    items = [item for entry in data_set.files if entry.part in parts for item in _items(data_set, entry, samples)]
    return Plan(data_set, tuple(items), tuple(samples))


def _parts(data_set: DataSet, choice: Choice) -> tuple[str, ...]:
    if choice.parts == ("all",):
        return data_set.parts
    for part in choice.parts:
        if part not in data_set.parts:
            msg = f"{data_set.id} has no part {part!r}. {did_you_mean(part, [*data_set.parts, 'all'])}"
            raise DataError(msg)
    return choice.parts or data_set.default_parts


def _match(names: Sequence[str], patterns: Sequence[str], where: str) -> tuple[str, ...]:
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            msg = f"{where} has no sample {pattern!r}. {did_you_mean(pattern, list(names))}"
            raise DataError(msg)
    return tuple(name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns))


def _items(data_set: DataSet, entry: FileEntry, samples: Sequence[str]) -> list[Item]:
    if "{sample}" not in entry.url + entry.to + entry.into:
        return [_item(entry, "")]
    return [_item(entry, sample) for sample in entry.samples or data_set.samples if sample in samples]


def _item(entry: FileEntry, sample: str) -> Item:
    def fill(text: str) -> str:
        return text.replace("{sample}", sample)

    url = fill(entry.url)
    remote = Remote(url, entry.sizes.get(sample, entry.size), entry.checksums.get(sample, entry.checksum))
    path = fill(entry.to) or f"{entry.part}/{fill(entry.into) or '.'}/{url.rpartition('/')[2]}"
    places = tuple(Place(p.member, p.to, p.gunzip) for p in entry.place)
    return Item(
        path, entry.part, sample, remote, archive=entry.unpack, into=fill(entry.into), places=places,
        password=entry.password,
    )  # fmt: skip


def _from_hub(
    data_set: DataSet, choice: Choice, parts: tuple[str, ...], scratch: Path, transfer: Transfer | None
) -> Plan:
    entry = data_set.hub
    assert entry is not None
    hub = Hub(entry.repo, transfer=transfer)
    commit = hub.commit(choice.revision or entry.revision)
    tables = _tables(hub, commit, entry.table)
    wanted: tuple[str, ...] | None = None
    if choice.where:
        if not tables:
            msg = f"{data_set.id} has no metadata table, so --where cannot choose from it. Use --sample."
            raise DataError(msg)
        table = _read_table(hub, commit, tables[-1], scratch, transfer)
        wanted = _rows(table, choice.where, entry.table_id, tables[-1].path)
    folders = list(dict.fromkeys(f.replace("{part}", p) for p in parts for f in entry.folders)) or [""]
    found = []
    for folder in folders:
        for file in hub.files(commit, folder):
            match = re.fullmatch(entry.layout, file.path)
            if match and match["part"] in parts:
                found.append((file, match["part"], match.groupdict().get("id") or ""))
    names = tuple(sorted({name for _, _, name in found if name}))
    chosen = _match(names, choice.samples, data_set.id) if choice.samples else names
    if wanted is not None:
        chosen = tuple(name for name in chosen if name in set(wanted))
    if not chosen:
        msg = (
            f"nothing of {data_set.id} is chosen: {len(names)} samples are there in the parts {', '.join(parts)}. "
            "Widen --sample or --where."
        )
        raise DataError(msg)
    keep = set(chosen)
    items = [
        _hub_item(hub, commit, file, part=part, sample=name, unpack=entry.unpack)
        for file, part, name in found
        if not name or name in keep
    ]
    if tables:
        items.append(_hub_item(hub, commit, tables[-1], part="table"))
    return Plan(data_set, tuple(items), chosen, commit)


def _hub_item(hub: Hub, commit: str, file: HubFile, *, part: str, sample: str = "", unpack: str = "") -> Item:
    path = safe_name(file.path, archive=_listing(hub))
    archive = bool(unpack and re.fullmatch(unpack, path))
    into = path.rpartition("/")[0] if archive else ""
    return Item(path, part, sample, hub.remote(file, commit), archive=archive, into=into)


def _listing(hub: Hub) -> Any:
    return f"the listing of {hub.repo}"


def _tables(hub: Hub, commit: str, pattern: str) -> list[HubFile]:
    """Return the metadata tables, the one of the highest numbers last."""
    if not pattern:
        return []
    folder = pattern.rpartition("/")[0]
    found = [
        (tuple(int(number or 0) for number in match.groups()), file)
        for file in hub.files(commit, folder, recursive=False)
        if (match := re.fullmatch(pattern, file.path))
    ]
    # By date where the number is one written as MMDDYYYY.
    return [file for _, file in sorted(found, key=lambda pair: (pair[0], pair[1].path))]


def _read_table(hub: Hub, commit: str, file: HubFile, scratch: Path, transfer: Transfer | None) -> pd.DataFrame:
    import pandas as pd

    path = scratch / "table.csv"
    download(hub.remote(file, commit), path, transfer=transfer)
    try:
        # HEST's table begins with a byte order mark.
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        return pd.read_csv(io.StringIO(text), dtype=object)
    except (OSError, ValueError) as err:
        msg = f"the metadata table {file.path} cannot be read ({err}). Choose with --sample instead."
        raise DataError(msg) from err
    finally:
        path.unlink(missing_ok=True)


def _rows(table: pd.DataFrame, where: str, column: str, name: str) -> tuple[str, ...]:
    import pandas as pd

    if column not in table:
        msg = f"the metadata table {name} has no column {column!r}. Choose with --sample instead."
        raise DataError(msg)
    typed = table.apply(_numbers)
    try:
        keep = typed.eval(where, engine="python")
    except Exception as err:
        columns = ", ".join(map(str, table.columns[:30]))
        msg = (
            f"--where {where!r} cannot be applied ({err}); the columns are {columns}. Give e.g. \"organ == 'Breast'\"."
        )
        raise DataError(msg) from err
    if not isinstance(keep, pd.Series) or keep.dtype != bool:
        msg = f"--where {where!r} is not true or false for each sample. Give a comparison, e.g. \"organ == 'Breast'\"."
        raise DataError(msg)
    return tuple(str(value).strip() for value in table.loc[keep, column])


def _numbers(values: pd.Series) -> pd.Series:
    """Turn a column into numbers where all of its values are some."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if (numbers.notna() == values.notna()).all() else values.fillna("")
