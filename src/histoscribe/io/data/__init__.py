"""Data sets by name: what there is, how to get it whole, and whether it is still what was fetched."""

from __future__ import annotations

from histoscribe.io.data._download import Remote, Transfer, download
from histoscribe.io.data._fetch import Fetched, fetch
from histoscribe.io.data._manifest import MANIFEST, Manifest
from histoscribe.io.data._plan import Choice, Item, Plan, plan_files
from histoscribe.io.data._registry import DataSet, data_set, data_sets
from histoscribe.io.data._verify import Verdict, verify

__all__ = [
    "MANIFEST",
    "Choice",
    "DataSet",
    "Fetched",
    "Item",
    "Manifest",
    "Plan",
    "Remote",
    "Transfer",
    "Verdict",
    "data_set",
    "data_sets",
    "download",
    "fetch",
    "plan_files",
    "verify",
]
