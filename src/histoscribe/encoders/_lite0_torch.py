"""EfficientNet-Lite0 in PyTorch: what runs on a GPU, and the check of the ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from histoscribe.encoders._lite0 import BN_EPS, LAYERS, MEAN, SCALE, Layer, pads

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Lite0Module", "Lite0Torch"]


class _ConvNorm(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch normalisation, and ReLU6 where the layer has one."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        groups = layer.n_in if layer.depthwise else 1
        self.conv = nn.Conv2d(layer.n_in, layer.n_out, layer.kernel, layer.stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(layer.n_out, eps=BN_EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top, bottom = pads(x.shape[-2], self.layer)
        left, right = pads(x.shape[-1], self.layer)
        x = self.norm(self.conv(functional.pad(x, (left, right, top, bottom))))
        return functional.relu6(x) if self.layer.relu6 else x


class Lite0Module(nn.Module):
    """``(b, 3, h, w)`` RGB of 0-255 -> ``(b, 1280)`` pooled features."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_ConvNorm(layer) for layer in LAYERS)

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Fill every parameter and buffer from arrays with the published names; none may be left over."""
        state = {}
        for i, layer in enumerate(LAYERS):
            state[f"layers.{i}.conv.weight"] = weights[f"{layer.conv}.weight"]
            for name in ("weight", "bias", "running_mean", "running_var"):
                state[f"layers.{i}.norm.{name}"] = weights[f"{layer.norm}.{name}"]
            state[f"layers.{i}.norm.num_batches_tracked"] = np.int64(0)
        self.load_state_dict({name: torch.tensor(np.array(value)) for name, value in state.items()}, strict=True)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.maps(pixels).mean(dim=(2, 3))

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(b, 3, h, w)`` RGB of 0-255 -> ``(b, 1280, h / 32, w / 32)``."""
        outputs = [(pixels.float() - MEAN) / SCALE]
        for block in self.layers:
            x = block(outputs[-1])
            outputs.append(x + outputs[-block.layer.shortcut] if block.layer.shortcut else x)
            # Only a block's own input is ever added: three layers back at most.
            outputs = outputs[-3:]
        return outputs[-1]


class Lite0Torch:
    """The network on `device` in float32, deterministic; the same call as `Lite0Session`."""

    def __init__(self, weights: Mapping[str, np.ndarray], *, device: str, pooled: bool = True) -> None:
        self._pooled = pooled
        self._device = torch.device(device)
        module = Lite0Module()
        module.load(weights)
        self._module = module.eval().to(self._device)

    def __call__(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, h, w)`` uint8 into float32 features or maps."""
        # TF32 keeps 10 bits of the mantissa: features would differ from the CPU's in the third digit.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            pixels = torch.from_numpy(np.ascontiguousarray(tiles)).to(self._device)
            found = self._module(pixels) if self._pooled else self._module.maps(pixels)
            return found.cpu().numpy()
