"""Find the weights of a foundation model on this machine; nothing here touches the network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import WeightsError
from histoscribe.core.files import digest, read_json
from histoscribe.encoders._weight_files import check_file, content_digest, shard_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from histoscribe.encoders._model_card import EncoderCard

__all__ = ["PLACES", "AbsentWeightsError", "Weights", "find_weights", "hub_cache", "refuse_unusable", "weight_places"]

#: Where weights are looked for: paths, or ``name=path``, separated as in ``PATH``.
PLACES = "HISTOSCRIBE_WEIGHTS"
#: Set to 1 where only weights may be used that allow commercial use.
COMMERCIAL = "HISTOSCRIBE_COMMERCIAL"
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".index.json")


class AbsentWeightsError(WeightsError):
    """Nothing is wrong with the weights; they are just not here."""


@dataclass(frozen=True)
class Weights:
    """A file of weights, and the ``config.json`` that lies beside it.

    Attributes
    ----------
    file
        ``.safetensors``, its ``.index.json``, or a PyTorch file.
    config
        Path of the ``config.json``; None where there is none.
    place
        Where it was found, for people.
    revision
        Commit of the hub's repository, where the folder tells it.
    """

    file: Path
    config: Path | None
    place: str
    revision: str | None = None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file; of all files' digests where the weights are divided."""
        if self.file.name.endswith(".index.json"):
            return digest(*(content_digest(self.file.parent / part) for part in shard_names(self.file)))
        return content_digest(self.file)

    def settings(self) -> dict[str, Any]:
        """Return what ``config.json`` says; nothing where there is none."""
        return {} if self.config is None else read_json(self.config)


def find_weights(card: EncoderCard, weights: Path | str | None = None) -> Weights:
    """Find the weights of an encoder; the first place that has them counts.

    1. `weights`: a file, a folder in the hub's layout, or a folder that holds one by the encoder's name.
    2. `HISTOSCRIBE_WEIGHTS`: such paths, or ``name=path``, separated by ``:`` (``;`` on Windows).
    3. The cache of the Hugging Face hub (`HF_HUB_CACHE`, `HF_HOME`).

    Raises
    ------
    WeightsError
        If there are none, a named place lacks them, or they are not those that the card names.
    """
    if weights is not None:
        found = _within(Path(weights).expanduser(), card)
        if found is None:
            raise WeightsError(_nothing_at(Path(weights), card))
        return _checked(found, card)
    for name, path in weight_places():
        if name in (None, card.name):
            found = _within(path, card)
            if found is None and name is not None:
                raise WeightsError(_nothing_at(path, card))
            if found is not None:
                return _checked(found, card)
    cached = _in_hub_cache(hub_cache(), card)
    if cached is None:
        raise AbsentWeightsError(_how_to_get(card))
    return _checked(cached, card)


def weight_places(items: Iterable[str] | None = None) -> list[tuple[str | None, Path]]:
    """Split places of weights (default `HISTOSCRIBE_WEIGHTS`) into encoder, None for any, and path."""
    texts = os.environ.get(PLACES, "").split(os.pathsep) if items is None else list(items)
    places = []
    for text in filter(None, texts):
        name, equals, path = text.partition("=")
        # A path may hold an equals sign, too; an encoder's name holds no separator.
        named = bool(equals) and os.sep not in name
        places.append((name if named else None, Path(path if named else text).expanduser()))
    return places


def hub_cache() -> Path:
    """Return the folder in which huggingface_hub keeps what it downloads."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return Path(home).expanduser() / "hub"


def refuse_unusable(card: EncoderCard) -> None:
    """Refuse an encoder that HistoScribe cannot build, or whose licence does not fit the use that was declared.

    Raises
    ------
    WeightsError
        Saying why, and what to do instead.
    """
    if not card.loads:
        msg = (
            f"encoder {card.name!r} cannot be computed here: {card.why_not}. Compute its features with TRIDENT and "
            "read them with the reader 'trident', or take another encoder (histoscribe encoders list)."
        )
        raise WeightsError(msg)
    if os.environ.get(COMMERCIAL) == "1" and not card.commercial_use:
        msg = (
            f"the weights of {card.name!r} ({card.licence}) may not be used commercially, and {COMMERCIAL}=1 says that "
            "this is such a use. Take an encoder that may (histoscribe encoders list), or obtain a licence at "
            f"{card.address}."
        )
        raise WeightsError(msg)


def _within(path: Path, card: EncoderCard) -> Weights | None:
    """Look at a path that a user gave: a file, a model's folder, or a folder of several models."""
    if path.is_file():
        return _found(path, str(path))
    for folder in (path / card.name, path):
        found = _in_folder(folder, card)
        if found is not None:
            return found
    return _in_hub_cache(path, card)


def _in_folder(folder: Path, card: EncoderCard) -> Weights | None:
    names = [*card.files, *(f"{file}.index.json" for file in card.files)]
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    return None if file is None else _found(file, str(folder))


def _found(file: Path, place: str) -> Weights:
    config, folder = file.parent / "config.json", file.parent
    # The hub's cache names a folder by the commit that it holds.
    revision = folder.name if folder.parent.name == "snapshots" else None
    return Weights(file, config if config.is_file() else None, place, revision)


def _in_hub_cache(root: Path, card: EncoderCard) -> Weights | None:
    """Look into ``models--org--name/snapshots/<commit>``: the pinned commit, that of ``main``, or the only one."""
    repository = root / f"models--{card.hub.replace('/', '--')}"
    snapshots = repository / "snapshots"
    if not snapshots.is_dir():
        return None
    commits = sorted(folder.name for folder in snapshots.iterdir() if folder.is_dir())
    main = repository / "refs" / "main"
    named = card.revision or (main.read_text(encoding="utf-8").strip() if main.is_file() else None)
    if named is None and len(commits) > 1:
        msg = (
            f"{snapshots} holds {len(commits)} revisions of {card.hub} and does not say which is current. Give one: "
            f"--weights {card.name}={snapshots / commits[0]}."
        )
        raise WeightsError(msg)
    commit = named or (commits[0] if commits else "")
    return _in_folder(snapshots / commit, card) if commit in commits else None


def _checked(found: Weights, card: EncoderCard) -> Weights:
    if not found.file.name.endswith(_SUFFIXES):
        msg = (
            f"{found.file} is no file of weights of {card.name}: its name ends in {found.file.suffix or 'nothing'!r}. "
            f"Give one of {', '.join(card.files)}, or the folder that holds it."
        )
        raise WeightsError(msg)
    check_file(found.file, card.name)
    if card.revision is not None and found.revision not in (None, card.revision):
        msg = (
            f"{found.place} is revision {found.revision} of {card.hub}, but {card.name} is pinned to {card.revision}. "
            f"Run `histoscribe encoders fetch {card.name}`."
        )
        raise WeightsError(msg)
    if card.sha256 is not None and found.sha256 != card.sha256:
        msg = (
            f"{found.file} has SHA-256 {found.sha256}, but the weights of {card.name} have {card.sha256}. It is "
            f"damaged or of another version; run `histoscribe encoders fetch {card.name}`."
        )
        raise WeightsError(msg)
    return found


def _nothing_at(path: Path, card: EncoderCard) -> str:
    wanted = " or ".join(card.files)
    if not path.exists():
        return f"{path} does not exist, so it holds no weights of {card.name}. Give the path of {wanted}."
    here = sorted(entry.name for entry in path.iterdir())[:6] if path.is_dir() else [path.name]
    return (
        f"{path} holds no weights of {card.name}: there is {', '.join(here) or 'nothing'}, but no {wanted}, and no "
        f"folder {card.name}. Give the folder that was downloaded from {card.address}, or the file itself."
    )


def _how_to_get(card: EncoderCard) -> str:
    step = f"Accept its licence ({card.licence}) at {card.address}, then run" if card.gated else "Run"
    return (
        f"the weights of encoder {card.name!r} are not on this machine, and HistoScribe downloads nothing by itself. "
        f"{step} `histoscribe encoders fetch {card.name}`, or give them by --weights PATH or {PLACES}."
    )
