"""Make synthetic sections: H&E-like pixels, spots on a lattice, and counts planted on what the pixels show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.files import digest
from histoscribe.core.section import Origin, Section
from histoscribe.testing._donor import Donor, draw_donor
from histoscribe.testing._genes import DEFAULT_GENES, GenePlan, draw_counts, gene_table, plan_genes
from histoscribe.testing._nuclei import LYMPHOCYTE
from histoscribe.testing._render import render
from histoscribe.testing._shapes import EPITHELIUM, GLASS, LUMEN, STROMA
from histoscribe.testing._slide import ArraySlide
from histoscribe.testing._tissue import Tissue, lay_out
from histoscribe.testing._truth import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import scipy.sparse as sp

__all__ = ["EXPECTED_DEPTH", "MORPHOLOGY", "SPECIES", "make_donors", "make_section", "measured_table"]

SPECIES = "synthetic"
#: obs: library size that the counts were drawn around; gone after `Section.blind`.
EXPECTED_DEPTH = "expected_depth"
#: Side of the square around a spot in which morphology is measured, um: the default tile.
_TILE_UM = 112.0
#: Mean and sd over typical tissue of each planted quantity; fixed, so that a value means the same in every donor.
MORPHOLOGY = {
    "nuclear-density": (3400.0, 2700.0),  # nuclei per mm2
    "gland": (0.24, 0.25),  # share of epithelium and lumen
    "stroma": (0.65, 0.30),  # share of fibrous stroma
    "lymphocyte": (1.7, 1.4),  # ln(1 + lymphocytes in the square)
}
#: Quantities beyond this many sd count as this many.
_LIMIT = 3.0
_MEDIAN_DEPTH = 6000.0
#: Depth is ln-normal; the rest of its spread comes from cellularity, as in real tissue.
_DEPTH_SD, _DEPTH_COUPLING = 0.30, 0.25


def make_section(
    donor: int = 0,
    section: int = 0,
    *,
    seed: int = 0,
    size_um: float | tuple[float, float] = 900.0,
    mpp: float = 2.0,
    pitch_um: float = 100.0,
    genes: Mapping[str, int] | None = None,
    donor_effect: float = 0.15,
    dispersion: float = 0.05,
    stain_variation: float = 1.0,
) -> Section:
    """Make one synthetic section; the defaults are small and quick, for tests.

    Every gene belongs to a class, which its name tells: ``nuclear-density`` (nuclei per area), ``gland`` (share of
    epithelium and lumen), ``stroma`` (share of fibrous stroma), ``lymphocyte`` (their number, ln), all within the
    112 um square around the spot and cut at three sd; ``depth`` (follows the library size alone), ``null`` (follows
    nothing), ``rest`` (fills up the library). A planted gene's expected ln(1 + CP10k) is linear in its quantity, plus
    a donor's offset.

    Parameters
    ----------
    donor, section
        Which donor of the study, and which of that donor's sections.
    seed
        Seed of the study: sections of one seed share their gene plan.
    size_um
        Side of the image, or (width, height), um.
    mpp
        um per px.
    pitch_um
        Distance between spots of the hexagonal lattice, um; spots are 0.55 of it wide, as on Visium.
    genes
        Number of genes per class; default `DEFAULT_GENES`.
    donor_effect
        Sd over donors of each gene's offset, in the target's unit; null genes have it as well.
    dispersion
        Squared coefficient of variation of unexplained biology.
    stain_variation
        Factor on how far donors' stains differ.

    Returns
    -------
    A measured section with an in-memory slide, named ``synthetic-...``, ``uns["histoscribe"]["synthetic"]`` True. Its
    truth (`Truth.of`) lies in ``layers["expected_share"]`` and ``var["planted"]``, which `Section.blind` removes.
    """
    width, height = (size_um, size_um) if isinstance(size_um, (int, float)) else size_um
    plan = plan_genes(genes or DEFAULT_GENES, seed=seed)
    person_rng = np.random.default_rng([seed, 23, donor])
    person = draw_donor(person_rng, stain_variation=stain_variation)
    offset = person_rng.normal(0.0, donor_effect, len(plan.names))
    rng = np.random.default_rng([seed, 31, donor, section])
    tissue = lay_out(rng, person, size_um=(float(width), float(height)), mpp=mpp)
    pixels = render(rng, tissue, person)
    name = f"synthetic-{donor + 1}" + (f"-{section + 1}" if section else "")
    obs, xy_um = _lattice(tissue, (width, height), pitch_um)
    signals = _morphology(tissue, xy_um)
    depth = _depth(rng, signals["nuclear-density"], person)
    signals["depth"] = (np.log(depth / _MEDIAN_DEPTH) - person.log_depth) / np.hypot(_DEPTH_SD, _DEPTH_COUPLING)
    table = _table(rng, plan, plan.shares(signals, offset), depth, obs=obs, dispersion=dispersion)
    table.obsm[keys.SPATIAL] = xy_um / mpp
    slide = ArraySlide(pixels, mpp=mpp, name=name)
    options = {"seed": seed, "donor": donor, "section": section, "size_um": [width, height], "mpp": mpp}
    return Section(
        table,
        slide,
        mpp,
        name,
        donor=f"synthetic-donor-{donor + 1}",
        platform="synthetic",
        species=SPECIES,
        spot_um=0.55 * pitch_um,
        pitch_um=pitch_um,
        origin=Origin("synthetic", name, options, digest(table.layers[keys.COUNTS].toarray().tobytes())),
    )


def make_donors(
    n_donors: int,
    sections_per_donor: int = 1,
    *,
    seed: int = 0,
    size_um: float | tuple[float, float] = 2500.0,
    mpp: float = 1.0,
    pitch_um: float = 100.0,
    genes: Mapping[str, int] | None = None,
    first: int = 0,
    **options: float,
) -> list[Section]:
    """Make the sections of several donors, large enough for a demonstration.

    Parameters
    ----------
    n_donors, sections_per_donor
        How many of each.
    first
        Number of the first donor: donors 0 to 2 to train on, donor 3 to predict.
    seed, size_um, mpp, pitch_um, genes, options
        As for `make_section`.

    Returns
    -------
    Sections, donor by donor.
    """
    return [
        make_section(d, s, seed=seed, size_um=size_um, mpp=mpp, pitch_um=pitch_um, genes=genes, **options)
        for d in range(first, first + n_donors)
        for s in range(sections_per_donor)
    ]


def _lattice(tissue: Tissue, size_um: tuple[float, float], pitch_um: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the spots of a hexagonal lattice that lie on tissue, and their centres in um."""
    width, height = size_um
    # As on Visium: rows 87 um apart where spots are 100 um apart, not the 86.6 of a perfect hexagon.
    step = 0.87 * pitch_um
    rows, columns = np.meshgrid(
        np.arange(int((height - pitch_um) / step) + 1), np.arange(int((width - pitch_um) / pitch_um) + 1), indexing="ij"
    )
    rows, columns = rows.ravel(), columns.ravel()
    # Visium's numbering: neighbours in a row are two columns apart, and odd rows are shifted by one.
    columns = 2 * columns + rows % 2
    xy = np.stack([pitch_um / 2 + columns * pitch_um / 2, pitch_um / 2 + rows * step], axis=1)
    inside = xy[:, 0] < width - pitch_um / 4
    on_tissue = _window_share(tissue.labels != GLASS, xy, tissue.mpp, 0.55 * pitch_um) > 0.6
    keep = inside & on_tissue
    obs = pd.DataFrame({keys.ARRAY_ROW: rows[keep], keys.ARRAY_COL: columns[keep]})
    obs.index = pd.Index([f"SPOT{r:03d}x{c:03d}" for r, c in zip(rows[keep], columns[keep], strict=True)])
    return obs, xy[keep]


def _window_share(mask: np.ndarray, xy_um: np.ndarray, mpp: float, side_um: float) -> np.ndarray:
    """Return the share of a mask in the square around each point; squares are cut at the image's edge."""
    low = np.maximum(np.round((xy_um - side_um / 2) / mpp).astype(int), 0)
    high = np.round((xy_um + side_um / 2) / mpp).astype(int)
    return np.array([mask[y0:y1, x0:x1].mean() for (x0, y0), (x1, y1) in zip(low, high, strict=True)])


def _morphology(tissue: Tissue, xy_um: np.ndarray) -> dict[str, np.ndarray]:
    """Return each planted quantity at each spot, standardised by `MORPHOLOGY`."""
    cells = tissue.nuclei

    def number(xy: np.ndarray) -> np.ndarray:
        if not len(xy):
            return np.zeros(len(xy_um))
        return cKDTree(xy).query_ball_point(xy_um, _TILE_UM / 2, p=np.inf, return_length=True)

    area = (_TILE_UM / 1e3) ** 2
    raw = {
        "nuclear-density": number(cells.xy) / area,
        "gland": _window_share(np.isin(tissue.labels, (EPITHELIUM, LUMEN)), xy_um, tissue.mpp, _TILE_UM),
        "stroma": _window_share(tissue.labels == STROMA, xy_um, tissue.mpp, _TILE_UM),
        "lymphocyte": np.log1p(number(cells.xy[cells.kind == LYMPHOCYTE])),
    }
    standard = {name: (value - MORPHOLOGY[name][0]) / MORPHOLOGY[name][1] for name, value in raw.items()}
    # A spot in the thick of a lymphocyte cluster must not be taken over by one gene.
    return {name: np.clip(value, -_LIMIT, _LIMIT) for name, value in standard.items()}


def _depth(rng: np.random.Generator, cellularity: np.ndarray, donor: Donor) -> np.ndarray:
    """Draw the expected library size of each spot: ln-normal, larger where there are more nuclei."""
    log = donor.log_depth + _DEPTH_COUPLING * np.clip(cellularity, -2, 3) + rng.normal(0, _DEPTH_SD, len(cellularity))
    return _MEDIAN_DEPTH * np.exp(log)


def _table(
    rng: np.random.Generator,
    plan: GenePlan,
    share: np.ndarray,
    depth: np.ndarray,
    *,
    obs: pd.DataFrame,
    dispersion: float,
) -> AnnData:
    counts = draw_counts(rng, share, depth, dispersion=dispersion)
    return measured_table(counts, share, plan, obs, depth=depth)


def measured_table(
    counts: sp.csr_matrix, share: np.ndarray, plan: GenePlan, obs: pd.DataFrame, *, depth: np.ndarray
) -> AnnData:
    """Put drawn counts and their truth into the slots of a measured, synthetic section."""
    table = AnnData(obs=obs, var=gene_table(plan))
    table.layers[keys.COUNTS] = counts
    table.layers[EXPECTED] = share.astype(np.float64)
    table.obs[keys.DEPTH] = np.asarray(counts.sum(1)).ravel().astype(np.float64)
    table.obs[EXPECTED_DEPTH] = depth
    table.uns[keys.UNS] = {"synthetic": True}
    return table
