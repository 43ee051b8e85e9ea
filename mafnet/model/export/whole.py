"""Joins the graphs of the frozen networks and of the head into one, from frames and audio.

Between them are the steps that mafnet does outside of networks: features are rounded to float16, as
they are stored; padded clips become zeros; some networks read the mean over all positions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix

from mafnet.model.data import INPUTS

HALF, SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT


def features_of(modality: str) -> str:
    """The name of the features (N, P, Q, D) of all clips of a modality."""
    return f"{modality}_features"


def joined(
    backbones: Mapping[str, onnx.ModelProto],
    head: onnx.ModelProto,
    inputs: Sequence[str],
    clips: int,
    shapes: Mapping[str, tuple[int, int, int]],
) -> onnx.ModelProto:
    """One graph of the backbones, by modality, and the head.

    inputs: of the head, in the order of the modality axis. clips: T. shapes: (P, Q, D).
    The graph reads N = B * T clips of each modality, video after video, and valid (B, T, K). The
    tensors between the parts keep their names, so that each part can be taken out again.
    """
    parts = [
        add_prefix(model, f"{name}/", rename_inputs=False, rename_outputs=False)
        for name, model in backbones.items()
    ]
    valid = next(each for each in head.graph.input if each.name == "valid")
    constants = {"zero": np.float32(0), "positions": np.array([2, 3])}
    constants |= {f"shape_{name}": np.array([-1, clips, *shapes[name]]) for name in backbones}
    constants |= {f"index_{k}": np.array(k) for k in range(len(inputs))}
    constants |= {f"after_{rank}": np.arange(2, rank) for rank in (3, 5)}
    steps = [node for k, name in enumerate(inputs) for node in _steps(name, k)]
    graph = helper.make_graph(
        [*(node for part in parts for node in part.graph.node), *steps, *head.graph.node],
        "mafnet",
        [*(part.graph.input[0] for part in parts), valid],
        list(head.graph.output),
        [*(each for part in [*parts, head] for each in part.graph.initializer),
         *(numpy_helper.from_array(value, name) for name, value in constants.items())],
    )  # fmt: skip
    between = [each for each in head.graph.input if each.name != "valid"]
    graph.value_info.extend([*between, *(part.graph.output[0] for part in parts)])
    model = helper.make_model(graph, opset_imports=head.opset_import)
    model.ir_version = head.ir_version
    onnx.checker.check_model(model)
    return model


def _steps(name: str, k: int) -> list[onnx.NodeProto]:
    """The operations from the features of a modality to the input `name` of the head."""
    modality, layer = INPUTS[name]
    chain = [
        ("Reshape", (f"shape_{modality}",), {}),
        ("Cast", (), {"to": HALF}),
        ("Cast", (), {"to": SINGLE}),
    ]
    if layer == "pooled":
        chain += [
            ("ReduceMean", ("positions",), {"keepdims": 0}),
            ("Cast", (), {"to": HALF}),
            ("Cast", (), {"to": SINGLE}),
        ]
    nodes, value = [], features_of(modality)
    for number, (operation, more, attributes) in enumerate(chain):
        result = f"{name}/{number}"
        nodes.append(helper.make_node(operation, [value, *more], [result], **attributes))
        value = result
    rank = 3 if layer == "pooled" else 5
    mask, wide = f"{name}/mask", f"{name}/wide"
    return [
        *nodes,
        helper.make_node("Gather", ["valid", f"index_{k}"], [mask], axis=2),
        helper.make_node("Unsqueeze", [mask, f"after_{rank}"], [wide]),
        helper.make_node("Where", [wide, value, "zero"], [name]),
    ]
