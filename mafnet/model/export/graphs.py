"""Torch modules with plain tensors as inputs and outputs, and their conversion to ONNX.

B videos of T clips, K modalities, C classes; N clips of I items each (frames, patches of sound).
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence

import onnx
import torch
from torch import Tensor, nn

from mafnet.common.errors import MafnetError
from mafnet.model.networks.blocks import Features, Network

OPSET = 20
"""Version of the ONNX operators; ONNX Runtime has them since 1.17."""

OUTPUTS = ("logits", "probabilities", "attention")

SOURCES = {"visual": "frames", "audio": "log_mel"}
"""Name of the input of a backbone, by modality."""


class Head(nn.Module):
    """A trained network: features by input and `valid`, to logits, probabilities and attention.

    inputs: see `NetworkSpec.inputs`. temperature: of the calibration of the probabilities.
    """

    def __init__(self, network: Network, inputs: Sequence[str], temperature: float) -> None:
        super().__init__()
        self.network, self.inputs, self.temperature = network.eval(), inputs, temperature

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C), (B, C) and (B, T, K) of the features (B, T, ...) and valid (B, T, K)."""
        *features, valid = tensors
        named = dict(zip(self.inputs, features, strict=True))
        output = self.network(Features(valid=valid, **named))
        probabilities = (output.logits / self.temperature).softmax(1)
        return output.logits, probabilities, output.attention


class ClipFeatures(nn.Module):
    """A frozen network: clips (N, I, ...) to the means of their items' maps (N, P, Q, D)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, clips: Tensor) -> Tensor:
        """Channels last, as the features are stored."""
        maps = self.network(clips.flatten(0, 1))
        maps = maps.reshape(-1, clips.shape[1], *maps.shape[1:])
        return maps.mean(1).movedim(1, -1)


def as_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    axis: str,
) -> onnx.ModelProto:
    """The ONNX graph of a module. example: its inputs by name; their first axis may have any size.

    axis: name of the first axis. MafnetError if torch cannot convert the module.
    """
    size = {0: torch.export.Dim(axis)}
    shapes = tuple(size for _ in example)
    # A forward with *args takes its shapes as one nested tuple.
    shapes = (shapes,) if isinstance(module, Head) else shapes
    try:
        with _silent(), torch.no_grad():
            program = torch.onnx.export(
                module, tuple(example.values()), dynamo=True, opset_version=OPSET, verbose=False,
                input_names=list(example), output_names=list(outputs), dynamic_shapes=shapes,
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise MafnetError(
            f"torch cannot convert this network to ONNX ({type(error).__name__}: {reason}); use "
            "the run folder, or choose another variant"
        ) from error
    return _named_only(program.model_proto)


def _named_only(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without notes on the source code of each node: they name paths of this machine."""
    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output,
                 *graph.initializer):  # fmt: skip
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
        part.doc_string = ""
    return model


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the exporter's progress and its warnings about names of axes."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(previous)
