"""The options of each network in the config. Reading them does not import torch.

A network's options are a frozen model. Each field has its type, range, default and description, and
a validator refuses values that do not fit together. The schema and the documentation of the config
are made from these models.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mafnet.common.config import EachOnce, Name, Number, Settings

FUSIONS = {
    "concatenation": "concatenation",
    "addition": "addition",
    "mcb": "CompactBilinear",
    "dmr": "ResidualFusion",
}
"""The fusions by name: a function or class of fusions.py."""

ATTENTIONS = {
    "none": "uniform_attention",
    "temporal": "TemporalAttention",
    "modality": "ModalityAttention",
    "modality_temporal": "Attention",
}
"""The kinds of attention by name: a function or class of attentions.py."""

MODALITIES = ("visual", "audio")
Choice = Literal["none", "visual", "audio", "both"]


def chosen(choice: str) -> tuple[str, ...]:
    """The modalities that `visual`, `audio`, `both` or `none` means, visual before audio."""
    return {"both": MODALITIES, "none": ()}.get(choice, (choice,))


class NetworkOptions(Settings):
    """Interface of the options of every network."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network reads, in the order of the modality axis K.

        They are fields of `blocks.Features` and names of feature files: "visual" (pooled vectors)
        or "visual_maps", then "audio" (maps).
        """
        return MODALITIES

    @property
    def has_film(self) -> bool:
        """True if the network has FiLM."""
        return False

    @property
    def unused(self) -> dict[str, str]:
        """Options without effect, each with the choice that causes it."""
        return {}


class HiddenOptions(NetworkOptions):
    """The size of the hidden layers."""

    hidden: int = Field(
        512,
        ge=1,
        description="H, the number of values of each modality's vectors and of the hidden layers.",
    )


class NormOptions(NetworkOptions):
    """Options of batch normalisation. Some networks normalise nothing but the logits."""

    bn_momentum: Number = Field(
        0.001,
        gt=0,
        le=1,
        description="Share (0 to 1) of a batch in the running statistics of batch normalisation. "
        "The authors have 0.001.",
    )
    bn_warmup: bool = Field(
        default=True,
        description="Running statistics start as the mean over all batches so far, until a batch "
        "has the share `bn_momentum` in them (0.001: after 1,000 steps, 11 epochs of AVE). Without "
        "it, as in the authors' code, they start from mean 0 and variance 1, and small data sets "
        "need a larger `bn_momentum`.",
    )
    bn_eps: Number = Field(
        0.001,
        gt=0,
        description="Number that batch normalisation adds to the variance. The authors have 0.001.",
    )
    logits_bn: bool = Field(
        default=True,
        description="Batch normalisation of the logits. The authors' code has it, the paper's "
        "text does not.",
    )

    @property
    def unused(self) -> dict[str, str]:
        """Options without effect, each with the choice that causes it."""
        names = () if self.logits_bn else ("bn_momentum", "bn_warmup", "bn_eps")
        return dict.fromkeys(names, "logits_bn: false")


class CommonOptions(NormOptions, HiddenOptions):
    """Options of every variant whose network has them."""

    attention_score: Literal["two_layer", "one_layer"] = Field(
        "two_layer",
        description="Layers that score a clip for the attention: `two_layer`, Dense(H, ReLU) and "
        "Dense(1), as in the authors' code; `one_layer`, ReLU(Wx + b), as in the paper's text.",
    )

    @property
    def unused(self) -> dict[str, str]:
        """None: MAFnet normalises in other layers too."""
        return {}


class MAFnetPlusOptions(HiddenOptions):
    """Options of the network `mafnet_plus`."""

    dropout: Number = Field(
        0.5,
        ge=0,
        lt=1,
        description="Share (0 to 1) of the hidden values that a training step sets to zero.",
    )
    ensemble: int = Field(
        4,
        ge=1,
        le=64,
        description="Number of networks with other initial weights; their probabilities are "
        "averaged. Time and memory grow with it.",
    )


class MAFnetOptions(CommonOptions):
    """Options of the network `mafnet`. The defaults are the paper's MAFnet."""

    modalities: Literal["visual", "audio", "both"] = Field(
        "both", description="Modalities that the network reads (paper, table 2)."
    )
    film: Choice = Field(
        "audio",
        description="Residual blocks that FiLM conditions on the other modality (paper, table 4).",
    )
    blocks: Choice = Field(
        "audio",
        description="Modalities whose maps pass through a residual block; the maps of the others "
        "are averaged. A visual block reads the visual maps, 50 times as large as their means.",
    )
    fusion: Literal[*FUSIONS] = Field(
        "concatenation",
        description="How the vectors of the two modalities become one (paper, table 2).",
    )
    attention: Literal[*ATTENTIONS] = Field(
        "modality_temporal",
        description="What the attention chooses among: clips (`temporal`), modalities, both, or "
        "`none` for the mean (paper, table 3).",
    )

    @field_validator("film", mode="before")
    @classmethod
    def _film_has_a_name(cls, value: object) -> object:
        if isinstance(value, bool):
            new = "both" if value else "none"
            raise ValueError(f"is no longer true or false; write `film: {new}, blocks: both`")
        return value

    @model_validator(mode="after")
    def _choices_go_together(self) -> Self:
        only = self.modalities
        if only != "both":
            self._require(
                film=("none",),
                blocks=("none", only),
                fusion=("concatenation",),
                attention=("temporal", "none", "modality_temporal"),
            )
        elif not set(chosen(self.film)) <= set(chosen(self.blocks)):
            raise ValueError(
                f"film: {self.film} needs a residual block there; write blocks: "
                f"{' or '.join(dict.fromkeys((self.film, 'both')))}"
            )
        return self

    def _require(self, **allowed: tuple[str, ...]) -> None:
        """ValueError with what to write if one of the options has no allowed value."""
        wrong = [name for name, values in allowed.items() if getattr(self, name) not in values]
        if wrong:
            found = ", ".join(f"{name}: {getattr(self, name)}" for name in wrong)
            needed = ", ".join(f"{name}: {allowed[name][0]}" for name in wrong)
            raise ValueError(
                f"modalities: {self.modalities} does not go with {found}; write {needed}"
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network reads: visual maps where they have a residual block."""
        visual = "visual_maps" if "visual" in chosen(self.blocks) else "visual"
        names = {"visual": visual, "audio": "audio"}
        return tuple(names[modality] for modality in chosen(self.modalities))

    @property
    def has_film(self) -> bool:
        """True if a residual block has FiLM."""
        return self.film != "none"

    @property
    def unused(self) -> dict[str, str]:
        """The score, if there is no attention."""
        return {"attention_score": "attention: none"} if self.attention == "none" else {}


class AttentionClusterOptions(NormOptions):
    """Options of the network `attention_cluster`."""

    units: int = Field(32, ge=1, description="N, the number of attention units of each modality.")
    dropout: Number = Field(
        0.5,
        ge=0,
        lt=1,
        description="Share (0 to 1) of the classifier's inputs that a training step sets to zero.",
    )


class DMRNOptions(NormOptions, HiddenOptions):
    """Options of the network `dmrn`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network reads: visual maps and audio maps."""
        return ("visual_maps", "audio")


class LogisticRegressionOptions(NetworkOptions):
    """Options of the network `logistic_regression`."""

    c: Annotated[list[Annotated[Number, Field(gt=0)]], Field(min_length=1), EachOnce] = Field(
        [1e-4, 1e-3, 1e-2, 1e-1, 1],
        description="Inverse strengths of the L2 penalty. The one with the highest validation "
        "accuracy is kept.",
    )


class Member(Settings):
    """A network of a late fusion, with its options."""

    network: str = Field(description="Name in the registry of networks.")
    options: dict[str, Any] = Field(description="All options that the network's run recorded.")


class LateFusionOptions(NetworkOptions):
    """Options of the network `late_fusion`.

    In the config, members are names of variants. `ModelSection.options_of` replaces the list by a
    mapping from these names to the networks, which runs record.
    """

    members: Annotated[list[Name], Field(min_length=2), EachOnce] | dict[Name, Member] = Field(
        description="Variants whose class probabilities are averaged."
    )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the members read, visual before audio."""
        # Imported here because the registry imports this module.
        from mafnet.model.networks import network_spec

        found = [
            name
            for member in self.members.values()
            for name in network_spec(member.network).inputs(member.options)
        ]
        return tuple(sorted(set(found), key=lambda name: (name == "audio", name)))
