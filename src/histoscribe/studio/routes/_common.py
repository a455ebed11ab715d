"""What routes share: the studio, the item that a path names, the errors that OpenAPI lists."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from histoscribe.studio._error import ErrorBody
from histoscribe.studio._studio import Studio
from histoscribe.studio.items._item import Item

__all__ = ["ERRORS", "ItemKey", "NamedItem", "TheStudio", "errors"]

_WHAT = {
    403: "Refused: another host or origin, or no token.",
    404: "There is no such thing.",
    409: "The file was replaced, or the request does not fit the state of things.",
    410: "The file is gone.",
    413: "Larger than this server takes.",
    422: "The request or the file cannot be understood.",
    429: "Too many requests.",
    503: "Too many requests wait.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of error answers."""
    return {status: {"model": ErrorBody, "description": _WHAT[status]} for status in statuses}


#: Errors that any route about an item may answer with.
ERRORS = errors(403, 404, 409, 410, 422, 429, 503)


# Asynchronous, or each request would take two turns through a thread to look something up.
async def _studio(request: Request) -> Studio:
    return request.app.state.studio


TheStudio = Annotated[Studio, Depends(_studio)]
ItemKey = Annotated[str, Path(alias="item", pattern=r"^[0-9a-f]{16}$", description="Id of an item.")]


async def _item(item: ItemKey, studio: TheStudio) -> Item:
    return studio.items.get(item)


NamedItem = Annotated[Item, Depends(_item)]
