"""Reads exported files. They may come from anywhere, so nothing in them is trusted.

ONNX has no code, but a graph may ask for files beside it, for libraries, and for loops without an
end. Files with these are refused.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto

from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.model.export.contents import KEY, read_contents
from mafnet.model.export.graphs import OUTPUTS, SOURCES
from mafnet.model.export.whole import features_of

MAX_BYTES = 2**31 - 1
"""Largest file: the limit of its format (protobuf)."""

STANDARD = ("", "ai.onnx")
"""Names of the set of standard operations."""


class OnnxFile:
    """An exported file that was checked. contents: its description. model: its graph."""

    def __init__(self, path: Path) -> None:
        """MafnetError if the file is damaged, not written by `mafnet export`, or not safe."""
        self.path = path
        self.model = _parsed(path)
        try:
            self.contents = read_contents(_description(self.model))
            self.settings = self.contents.run
            require_plain(self.model)
            self._require_shapes()
        except MafnetError as error:
            raise MafnetError(f"{path}: {error}") from error

    @property
    def is_whole(self) -> bool:
        """True if the file contains the frozen networks."""
        return self.contents.part == "whole"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return sha256_of(self.path)

    def head(self) -> bytes:
        """The graph from the features and `valid` to the outputs."""
        if not self.is_whole:
            return self.model.SerializeToString()
        return self._part((*self.settings.inputs, "valid"), OUTPUTS)

    def backbone(self, modality: str) -> bytes:
        """The graph of a frozen network; only a whole has it."""
        return self._part((SOURCES[modality],), (features_of(modality),))

    def _part(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        try:
            extractor = onnx.utils.Extractor(self.model)
            return extractor.extract_model(list(inputs), list(outputs)).SerializeToString()
        except (ValueError, KeyError, RuntimeError, onnx.checker.ValidationError) as error:
            raise MafnetError(
                f"{self.path}: is not joined as mafnet joins networks ({error}); export the run "
                "again"
            ) from error

    def _require_shapes(self) -> None:
        """MafnetError if the inputs and outputs are not those of the settings."""
        settings, modalities = self.settings, self.settings.modalities
        inputs = [SOURCES[name] for name in dict.fromkeys(modalities)]
        inputs = [*(inputs if self.is_whole else settings.inputs), "valid"]
        graph = self.model.graph
        found = [each.name for each in graph.input], [each.name for each in graph.output]
        if found != (inputs, list(OUTPUTS)):
            raise MafnetError(
                f"its graph has the inputs {', '.join(found[0])} and the outputs "
                f"{', '.join(found[1])}, not those of a {self.contents.part}; export the run again"
            )
        valid = _shape(graph.input[-1])
        if valid[1:] != [settings.clips, len(modalities)]:
            raise MafnetError(
                f"its graph reads {valid[1:]} clips and modalities, but it says "
                f"{settings.clips} and {len(modalities)}; export the run again"
            )
        if _shape(graph.output[0])[1:] != [len(settings.classes)]:
            raise MafnetError(
                f"its graph does not have the {len(settings.classes)} classes that it names; "
                "export the run again"
            )


def _parsed(path: Path) -> onnx.ModelProto:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise MafnetError(
            f"{path}: has {size} bytes, but a file of `mafnet export` has 2 GB at most"
        )
    try:
        return onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, RecursionError, ValueError) as error:
        raise MafnetError(
            f"{path}: is damaged, or no ONNX file; copy it again, or export the run again"
        ) from error


def _description(model: onnx.ModelProto) -> str:
    found = [each.value for each in model.metadata_props if each.key == KEY]
    if len(found) != 1:
        raise MafnetError(
            "was not written by `mafnet export`; make such a file from a run: "
            "mafnet export RUN --output FOLDER"
        )
    return found[0]


def require_plain(model: onnx.ModelProto) -> None:
    """MafnetError if a model has more than tensors and standard operations."""
    foreign = [each.domain for each in model.opset_import if each.domain not in STANDARD]
    graph = model.graph
    foreign += [node.domain for node in graph.node if node.domain not in STANDARD]
    if foreign or model.functions:
        raise MafnetError(
            f"has operations that are not ONNX's own ({foreign[0] if foreign else 'functions'}); "
            "such files are not opened"
        )
    if any(_outside(tensor) for tensor in _tensors(graph)):
        raise MafnetError(
            "has values in other files; such files are not opened; export the run again"
        )
    inner = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    if nodes := [node for node in graph.node for each in node.attribute if each.type in inner]:
        raise MafnetError(
            f"has loops or branches ({nodes[0].op_type}), which no network of mafnet has; such "
            "files are not opened"
        )


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for each in graph.sparse_initializer:
        yield from (each.values, each.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for each in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (each.values, each.indices)


def _outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """The sizes of the axes; 0 for an axis of any size."""
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim]
