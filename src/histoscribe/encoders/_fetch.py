"""Download weights from the Hugging Face hub: the one file of the encoders that uses a network."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import WeightsError
from histoscribe.encoders._weight_files import shard_names
from histoscribe.encoders._weights import Weights, find_weights, refuse_unusable

if TYPE_CHECKING:
    from histoscribe.encoders._model_card import EncoderCard

__all__ = ["fetch_weights"]


def fetch_weights(card: EncoderCard) -> Weights:
    """Download weights and their description into the hub's cache, with the user's own token; return where they are.

    What is there is not downloaded again, and what was cut off goes on.

    Raises
    ------
    WeightsError
        If the encoder cannot be used here, its licence was not accepted, or the hub cannot be reached.
    """
    refuse_unusable(card)
    if find_spec("huggingface_hub") is None:
        msg = (
            f"fetching {card.name!r} needs huggingface_hub, which is not installed. Run: pip install 'histoscribe[hub]'"
        )
        raise WeightsError(msg)
    from huggingface_hub import errors

    # The base of what newer versions' HTTP client raises; that of older ones is an OSError.
    unreachable = getattr(errors, "HTTPError", OSError)
    try:
        folder = _download(card)
    except errors.GatedRepoError as err:
        msg = (
            f"the hub refuses the weights of {card.name!r}: their licence ({card.licence}) was not accepted, or you "
            f"are not logged in. Accept it at {card.address}, run `hf auth login`, and fetch again."
        )
        raise WeightsError(msg) from err
    except errors.RepositoryNotFoundError as err:
        msg = f"the hub shows no {card.hub} to you. Run `hf auth login` with an account that may read {card.address}."
        raise WeightsError(msg) from err
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, unreachable, OSError) as err:
        why = " ".join(str(err).split())[:200]
        msg = (
            f"the weights of {card.name!r} could not be downloaded from {card.address} ({why}). Fetch again to go on, "
            f"or download them elsewhere and give them by --weights {card.name}=PATH."
        )
        raise WeightsError(msg) from err
    return find_weights(card, folder)


def _download(card: EncoderCard) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    endpoint = os.environ.get("HF_ENDPOINT") or None
    info = HfApi(endpoint=endpoint).model_info(card.hub, revision=card.revision)
    held = [item.rfilename for item in info.siblings or []]
    options: dict[str, Any] = {"repo_id": card.hub, "revision": info.sha, "endpoint": endpoint}
    wanted = [*card.files, *(f"{name}.index.json" for name in card.files)]
    first = next((name for name in wanted if name in held), None)
    if first is None:
        here = ", ".join(held[:6]) or "nothing"
        msg = f"{card.address} holds {here}, but no {' or '.join(card.files)}. Report it: the card is out of date."
        raise WeightsError(msg)
    path = Path(hf_hub_download(filename=first, **options))
    if first.endswith(".index.json"):
        for name in shard_names(path, here=False):
            hf_hub_download(filename=name, **options)
    if "config.json" in held:
        hf_hub_download(filename="config.json", **options)
    return path.parent
