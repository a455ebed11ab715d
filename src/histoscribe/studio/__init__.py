"""The studio: a local web application that shows slides, genes, trust, boards and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.late import late_names

if TYPE_CHECKING:
    from histoscribe.studio._app import create_app
    from histoscribe.studio._serve import serve
    from histoscribe.studio._studio import Studio

__all__ = ["Studio", "create_app", "serve"]

# Late, because a job's process imports this package without any need of the server.
__getattr__ = late_names(
    __name__,
    {
        "Studio": "histoscribe.studio._studio",
        "create_app": "histoscribe.studio._app",
        "serve": "histoscribe.studio._serve",
    },
)
