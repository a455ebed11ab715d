"""HistoScribe: read the transcriptome off a histology slide, and know how far to trust it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: Public name to "module:attribute"; imported on first use, so that `import histoscribe` stays fast.
_PUBLIC = {
    "Bundle": "histoscribe.methods.bundle:Bundle",
    "Section": "histoscribe.core.section:Section",
    "Target": "histoscribe.core.target:Target",
    "align_stack": "histoscribe.align:align_stack",
    "calibrate": "histoscribe.methods.calibration:calibrate",
    "check": "histoscribe.tiles.check:check",
    "encode": "histoscribe.encoders:encode",
    "evaluate": "histoscribe.bench:evaluate",
    "fit": "histoscribe.methods.train:fit",
    "make_encoder": "histoscribe.encoders:make_encoder",
    "methods": "histoscribe.methods:",
    "metrics": "histoscribe.metrics:",
    "open_slide": "histoscribe.slide:open_slide",
    "predict": "histoscribe.methods.apply:predict",
    "read": "histoscribe.io:read",
    "report": "histoscribe.reports:report",
    "testing": "histoscribe.testing:",
    "tile": "histoscribe.tiles:tile",
    "write": "histoscribe.io:write",
}

__all__ = [
    "Bundle",
    "Section",
    "Target",
    "__version__",
    "align_stack",
    "calibrate",
    "check",
    "encode",
    "evaluate",
    "fit",
    "make_encoder",
    "methods",
    "metrics",
    "open_slide",
    "predict",
    "read",
    "report",
    "testing",
    "tile",
    "write",
]

if TYPE_CHECKING:
    from histoscribe import methods as methods
    from histoscribe import metrics as metrics
    from histoscribe import testing as testing
    from histoscribe.align import align_stack as align_stack
    from histoscribe.bench import evaluate as evaluate
    from histoscribe.core.section import Section as Section
    from histoscribe.core.target import Target as Target
    from histoscribe.encoders import encode as encode
    from histoscribe.encoders import make_encoder as make_encoder
    from histoscribe.io import read as read
    from histoscribe.io import write as write
    from histoscribe.methods.apply import predict as predict
    from histoscribe.methods.bundle import Bundle as Bundle
    from histoscribe.methods.calibration import calibrate as calibrate
    from histoscribe.methods.train import fit as fit
    from histoscribe.reports import report as report
    from histoscribe.slide import open_slide as open_slide
    from histoscribe.tiles import tile as tile
    from histoscribe.tiles.check import check as check


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("histoscribe")
    if name not in _PUBLIC:
        msg = f"module 'histoscribe' has no attribute {name!r}"
        raise AttributeError(msg)
    module, _, attribute = _PUBLIC[name].partition(":")
    value = import_module(module)
    if attribute:
        value = getattr(value, attribute)
        # Remember it: the next look-up is then an ordinary attribute.
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
