"""EfficientNet-Lite0 on the CPU: the ONNX graph, built from the weights, and its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from histoscribe.encoders._lite0 import BN_EPS, DIM, LAYERS, MEAN, SCALE, Layer, pads

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Lite0Session", "lite0_graph"]

#: Tiles per call of the network. Few fit the CPU's caches: 4 ran 1.35 times as fast as 32 on one thread, in a quarter
#: of the memory, and to the same bit.
_CHUNK = 4


class Lite0Session:
    """The network in ONNX Runtime.

    Parameters
    ----------
    weights
        Arrays of the layers, by state-dict name.
    tile_px
        Side of the tiles, px.
    threads
        Threads of one call; they do not change the result.
    pooled
        False gives the ``(b, 1280, h, w)`` map before pooling.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, tile_px: int, threads: int, pooled: bool = True) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait steal the core that reads the next tiles.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = lite0_graph(weights, tile_px=tile_px, pooled=pooled).SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 into float32 features or maps."""
        chunks = [tiles[start : start + _CHUNK] for start in range(0, len(tiles), _CHUNK)]
        found = [self._session.run(None, {"tiles": np.ascontiguousarray(chunk)})[0] for chunk in chunks]
        return np.concatenate(found) if found else np.empty((0, DIM), dtype=np.float32)


def lite0_graph(weights: Mapping[str, np.ndarray], *, tile_px: int, pooled: bool = True) -> onnx.ModelProto:
    """Write the network as an ONNX graph from uint8 tiles to pooled features, or to the map before pooling.

    Batch normalisation is folded into the convolutions in float64; the pixel transform is part of the graph.
    """
    constants = {"mean": MEAN, "scale": SCALE, "zero": 0.0, "six": 6.0}
    arrays = {name: np.float32(value) for name, value in constants.items()}
    nodes = [
        helper.make_node("Cast", ["tiles"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["input"]),
    ]
    outputs, size = ["input"], tile_px
    for layer in LAYERS:
        kernel, bias = _folded(weights, layer)
        arrays[f"{layer.conv}.kernel"], arrays[f"{layer.conv}.bias"] = kernel, bias
        before, after = pads(size, layer)
        conv = helper.make_node(
            "Conv",
            [outputs[-1], f"{layer.conv}.kernel", f"{layer.conv}.bias"],
            [layer.conv],
            kernel_shape=[layer.kernel] * 2,
            strides=[layer.stride] * 2,
            pads=[before, before, after, after],
            group=layer.n_in if layer.depthwise else 1,
        )
        nodes.append(conv)
        output = layer.conv
        if layer.relu6:
            output = f"{layer.conv}.relu6"
            nodes.append(helper.make_node("Clip", [layer.conv, "zero", "six"], [output]))
        if layer.shortcut:
            output = f"{layer.conv}.sum"
            nodes.append(helper.make_node("Add", [layer.conv, outputs[-layer.shortcut]], [output]))
        outputs.append(output)
        size = -(-size // layer.stride)
    shape: list[int | str] = ["b", DIM, size, size]
    if pooled:
        nodes += [
            helper.make_node("GlobalAveragePool", [outputs[-1]], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
        ]
        outputs, shape = ["features"], ["b", DIM]
    graph = helper.make_graph(
        nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("tiles", TensorProto.UINT8, ["b", 3, tile_px, tile_px])],
        [helper.make_tensor_value_info(outputs[-1], TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    # Old enough for every onnxruntime that pyproject admits.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _folded(weights: Mapping[str, np.ndarray], layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Fold a layer's batch normalisation into its kernel and bias, in float64."""
    gamma, beta, mean, var = (
        weights[f"{layer.norm}.{name}"].astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gamma / np.sqrt(var + BN_EPS)
    kernel = weights[f"{layer.conv}.weight"] * gain[:, None, None, None]
    return kernel.astype(np.float32), (beta - mean * gain).astype(np.float32)
