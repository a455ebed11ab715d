"""The exception tree: one base class, so that a caller can catch everything of ours."""

from __future__ import annotations

__all__ = [
    "BundleError",
    "CoordinateError",
    "DataError",
    "GeneError",
    "HistoScribeError",
    "LeakError",
    "RegistryError",
    "ScaleError",
    "SlideError",
    "StorageError",
    "WeightsError",
]


class HistoScribeError(Exception):
    """Base of every error that a user's input can cause; the command line prints it as one line."""


class DataError(HistoScribeError):
    """A matrix, spot file or table is missing, truncated, or holds values that cannot be counts."""


class GeneError(DataError):
    """Gene names are duplicated, absent, or share nothing with what is needed."""


class CoordinateError(DataError):
    """Observations do not lie where the image says there is tissue."""


class ScaleError(HistoScribeError):
    """A um/px is missing, implausible, or does not fit what a model was trained on."""


class SlideError(HistoScribeError):
    """An image cannot be opened, is truncated, or holds no tissue."""


class BundleError(HistoScribeError):
    """A bundle file is damaged or does not fit the slide, encoder or species it is used on."""


class LeakError(HistoScribeError):
    """The same donor stands on both sides of a split."""


class RegistryError(HistoScribeError):
    """A name is not registered."""


class StorageError(HistoScribeError):
    """The disk is full or a place cannot be written."""


class WeightsError(HistoScribeError):
    """An encoder's weights are missing, damaged, of another network, or may not be used."""
