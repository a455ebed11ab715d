"""Readers and writers: one file per platform; each turns vendors' files into a checked `Section`, or back."""

from __future__ import annotations

from histoscribe.io._described import described_table
from histoscribe.io._geojson import load_geojson
from histoscribe.io._hest_patches import HestTiles, read_hest_patches
from histoscribe.io._hest_shapes import read_hest_shapes
from histoscribe.io._hest_transcripts import read_hest_transcripts
from histoscribe.io._outlines import Polygons
from histoscribe.io._read import READERS, detect_reader, read
from histoscribe.io._spec import parse_spec, read_spec, read_specs
from histoscribe.io._write import WRITERS, write
from histoscribe.io.bags import read_bag, read_bags
from histoscribe.io.geojson import annotate
from histoscribe.io.spatialdata_store import from_spatialdata
from histoscribe.io.spatialdata_write import to_spatialdata
from histoscribe.io.tile_features import read_hest_embeddings, read_trident_features
from histoscribe.io.trident import read_trident_coords
from histoscribe.io.trident_write import write_trident_coords, write_trident_features
from histoscribe.io.wsidata_object import from_wsidata, to_wsidata
from histoscribe.io.xena import match_slides, read_expression_table

__all__ = [
    "READERS",
    "WRITERS",
    "HestTiles",
    "Polygons",
    "annotate",
    "described_table",
    "detect_reader",
    "from_spatialdata",
    "from_wsidata",
    "load_geojson",
    "match_slides",
    "parse_spec",
    "read",
    "read_bag",
    "read_bags",
    "read_expression_table",
    "read_hest_embeddings",
    "read_hest_patches",
    "read_hest_shapes",
    "read_hest_transcripts",
    "read_spec",
    "read_specs",
    "read_trident_coords",
    "read_trident_features",
    "to_spatialdata",
    "to_wsidata",
    "write",
    "write_trident_coords",
    "write_trident_features",
]
