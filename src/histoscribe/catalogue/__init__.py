"""The catalogue: papers, data sets and code of the field, checked offline."""

from __future__ import annotations

from histoscribe.catalogue.schema import Dataset, Paper, json_schema
from histoscribe.catalogue.store import RECORDS, Catalogue

__all__ = ["RECORDS", "Catalogue", "Dataset", "Paper", "json_schema"]
