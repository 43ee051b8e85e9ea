"""Config section `model`: networks, training and evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from mafnet.common.config import EachOnce, Name, Number, Settings


class NetworkOptions(Settings):
    """Options of every variant's network."""

    hidden: int = Field(
        512, ge=1, description="H, the width of each modality's vectors and of the hidden layers."
    )
    bn_momentum: Number = Field(
        0.001,
        gt=0,
        le=1,
        description="Share of a batch in the running statistics of batch normalisation. 0.001 is "
        "that of the authors' code. Raise it (0.1) for data sets of a few hundred samples.",
        json_schema_extra={"unit": "share, 0 to 1"},
    )
    bn_eps: Number = Field(
        0.001, gt=0, description="Number that batch normalisation adds to the variance."
    )
    logits_bn: bool = Field(
        default=True, description="Batch normalisation of the logits, as in the authors' code."
    )
    attention_score: Literal["two_layer", "one_layer"] = Field(
        "two_layer",
        description="Layers that score a clip: `two_layer`, Dense(ReLU) and Dense(1), as in the "
        "authors' code; `one_layer`, ReLU(Wx + b), as in the paper's text.",
    )


class VariantOptions(NetworkOptions):
    """Options of one variant's network; some are of one network alone."""

    fusion: Literal["addition", "concatenation", "mcb", "dmr"] = Field(
        "concatenation",
        description="Network `no_film`: how the vectors of the two modalities become one (paper, "
        "table 2).",
    )
    attention: Literal["none", "temporal", "modality", "modality_temporal"] = Field(
        "modality_temporal",
        description="Network `no_film`: what the attention chooses among (paper, table 3).",
    )
    film: bool = Field(
        default=True,
        description="Network `two_blocks`: both residual blocks with FiLM, or both without (paper, "
        "table 4).",
    )
    units: int = Field(
        32, ge=1, description="Network `attention_cluster`: attention units of each modality."
    )
    dropout: Number = Field(
        0.5,
        ge=0,
        lt=1,
        description="Network `attention_cluster`: share of the values before the classifier that "
        "a training step leaves out.",
        json_schema_extra={"unit": "share, 0 to 1"},
    )


class Training(Settings):
    """How a network is trained."""

    learning_rate: Number = Field(0.0001, gt=0, description="Step size of Adam.")
    batch_size: int = Field(
        32,
        ge=2,
        description="Samples of a step, at most the number of training samples. The last partial "
        "batch of an epoch is dropped.",
    )
    max_epochs: int = Field(
        300, ge=1, description="Number of epochs after which training stops in any case."
    )
    patience: int = Field(
        50,
        ge=1,
        description="Number of epochs without a better validation accuracy after which training "
        "stops.",
    )
    min_gain: Number = Field(
        0.0001,
        ge=0,
        le=1,
        description="Gain in validation accuracy that counts as better.",
        json_schema_extra={"unit": "share, 0 to 1"},
    )
    drop_rate: Number = Field(
        0.1,
        ge=0,
        lt=1,
        description="Probability that a step leaves the visual path as it is (paper, figure 6).",
        json_schema_extra={"unit": "probability, 0 to 1"},
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Arithmetic of training. bfloat16 is several times faster on hardware that has "
        "it. `auto` is bfloat16 there and float32 elsewhere, so that two machines may differ. Use "
        "float32 to compare runs of different machines. The settings of a run record what was "
        "used.",
    )


class Evaluation(Settings):
    """How a trained network is measured."""

    batch_size: int = Field(32, ge=1, description="Samples of a batch; it limits the memory.")
    top_k: int = Field(
        5, ge=1, description="K of the top-K accuracy, at most the number of classes."
    )


class Variant(Settings):
    """A network, and what it changes of `model.network` and `model.training`."""

    network: str = Field(description="Name in the registry of networks.")
    options: VariantOptions = Field(
        VariantOptions(), description="Options that differ from `model.network`."
    )
    training: Training = Field(Training(), description="Keys that differ from `model.training`.")


class ModelSection(Settings):
    """Networks, training and evaluation."""

    main: Name = Field(
        "mafnet", description="Variant whose numbers are in results/{dataset}/metrics.json."
    )
    runs_per_gpu: int = Field(
        4,
        ge=1,
        le=64,
        description="Number of runs that are trained side by side on each GPU of this machine. "
        "Lower it if the memory of the GPU is too small. It changes no result.",
    )
    seeds: Annotated[
        list[Annotated[int, Field(ge=0)]],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        EachOnce,
    ] = Field(
        [0, 1, 2],
        description="One run is trained for each seed. One seed gives no interval; differences "
        "below one point need many.",
    )
    network: NetworkOptions = Field(
        NetworkOptions(), description="Options of every variant's network."
    )
    training: Training = Field(Training(), description="How a network is trained.")
    evaluation: Evaluation = Field(Evaluation(), description="How a trained network is measured.")
    variants: dict[Name, Variant] = Field(
        {}, description="Named networks, each with what it changes of `network` and `training`."
    )

    def options(self, variant: str) -> dict:
        """The recorded options of a variant's network."""
        own = self.variants[variant].options.model_dump(exclude_unset=True)
        return self.network.recorded() | own

    def training_of(self, variant: str) -> Training:
        """The training of a variant."""
        own = self.variants[variant].training.model_dump(exclude_unset=True)
        return self.training.model_copy(update=own)
