"""Backbones by their names on a hub: `timm/NAME` (frames) and `hf/ORGANISATION/NAME` (sound).

A model is a folder in the layout of the hub: config.json, model.safetensors and, for sound,
preprocessor_config.json. It is searched for in `weights/{name}`, then in the hub's cache. Nothing
is downloaded. The packages timm and transformers are imported only for such a name.
"""

import re
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.features.backbones.spec import (
    AudioBackbone,
    BackboneSpec,
    Normalisation,
    VisualBackbone,
)

if TYPE_CHECKING:
    from transformers import FeatureExtractionMixin

PACKAGES = {"timm": "timm", "hf": "transformers"}
"""The package behind each prefix; the extra of mafnet has the prefix's name."""

WEIGHTS = "pretrained"
"""The name of a hub model's own weights in the config."""

NAME = re.compile(r"(timm/[\w-][\w.-]*|hf(/[\w-][\w.-]*){2})", re.ASCII)

FOLDER = Path("weights")
"""Where folders of models may be put by hand, in the folder of the run."""

LONGEST_WINDOW = 10.0
"""In seconds. Whisper has windows of 30 seconds, which would be all of most videos."""


def is_hub(name: str) -> bool:
    """True for the name of a backbone on a hub."""
    return name.partition("/")[0] in PACKAGES and "/" in name


def hub_spec(name: str) -> BackboneSpec:
    """The spec of a model that is on this machine; MafnetError says how to get it or its package.

    Its feature shape is that of the network, which is built without weights.
    """
    prefix, _, model = name.partition("/")
    if not NAME.fullmatch(name):
        example = {"timm": "timm/resnet50.a1_in1k", "hf": "hf/laion/clap-htsat-unfused"}
        raise MafnetError(f"backbone {name!r} is no name of a model; write it as {example[prefix]}")
    package = PACKAGES[prefix]
    if not find_spec(package):
        raise MafnetError(
            f"backbone {name!r} needs the package {package}; run `pip install 'mafnet[{prefix}]'`"
        )
    return _spec(name, _folder(name, name if prefix == "timm" else model))


def _folder(name: str, repository: str) -> Path:
    """The folder of a model in `weights`, or in the hub's cache."""
    by_hand = FOLDER / name
    if (by_hand / "config.json").is_file():
        return by_hand.resolve()
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, "config.json")
    if isinstance(found, str):
        return Path(found).parent
    raise MafnetError(
        f"backbone {name!r} is not on this machine; run `hf download {repository}`, or put its "
        f"files into {by_hand}"
    )


@cache
def _spec(name: str, folder: Path) -> BackboneSpec:
    makers = {"timm": _timm_spec, "hf": _hf_spec}
    try:
        spec = makers[name.partition("/")[0]](name, folder)
        return replace(spec, feature_shape=_feature_shape(spec))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        package = PACKAGES[name.partition("/")[0]]
        raise MafnetError(
            f"{folder}: {package} cannot make a backbone of it ({reason}); choose another model "
            f"or version of {package}"
        ) from error


def _common(name: str, folder: Path) -> dict[str, Any]:
    prefix = name.partition("/")[0]
    files = [folder / file for file in ("config.json", "preprocessor_config.json")]
    texts = b"".join(file.read_bytes() for file in files if file.is_file())
    return {
        "name": name,
        "location": {"timm": "timm_network:TimmNetwork", "hf": "hf_network:HFNetwork"}[prefix],
        "folder": folder,
        "package": PACKAGES[prefix],
        "feature_shape": (1, 1, 1),
        "version": int(sha256(texts).hexdigest()[:8], 16),  # another config, other features
    }


def _timm_spec(name: str, folder: Path) -> VisualBackbone:
    config = read_json(folder / "config.json")["pretrained_cfg"]
    ffmpegs = {"bilinear": "bilinear", "nearest": "neighbor"}
    return VisualBackbone(
        side=config["input_size"][-1],
        interpolation=ffmpegs.get(config["interpolation"], "bicubic"),
        normalisation=Normalisation(255.0, tuple(config["mean"]), tuple(config["std"])),
        **_common(name, folder),
    )


def _hf_spec(name: str, folder: Path) -> AudioBackbone:
    extractor = extractor_of(folder)
    return AudioBackbone(
        sample_rate=extractor.sampling_rate,
        window_seconds=min(input_seconds(extractor), LONGEST_WINDOW),
        front_end=partial(_extracted, folder),
        batch=1,
        gpu_batch=16,
        **_common(name, folder),
    )


@cache
def extractor_of(folder: Path) -> "FeatureExtractionMixin":
    """The feature extractor of a model of transformers."""
    from transformers import AutoFeatureExtractor

    return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)


def input_seconds(extractor: "FeatureExtractionMixin") -> float:
    """The length of sound that a feature extractor fills up to; 1 if it takes any length."""
    for name in ("n_samples", "nb_max_samples"):  # Whisper's and CLAP's
        if hasattr(extractor, name):
            return getattr(extractor, name) / extractor.sampling_rate
    if hasattr(extractor, "num_mel_bins") and hasattr(extractor, "max_length"):  # AST's
        return extractor.max_length / 100  # a frame is 10 ms
    return 1.0


def _extracted(folder: Path, samples: np.ndarray) -> np.ndarray:
    """The extractor's output (N, 1, ...) for samples (N, S)."""
    extractor = extractor_of(folder)
    found = extractor(list(samples), sampling_rate=extractor.sampling_rate, return_tensors="np")
    return np.asarray(found[extractor.model_input_names[0]], np.float32)[:, None]


def _feature_shape(spec: BackboneSpec) -> tuple[int, int, int]:
    """(P, Q, C) of the network, computed without values."""
    import torch

    module, _, attribute = spec.location.partition(":")
    network = getattr(import_module(f"mafnet.features.backbones.zoo.{module}"), attribute)(spec)
    if isinstance(spec, VisualBackbone):
        shape = (1, 3, spec.side, spec.side)
    else:
        silence = np.zeros((1, round(spec.sample_rate * spec.window_seconds)), np.float32)
        shape = spec.front_end(silence)[0].shape
    with torch.device("meta"), torch.no_grad():
        maps = network.layers().eval()(torch.empty(shape))
    _, channels, height, width = maps.shape
    return height, width, channels
