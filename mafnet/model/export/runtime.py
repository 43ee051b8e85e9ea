"""Graphs by ONNX Runtime on the CPU: as a network on features, and as a backbone."""

from collections.abc import Mapping, Sequence
from functools import cache as cache_once
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.spec import BackboneSpec
from mafnet.features.cache import FeatureCache
from mafnet.features.extract import Extractor
from mafnet.features.fingerprint import fingerprint_of, parse_features
from mafnet.features.videos import settings_of
from mafnet.model.export.graphs import SOURCES
from mafnet.model.export.onnx_file import OnnxFile
from mafnet.model.networks.blocks import Features, Network, Output
from mafnet.video.config import VideoSettings

SERIOUS = 3
"""ONNX Runtime's level of messages: errors, which are exceptions too."""


class Session:
    """A graph in ONNX Runtime."""

    def __init__(self, graph: bytes, what: str, threads: int) -> None:
        """MafnetError if it is no graph that this version of ONNX Runtime computes.

        what: the file, for messages.
        """
        chosen = onnxruntime.SessionOptions()
        chosen.intra_op_num_threads, chosen.inter_op_num_threads = threads, 1
        chosen.log_severity_level = SERIOUS
        self._what = what
        try:
            self._session = onnxruntime.InferenceSession(
                graph, chosen, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise self._error("cannot load it", error) from error

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs, in the order of the graph."""
        try:
            return self._session.run(None, dict(inputs))
        except Exception as error:
            raise self._error("cannot compute it", error) from error

    def _error(self, problem: str, error: Exception) -> MafnetError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        return MafnetError(f"{self._what}: ONNX Runtime {problem} ({reason}); export the run again")


class OnnxNetwork(Network):
    """The head of an exported file in the place of its network. It cannot be trained.

    inputs: see `NetworkSpec.inputs`. classes: C.
    """

    def __init__(self, session: Session, inputs: Sequence[str], classes: int) -> None:
        super().__init__()
        self._session, self._inputs, self._classes = session, inputs, classes
        self.place = torch.nn.Parameter(torch.empty(0), requires_grad=False)  # tells the device

    def forward(self, features: Features) -> Output:
        """Logits and attention of a batch, on the CPU."""
        arrays = {name: getattr(features, name).float().cpu().numpy() for name in self._inputs}
        valid = features.valid.cpu().numpy()
        logits, _, attention = self._session(arrays | {"valid": valid})
        if attention.shape != valid.shape or logits.shape != (len(valid), self._classes):
            raise MafnetError("the ONNX file gives outputs of a wrong shape; export the run again")
        return Output(torch.from_numpy(logits), torch.from_numpy(attention))


class OnnxBackbone:
    """A frozen network of an exported file (`Backbone`)."""

    device = "cpu"
    max_workers = 1
    """ONNX Runtime uses all threads for each batch."""

    def __init__(self, session: Session, source: str, spec: BackboneSpec) -> None:
        self._session, self._source, self._spec = session, source, spec
        self.batch = spec.batch

    def start_worker(self, threads: int) -> None:
        """Nothing to prepare."""

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Features (N, P, Q, D) float16 of N clips."""
        if len(clips) == 0:
            return np.zeros((0, *self._spec.feature_shape), np.float16)
        (features,) = self._session({self._source: self._spec.inputs(clips)})
        return features.astype(np.float16)


def onnx_extractor(file: OnnxFile, modality: str, cache: Path, threads: int) -> Extractor:
    """The extractor of one modality by the frozen network of a whole.

    In the cache its features have the sha256 of the file. So a file cannot pass its features for
    those of the weights that it names.
    """
    settings = settings_of(file.settings.features[modality])
    features = parse_features(settings["features"], "the features of the model")
    video = parse(VideoSettings, settings["video"], "the features of the model")
    fingerprint = fingerprint_of(features, video, file.sha256)

    @cache_once
    def make() -> OnnxBackbone:
        session = Session(file.backbone(modality), str(file.path), threads)
        return OnnxBackbone(session, SOURCES[modality], backbone_spec(features.backbone))

    return Extractor(FeatureCache(cache, fingerprint), Path(), video, make, workers=threads)
