"""Methods: one file and one registry line each."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

# Importing the subpackage sets `histoscribe.methods.expression` to the module; done here, before the function of the
# same name is defined, it cannot replace the function later.
import histoscribe.methods.composition
import histoscribe.methods.expression
import histoscribe.methods.histology
import histoscribe.methods.slide_level
import histoscribe.methods.volume  # noqa: F401
from histoscribe.core.errors import RegistryError
from histoscribe.core.late import late_names
from histoscribe.core.registry import Registry

if TYPE_CHECKING:
    from histoscribe.methods._cell_reference import Reference as Reference
    from histoscribe.methods._composition import Composed as Composed
    from histoscribe.methods._composition import Deconvolver as Deconvolver
    from histoscribe.methods._composition import Mixture as Mixture
    from histoscribe.methods._expression import Predictor as Predictor
    from histoscribe.methods._expression import TrainingSection as TrainingSection
    from histoscribe.methods._measured_composition import with_composition as with_composition
    from histoscribe.methods._network import NetworkPredictor as NetworkPredictor
    from histoscribe.methods._network import Part as Part
    from histoscribe.methods._pretrain import SlidePretrainer as SlidePretrainer
    from histoscribe.methods._slide_level import SlideRegressor as SlideRegressor
    from histoscribe.methods._volume import Imputed as Imputed
    from histoscribe.methods._volume import Imputer as Imputer
    from histoscribe.methods._volume import Volume as Volume

__all__ = [
    "COMPOSITION",
    "EXPRESSION",
    "FAMILIES",
    "HISTOLOGY",
    "PRETRAINING",
    "SLIDE_LEVEL",
    "VOLUME",
    "Composed",
    "Deconvolver",
    "Imputed",
    "Imputer",
    "Mixture",
    "NetworkPredictor",
    "Part",
    "Predictor",
    "Reference",
    "SlidePretrainer",
    "SlideRegressor",
    "TrainingSection",
    "Volume",
    "composition",
    "expression",
    "predictor",
    "pretraining",
    "slide_level",
    "volume",
    "with_composition",
]

#: What an author of a method imports, on first use: PyTorch is slow to import and most methods do without it.
_CONTRACTS = {
    "Composed": "histoscribe.methods._composition",
    "Deconvolver": "histoscribe.methods._composition",
    "Imputed": "histoscribe.methods._volume",
    "Imputer": "histoscribe.methods._volume",
    "Mixture": "histoscribe.methods._composition",
    "NetworkPredictor": "histoscribe.methods._network",
    "Part": "histoscribe.methods._network",
    "Predictor": "histoscribe.methods._expression",
    "Reference": "histoscribe.methods._cell_reference",
    "SlidePretrainer": "histoscribe.methods._pretrain",
    "SlideRegressor": "histoscribe.methods._slide_level",
    "TrainingSection": "histoscribe.methods._expression",
    "Volume": "histoscribe.methods._volume",
    "with_composition": "histoscribe.methods._measured_composition",
}

EXPRESSION = Registry(
    "expression",
    {
        "bg-triplex": "histoscribe.methods.expression.bg_triplex:BgTriplex",
        "bleep": "histoscribe.methods.expression.bleep:Bleep",
        "hest-ridge": "histoscribe.methods.expression.hest_ridge:HestRidge",
        "hist2st": "histoscribe.methods.expression.hist2st:Hist2ST",
        "eggn": "histoscribe.methods.expression.eggn:EGGN",
        "egn": "histoscribe.methods.expression.egn:EGN",
        "histogene": "histoscribe.methods.expression.histogene:HisToGene",
        "histospace": "histoscribe.methods.expression.histospace:HistoSpace",
        "knn": "histoscribe.methods.expression.knn:Knn",
        "m2ost": "histoscribe.methods.expression.m2ost:M2OST",
        "mean": "histoscribe.methods.expression.mean:TrainingMean",
        "ridge": "histoscribe.methods.expression.ridge:Ridge",
        "scribe": "histoscribe.methods.expression.scribe:Scribe",
        "stnet": "histoscribe.methods.expression.stnet:STNet",
        "triplex": "histoscribe.methods.expression.triplex:Triplex",
    },
)

COMPOSITION = Registry(
    "composition",
    {
        "nnls": "histoscribe.methods.composition.nnls:NNLS",
        "polaris": "histoscribe.methods.composition.polaris:Polaris",
        "robust-regression": "histoscribe.methods.composition.robust_regression:RobustRegression",
        "stereoscope": "histoscribe.methods.composition.stereoscope:Stereoscope",
        "uniform": "histoscribe.methods.composition.uniform:Uniform",
    },
)

#: Predictors, as those of expression are; what they learn from sections is cell composition.
HISTOLOGY = Registry(
    "histology",
    {
        "histology-composition": "histoscribe.methods.histology.histology_composition:HistologyComposition",
    },
)

PRETRAINING = Registry(
    "pretraining",
    {
        "intra": "histoscribe.methods.slide_level.intra:Intra",
        "mean-feature": "histoscribe.methods.slide_level.mean_feature:MeanFeature",
        "pca-mean": "histoscribe.methods.slide_level.pca_mean:PcaMean",
        "tangle": "histoscribe.methods.slide_level.tangle:Tangle",
        "tangle-rec": "histoscribe.methods.slide_level.tangle_rec:TangleRec",
    },
)

SLIDE_LEVEL = Registry(
    "slide-level",
    {
        "cluster-ridge": "histoscribe.methods.slide_level.cluster_ridge:ClusterRidge",
        "contrastive": "histoscribe.methods.slide_level.contrastive:Contrastive",
        "direct-abmil": "histoscribe.methods.slide_level.direct_abmil:DirectAbmil",
        "direct-tile": "histoscribe.methods.slide_level.direct_tile:DirectTile",
        "he2rna-topk": "histoscribe.methods.slide_level.he2rna_topk:He2rnaTopk",
        "knn": "histoscribe.methods.slide_level.knn:Knn",
        "mean": "histoscribe.methods.slide_level.mean:TrainingMean",
        "tangle-rec": "histoscribe.methods.slide_level.tangle_rec:TangleRecRegressor",
        "tile-mean-ridge": "histoscribe.methods.slide_level.tile_mean_ridge:TileMeanRidge",
    },
)

VOLUME = Registry(
    "volume",
    {
        "asign": "histoscribe.methods.volume.asign:Asign",
        "kernel-transfer": "histoscribe.methods.volume.kernel_transfer:KernelTransfer",
        "section-mean": "histoscribe.methods.volume.section_mean:SectionMean",
        "stack-scribe": "histoscribe.methods.volume.stack_scribe:StackScribe",
        "training-mean": "histoscribe.methods.volume.training_mean:TrainingMean",
        "z-interpolation": "histoscribe.methods.volume.z_interpolation:ZInterpolation",
    },
)

#: Every family of methods by its name, in the order in which a user meets them.
FAMILIES = {r.kind: r for r in (EXPRESSION, HISTOLOGY, COMPOSITION, VOLUME, SLIDE_LEVEL, PRETRAINING)}


__getattr__ = late_names(__name__, _CONTRACTS)


def expression(name: str, *, preset: str | None = None, **params: Any) -> Any:
    """Make an unfitted expression predictor by its registry name.

    Parameters
    ----------
    name
        Registry name.
    preset
        One of the method's own named sets of arguments; `params` replace single ones.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter or preset.
    """
    return _make(EXPRESSION, name, preset, params)


def predictor(name: str, *, preset: str | None = None, **params: Any) -> Any:
    """Make an unfitted predictor, of expression or of cell composition from histology, by its registry name.

    Raises
    ------
    RegistryError
        If neither registry has such a method, or it has no such parameter or preset.
    """
    return _make(HISTOLOGY if name in HISTOLOGY else EXPRESSION, name, preset, params)


def _make(registry: Registry, name: str, preset: str | None, params: dict[str, Any]) -> Any:
    method = registry.get(name)
    _check_parameters(method, name, params)
    if preset is not None and preset not in method.presets:
        has = f"It has: {', '.join(method.presets)}." if method.presets else "It has none."
        msg = f"method {name!r} has no preset {preset!r}. {has}"
        raise RegistryError(msg)
    return method(**(dict(method.presets[preset]) if preset else {}) | params)


def composition(name: str, **params: Any) -> Any:
    """Make a deconvolver by its registry name.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter.
    """
    method = COMPOSITION.get(name)
    _check_parameters(method, name, params)
    return method(**params)


def pretraining(name: str, *, preset: str | None = None, **params: Any) -> Any:
    """Make an unfitted pretrainer of slide vectors by its registry name.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter or preset.
    """
    return _make(PRETRAINING, name, preset, params)


def slide_level(name: str, **params: Any) -> Any:
    """Make an unfitted slide-level regressor by its registry name.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter.
    """
    method = SLIDE_LEVEL.get(name)
    _check_parameters(method, name, params)
    return method(**params)


def volume(name: str, **params: Any) -> Any:
    """Make an imputer of unmeasured sections by its registry name.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter.
    """
    method = VOLUME.get(name)
    _check_parameters(method, name, params)
    return method(**params)


def _check_parameters(method: Any, name: str, params: dict[str, Any]) -> None:
    known = [p for p in inspect.signature(method).parameters if p != "self"]
    unknown = [p for p in params if p not in known]
    if unknown:
        has = f"It takes: {', '.join(known)}." if known else "It takes none."
        msg = f"method {name!r} has no parameter {', '.join(map(repr, unknown))}. {has}"
        raise RegistryError(msg)
