"""What a backbone itself recognises: the scores of its own classes, from features and weights.

They cost no pass through the network. K classes, C channels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.resources import resource
from mafnet.features.backbones import BACKBONES, backbone_spec
from mafnet.features.backbones.spec import BackboneSpec


@dataclass(frozen=True)
class Classifier:
    """The last layer of a backbone, with a sigmoid: several classes may be heard at once.

    names: of the K classes. weight: (K, C) float32. bias: (K,) float32.
    """

    names: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Scores (..., K) float32, 0 to 1, of features that are averaged over places, (..., C)."""
        logits = np.asarray(vectors, np.float32) @ self.weight.T + self.bias
        return np.exp(-np.logaddexp(0, -logits))


def read_classifier(spec: BackboneSpec, weights: Path) -> Classifier:
    """The classifier in a backbone's weights (safetensors); MafnetError if it has none."""
    require_classes([spec.name])
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "numpy") as file:
            weight, bias = (file.get_tensor(f"classifier.{name}") for name in ("weight", "bias"))
    except (OSError, SafetensorError) as error:
        raise MafnetError(f"{weights}: has no classifier of {spec.name} ({error})") from error
    names = resource(f"classes/{spec.classes}.txt").read_text(encoding="utf-8").splitlines()
    return Classifier(tuple(names), weight, bias)


def require_classes(backbones: Iterable[str]) -> None:
    """MafnetError if no backbone of these names has classes of its own."""
    specs = [backbone_spec(name) for name in backbones]
    if not any(spec.classes for spec in specs):
        names = " and ".join(spec.name for spec in specs)
        able = ", ".join(spec.name for spec in BACKBONES.values() if spec.classes)
        raise MafnetError(f"no scores come from {names}; choose {able}")
