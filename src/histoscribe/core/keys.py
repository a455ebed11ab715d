"""Every slot name that HistoScribe writes into an AnnData, once."""

from __future__ import annotations

from typing import Final

#: obsm: (n, 2) float64, x and y of the observation's centre in level-0 px.
SPATIAL: Final = "spatial"
#: obsm: (n, 2) float64, the same in um, where features are all that is known of a slide.
SPATIAL_UM: Final = "spatial_um"
#: obsm: (n, 3) float64, x, y and z of the observation's centre in the frame of its stack, um.
SPATIAL_3D: Final = "spatial_3d_um"
#: layers: integer counts, csr.
COUNTS: Final = "counts"
#: obs: total counts over all genes that were measured (not only those in `var`): the library size.
DEPTH: Final = "total_counts"
#: obs: integer array coordinates, where the platform has an array.
ARRAY_ROW: Final = "array_row"
ARRAY_COL: Final = "array_col"
#: obs: share of the tile that lies outside the slide, 0-1.
PADDED: Final = "padded_share"
#: obs: out-of-distribution percentile of the tile among held-out training tiles, 0-100.
OOD: Final = "ood_percentile"
#: layers: bounds of the prediction interval, in the unit of X.
LOWER: Final = "lower"
UPPER: Final = "upper"
#: var: True where held-out evidence says that the gene's map can be trusted.
TRUSTED: Final = "trusted"
TRUST_MEAN: Final = "depth_partial_pcc_gene"
TRUST_LOWER: Final = "depth_partial_pcc_gene_lower"
#: The same where the variables are cell types: held-out correlation of their shares across observations.
TRUST_TYPE_MEAN: Final = "pcc_type"
TRUST_TYPE_LOWER: Final = "pcc_type_lower"
#: obsm: (n, k) float64 proportions of cell types, rows sum to 1, and the bounds of their 90 % intervals.
COMPOSITION: Final = "composition"
COMPOSITION_LOWER: Final = "composition_lower"
COMPOSITION_UPPER: Final = "composition_upper"
#: obs: False where an observation had no counts to tell its composition from.
INFORMED: Final = "composition_informed"
#: varm: (g, k) share of each gene in a type's transcripts; with ``_<layer>`` appended, in that layer.
PROFILES: Final = "profiles"
#: var and varm: log factors of genes between section and reference, and (g, l) of layers.
GENE_FACTOR: Final = "gene_factor"
LAYER_FACTORS: Final = "layer_factors"
#: uns: the one dictionary of ours.
UNS: Final = "histoscribe"


def features(encoder: str) -> str:
    """Name the obsm slot that holds the features of `encoder`."""
    return f"X_{encoder}"
