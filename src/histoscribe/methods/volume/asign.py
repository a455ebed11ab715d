"""ASIGN: three resolutions, a graph across sections and travelling labels; as its paper means it, or as released."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from histoscribe.core.card import Card
from histoscribe.core.errors import RegistryError
from histoscribe.methods._volume import Imputed, Imputer, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from numpy.random import Generator

    from histoscribe.methods._asign_graph import StackGraph
    from histoscribe.methods._asign_network import AsignNetwork, Faults, Levels, Stage

__all__ = ["Asign"]

#: Share of the labelled observations whose labels are known while the network learns from the others.
_KNOWN = 0.25
#: Wavelengths of the code of places, in distances of neighbouring observations.
_WAVES = (8.0, 16.0, 32.0, 64.0)
_SD_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class _Case:
    """A volume, ready for the network."""

    graph: StackGraph
    stage: Stage
    values: np.ndarray
    labelled: np.ndarray
    level: np.ndarray


class Asign(Imputer):
    """Graph network over a whole stack, mixed gene by gene with labels that travel along the graph.

    Spots see themselves, their regions and the wider globals through cross-attention; each resolution has stacked
    graph attention, and a transformer reads its layers, coarser ones informing finer ones. Training hides labels: of
    another donor's stack all sections but one, of the stack at hand all but a quarter of the labelled observations.

    Parameters
    ----------
    variant
        ``"paper"``, or ``"released"``: with the faults of the released code (`Faults`). One of them, labels of
        unlabelled regions in the loss, cannot happen here: those labels are taken away before.
    images
        Use features of `encoder` at three sizes; otherwise places and labels are all there is.
    others
        Train on other donors' stacks before the one at hand.
    encoder, sides_um
        Frozen encoder, and sides of a spot's tile, a region and a global, um; 224, 512 and 1024 px of HER2+.
    epochs, own_epochs
        Epochs over other donors (each section of each donor once), and over the stack at hand.
    width
        Size of a token; the paper's is 1024.
    lr
        Learning rate of Adam.
    """

    card: ClassVar[Card] = Card(
        name="asign",
        summary="Multi-resolution graph network over a stack with gated label propagation; runs without images, too.",
        paper="asign-2025",
        origin="HistoScribe, from the paper and a description of hrlblab/ASIGN a98c5d6; no code was copied",
        deviations=(
            "Features come from one fixed encoder of this project, not from ResNet-50 with a random projection.",
            "Sections are aligned by their outlines, not by XFeat and ANTs; travel weights are a kernel of one pitch.",
            "Tokens are 64 wide, not 1024; Adam instead of SGD; whole stacks instead of random batches of 128 spots.",
            "No dropout (the released variant has it): with it, the order of observations would change the result.",
            "The network predicts deviations from the labelled mean in units of a gene's sd.",
            "Labels of regions and globals are means over their spots, of labelled sections only.",
            "Without images a code of places in the aligned frame stands in for features.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": {"epochs": 1, "own_epochs": 8, "width": 32}}

    def __init__(
        self,
        *,
        variant: Literal["paper", "released"] = "paper",
        images: bool = False,
        others: bool = True,
        encoder: str = "efficientnet-lite0+colour",
        sides_um: Sequence[float] = (155.0, 350.0, 700.0),
        epochs: int = 5,
        own_epochs: int = 40,
        width: int = 64,
        lr: float = 1e-3,
    ) -> None:
        self.variant = variant
        self.images = images
        self.others = others
        self.encoder = encoder
        self.sides_um = list(sides_um)
        self.epochs = epochs
        self.own_epochs = own_epochs
        self.width = width
        self.lr = lr

    @property
    def uses_images(self) -> bool:  # type: ignore[override]
        """Whether features of tiles are used."""
        return self.images

    @property
    def uses_training_donors(self) -> bool:  # type: ignore[override]
        """Whether other donors' stacks are trained on."""
        return self.others

    def _fit(self, volumes: Sequence[Volume], rng: Generator) -> None:
        cases = [self._case(v, self.seed_) for v in volumes]
        sds = [_sd(case) for case in cases]
        self.network_ = self._network(cases[0], rng)
        plan = [(i, p) for i, case in enumerate(cases) for p in np.unique(case.graph.plane[case.labelled])]

        def hide(item: tuple[int, int]) -> tuple[_Case, np.ndarray, np.ndarray]:
            case = cases[item[0]]
            return case, case.labelled & (case.graph.plane == item[1]), sds[item[0]]

        plan = [(i, p) for i, p in plan if (cases[i].labelled & (cases[i].graph.plane != p)).any()]
        if plan:
            self._train(self.network_, self.epochs, lambda _: plan, hide)

    def _impute(self, volume: Volume, rng: Generator) -> list[Imputed]:
        import torch

        case = self._case(volume, self.seed_)
        network = copy.deepcopy(self.network_) if self.others else self._network(case, rng)
        sd, rows = _sd(case), np.flatnonzero(case.labelled)
        masks = []
        for _ in range(max(self.own_epochs, 1)):
            known = np.zeros(len(case.labelled), dtype=bool)
            known[rng.permutation(rows)[: max(1, round(_KNOWN * len(rows)))]] = True
            masks.append(known)
        if len(rows) > 1 and self.own_epochs:
            self._train(network, self.own_epochs, lambda epoch: [masks[epoch]], lambda known: (case, known, sd))
        network.train(network.faults.noisy_test)
        torch.manual_seed(self.seed_)
        with torch.no_grad():
            mean = _predict(network, case, case.labelled, sd).spots.numpy()
        gate = torch.sigmoid(network.gate.detach()).mean().item()
        facts = {"variant": self.variant, "images": self.images, "mean_gate_of_labels": round(gate, 4)}
        hidden = [i for i, p in enumerate(volume.planes) if p.values is None]
        return [Imputed(mean[case.graph.plane == i], None, facts) for i in hidden]

    def _faults(self) -> Faults:
        from histoscribe.methods._asign_network import Faults

        if self.variant not in {"paper", "released"}:
            msg = f"asign has no variant {self.variant!r}. Give 'paper' or 'released'."
            raise RegistryError(msg)
        return Faults.released() if self.variant == "released" else Faults()

    def _network(self, case: _Case, rng: Generator) -> AsignNetwork:
        import torch

        from histoscribe.methods._asign_network import AsignNetwork

        torch.manual_seed(int(rng.integers(2**31)))
        dim = case.stage.spots.shape[1]
        faults = self._faults()
        dropout = 0.1 if faults.noisy_test else 0.0
        return AsignNetwork(dim, case.values.shape[1], width=self.width, dropout=dropout, faults=faults)

    def _train(self, network: AsignNetwork, epochs: int, batches: Callable[[int], list[Any]], hide: Any) -> None:
        from histoscribe.train import Training, train

        options = Training(epochs=epochs, lr=self.lr, clip=1.0, patience=0, device="cpu", precision="float32")

        def loss(item: Any) -> tuple[torch.Tensor, int]:
            case, known, sd = hide(item)
            return _loss(network, case, known, sd), int(case.labelled.sum() - known.sum())

        train(network, batches, loss, options, seed=self.seed_, label="asign")

    def _case(self, volume: Volume, seed: int) -> _Case:
        from histoscribe.methods._asign_graph import make_graph

        faults = self._faults()
        spots = self._spot_features(volume)
        similarity = spots if self.images else None
        loops = not faults.no_self_loop
        graph = make_graph(volume, sides_um=self.sides_um[1:], similarity=similarity, loops=loops)
        stage = _stage(graph, spots, *self._cell_features(volume, graph))
        if faults.slide_projection:
            stage = _project_each(stage, graph, seed)
        genes = next(p.values.shape[1] for p in volume.planes if p.values is not None)
        values = np.concatenate(
            [np.zeros((len(p.xy_um), genes)) if p.values is None else p.values for p in volume.planes]
        )
        labelled = np.concatenate([np.full(len(p.xy_um), p.values is not None) for p in volume.planes])
        return _Case(graph, stage, values, labelled, values[labelled].mean(0))

    def _spot_features(self, volume: Volume) -> np.ndarray:
        from histoscribe.methods._plane_images import tile_features

        if not self.images:
            return _code(np.concatenate([p.xy_um for p in volume.planes]), volume.pitch_um)
        side = self.sides_um[0]
        return np.concatenate([tile_features(p.section, p.section.xy, side, self.encoder) for p in volume.planes])

    def _cell_features(self, volume: Volume, graph: StackGraph) -> list[np.ndarray]:
        from histoscribe.methods._plane_images import tile_features

        found = []
        for cells, side in zip((graph.regions, graph.globals_), self.sides_um[1:], strict=True):
            if not self.images:
                xy = np.concatenate([p.xy_um for p in volume.planes])
                found.append(_code(cells.mean(xy), volume.pitch_um))
                continue
            parts = []
            for i, plane in enumerate(volume.planes):
                centres = (cells.index[cells.plane == i] + 0.5) * side / plane.section.mpp
                parts.append(tile_features(plane.section, centres, side, self.encoder))
            found.append(np.concatenate(parts))
        return found


def _loss(network: AsignNetwork, case: _Case, known: np.ndarray, sd: np.ndarray) -> torch.Tensor:
    import torch

    from histoscribe.methods._asign_network import Levels, asign_loss

    graph = case.graph
    found = _predict(network, case, known, sd)
    scored = case.labelled & ~known
    # A cell lies in one section, so it is labelled where its observations are.
    cells = [np.bincount(c.of_spot, case.labelled, len(c.plane)) > 0 for c in (graph.regions, graph.globals_)]
    wanted = [case.values, graph.regions.mean(case.values), graph.globals_.mean(case.values)]
    return asign_loss(
        found,
        Levels(*(torch.from_numpy(v).float() for v in wanted)),
        Levels(*(torch.from_numpy(v) for v in (scored, *cells))),
        region_of_spot=torch.from_numpy(graph.regions.of_spot),
        global_of_spot=torch.from_numpy(graph.globals_.of_spot),
        faults=network.faults,  # a leak finds only zeros: labels of unlabelled sections are not there
    )


def _predict(network: AsignNetwork, case: _Case, known: np.ndarray, sd: np.ndarray) -> Levels:
    """Return predictions in the unit of the target, from the labels that are known."""
    import torch

    from histoscribe.methods._asign_graph import propagate
    from histoscribe.methods._asign_network import Levels

    level = case.values[known].mean(0)
    travelled = (propagate(case.graph.travel, case.values, known) - level) / sd
    raw = network(case.stage)
    base, unit = torch.from_numpy(level).float(), torch.from_numpy(sd).float()
    spots = network.mix(raw.spots, torch.from_numpy(travelled).float())
    return Levels(*(base + unit * v for v in (spots, raw.regions, raw.globals_)))


def _sd(case: _Case) -> np.ndarray:
    sd = case.values[case.labelled].std(0)
    return np.maximum(sd, _SD_FLOOR * max(float(sd.max()), _SD_FLOOR))


def _code(xy_um: np.ndarray, pitch_um: float) -> np.ndarray:
    """Return ``(n, 16)`` sines and cosines of places in the stack's frame."""
    angle = xy_um[:, None] / pitch_um / np.asarray(_WAVES)[:, None] * 2 * np.pi  # (n, waves, 2)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).reshape(len(xy_um), -1).astype(np.float32)


def _stage(graph: StackGraph, spots: np.ndarray, regions: np.ndarray, globals_: np.ndarray) -> Stage:
    import torch

    from histoscribe.methods._asign_network import Stage

    arrays = (spots, regions, globals_)
    indices = (graph.edges, graph.regions.edges, graph.globals_.edges)
    indices += (graph.regions.window, graph.globals_.window, graph.region_global)
    return Stage(
        *(torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in arrays),
        *(torch.from_numpy(np.asarray(i, dtype=np.int64)) for i in indices),
    )


def _project_each(stage: Stage, graph: StackGraph, seed: int) -> Stage:
    """Put every slide's features of every resolution through a random projection of its own, as the released code."""
    from dataclasses import replace

    import torch

    changed = {}
    planes = {"spots": graph.plane, "regions": graph.regions.plane, "globals_": graph.globals_.plane}
    for level, (name, plane) in enumerate(planes.items()):
        x = getattr(stage, name).clone()
        for p in np.unique(plane):
            generator = torch.Generator().manual_seed(seed * 7919 + int(p) * 31 + level)
            matrix = torch.randn(x.shape[1], x.shape[1], generator=generator) / x.shape[1] ** 0.5
            x[torch.from_numpy(plane == p)] = x[torch.from_numpy(plane == p)] @ matrix
        changed[name] = x
    return replace(stage, **changed)
