"""Config section `model`: networks, training and evaluation."""

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mafnet.common.config import LATER, EachOnce, Name, Number, Settings
from mafnet.model.balance import BALANCES
from mafnet.model.networks import NETWORKS, network_spec
from mafnet.model.networks.options import CommonOptions
from mafnet.model.video import VIDEO_NETWORKS
from mafnet.model.video.options import VideoOptions


class _AnyNetwork:
    """Describes options in the schema: they are the options of one of the networks.

    `NetworkSpec.faults` checks them together with those of `model.network`.
    """

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        options = [spec.options.__pydantic_core_schema__ for spec in NETWORKS.values()]
        options.append(VideoOptions.__pydantic_core_schema__)
        return handler(core_schema.union_schema(options))


Options = Annotated[dict[str, Any], _AnyNetwork()]


class Training(Settings):
    """How a network is trained."""

    learning_rate: Number = Field(
        0.001,
        gt=0,
        description="Step size of Adam. The paper has 0.001, the authors' code 0.0001.",
    )
    batch_size: int = Field(
        32,
        ge=2,
        description="Samples of a step. The last partial batch of an epoch is dropped if it has at "
        "most 10 % of the training samples.",
    )
    max_epochs: int = Field(
        300, ge=1, description="Number of epochs after which training stops in any case."
    )
    patience: int = Field(
        50,
        ge=1,
        description="Number of epochs without a better validation accuracy after which training "
        "stops. Among epochs with the same accuracy, the weights with the lowest validation loss "
        "are kept.",
    )
    patience_steps: int = Field(
        500,
        ge=0,
        description="Least number of steps without a better validation accuracy after which "
        "training stops. It counts where the training set is small, so that an epoch has few "
        "steps.",
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
        description="Probability that a step does not update the visual path (paper, figure 6).",
        json_schema_extra={"unit": "probability, 0 to 1"},
    )
    balance: Annotated[Literal[*BALANCES], LATER] = Field(
        "drop_visual",
        description="What keeps the faster modality from taking over. `drop_visual`, the paper's, "
        "and `drop_audio` leave out a path in steps with the probability `drop_rate`; `ogm_ge` "
        "slows the path that is ahead; `gradient_blending` gives each modality a loss of its own.",
    )
    balance_alpha: Annotated[Number, LATER] = Field(
        0.5, ge=0, description="How strongly `ogm_ge` slows the path that is ahead."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Arithmetic of training. bfloat16 is several times faster on hardware that has "
        "it. `auto` is float32 for published data sets, whose numbers are compared with the "
        "paper's. For other data sets it is bfloat16 on such hardware and float32 elsewhere, so "
        "two machines may differ. The settings of a run record the precision.",
    )


class Evaluation(Settings):
    """How a trained network is measured."""

    batch_size: int = Field(
        32, ge=1, description="Number of samples in a batch. A smaller batch needs less memory."
    )
    top_k: int = Field(
        5, ge=1, description="K of the top-K accuracy, at most the number of classes."
    )


class Variant(Settings):
    """A network, with the keys of `model.network` and `model.training` that it changes."""

    network: str = Field(description="Name in the registry of networks or of video networks.")
    options: Options = Field(
        {}, description="Options of the network that differ from `model.network` or the default."
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
    video_networks: Annotated[bool, LATER] = Field(
        default=False,
        description="Whether studies, figures and the report have the variants that are video "
        "networks (docs/video_networks.md). Their fine-tuning needs a GPU for hours.",
    )
    finetuning_gpus: Annotated[int, LATER] = Field(
        1, ge=1, le=64, description="Number of GPUs that fine-tune one video network together."
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
    network: CommonOptions = Field(
        CommonOptions(), description="Options of every variant whose network has them."
    )
    training: Training = Field(Training(), description="How a network is trained.")
    evaluation: Evaluation = Field(Evaluation(), description="How a trained network is measured.")
    variants: dict[Name, Variant] = Field(
        {},
        description="Named networks with the keys of `network` and `training` that they change.",
    )

    def options_of(self, variant: str) -> dict[str, Any]:
        """The recorded options of a variant's network."""
        own = self.variants[variant]
        if own.network in VIDEO_NETWORKS:
            return VIDEO_NETWORKS[own.network].parse(own.options).model_dump()
        options = network_spec(own.network).resolved(self.network.recorded(), own.options)
        if members := self.members_of(variant):
            options["members"] = {
                name: {"network": self.variants[name].network, "options": self.options_of(name)}
                for name in members
            }
        return options

    def members_of(self, variant: str) -> list[str]:
        """The variants whose trained runs a late fusion combines; none for other networks."""
        return self.variants[variant].options.get("members", [])

    def training_of(self, variant: str) -> Training:
        """The training of a variant."""
        own = self.variants[variant].training.model_dump(exclude_unset=True)
        video = VIDEO_NETWORKS.get(self.variants[variant].network)
        if video:  # a recipe of its own
            return Training(**video.training(own))
        return self.training.model_copy(update=own)
