"""Config section `features`: the frozen backbones and the cache of their outputs."""

from typing import Annotated, Literal

from pydantic import Field

from mafnet.common.config import InputPath, PathText, Settings

AUTO = "auto"
"""`mafnet.features.defaults` puts names in its place."""

Backbone = Annotated[
    str,
    Field(
        description="Name of the network (`mafnet backbones`). `auto` is the paper's, densenet201 "
        "and vggish, for the paper's data sets and the demo, and efficientnet_lite0 and yamnet for "
        "your own videos.",
    ),
]
Weights = Annotated[
    str,
    Field(
        description="Name in resources/weights.tsv (see docs/weights.md), or `random`. `auto` is "
        "the network's first row there.",
    ),
]


class FeatureSettings(Settings):
    """The backbone of one modality."""

    backbone: Backbone
    weights: Weights
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Arithmetic of the backbone; part of the fingerprint. bfloat16 is several "
        "times faster on hardware that has it. float16 needs a GPU.",
    )
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="Library that computes the backbone. `auto` is OpenVINO on a CPU that has the "
        "precision, if OpenVINO is installed, else torch. A backend that is named is part of the "
        "fingerprint; name one only if all clips must come from the same backend.",
    )


class VisualSettings(FeatureSettings):
    """The backbone that reads frames."""

    backbone: Backbone = AUTO
    weights: Weights = AUTO


class AudioSettings(FeatureSettings):
    """The backbone that reads audio."""

    backbone: Backbone = AUTO
    weights: Weights = AUTO


class RandomWeights(Settings):
    """How the weights are made where `weights` is `random`."""

    seed: int = Field(0, ge=0, description="Seed of the weights.")
    calibration_videos: int = Field(
        16,
        ge=1,
        description="Number of training videos that set the statistics of the normalisation "
        "layers.",
    )


class FeaturesSection(Settings):
    """The frozen backbones and the cache of their outputs."""

    cache: PathText = Field(
        "cache",
        description="Folder of the cache, which has the features of every clip. Projects may share "
        "it, and it may be deleted at any time.",
    )
    weights_folder: InputPath = Field(
        "weights",
        description="Folder of downloaded weights. A file that you put there by hand is used if "
        "its sha256 is right.",
    )
    visual: VisualSettings = Field(
        VisualSettings(), description="The backbone that reads the frames."
    )
    audio: AudioSettings = Field(AudioSettings(), description="The backbone that reads the audio.")
    random: RandomWeights = Field(
        RandomWeights(), description="How the weights are made where `weights` is `random`."
    )
