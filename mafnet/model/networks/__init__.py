"""The registry of networks. A network computes class scores from the features of videos.

A new network is one module here, built from `blocks`, the model of its options in
`options`, and one entry below. Reading the specs does not import torch; `build_network` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from mafnet.common import versions
from mafnet.common.errors import MafnetError
from mafnet.model.networks.options import (
    AttentionClusterOptions,
    CommonOptions,
    DMRNOptions,
    LateFusionOptions,
    LogisticRegressionOptions,
    MAFnetOptions,
    MAFnetPlusOptions,
    NetworkOptions,
)

if TYPE_CHECKING:
    from mafnet.model.networks.blocks import Network


class Fault(NamedTuple):
    """The name of a wrong option (empty if several do not fit together), and what to do."""

    option: str
    message: str

    def __str__(self) -> str:
        return f"option {self.option}: {self.message}" if self.option else self.message


@dataclass(frozen=True)
class NetworkSpec:
    """The properties of a network that are known before it is built.

    location: "module:Class" of a `blocks.Network`, in this folder.
    options: the model of its options. The methods take options as a mapping. A missing option has
        its default; a wrong option is a MafnetError.
    fit: function of `mafnet.model.closed_form` that computes the weights at once; empty if
        gradient descent trains the network.
    version: raise it when the network computes something else; its runs are then trained again.
    """

    name: str
    location: str
    options: type[NetworkOptions]
    fit: str = ""
    version: int = 1

    @property
    def training_version(self) -> int | str:
        """The version of the networks' training, with the network's own after the first."""
        return versions.TRAIN if self.version == 1 else f"{versions.TRAIN} {self.version}"

    def inputs(self, options: Mapping) -> tuple[str, ...]:
        """The features that the network reads: names of feature files and of `Features`' fields."""
        return self.parse(options).inputs

    def modalities(self, options: Mapping) -> tuple[str, ...]:
        """The modality of each input: "visual", "audio"."""
        return tuple(name.removesuffix("_maps") for name in self.inputs(options))

    def has_film(self, options: Mapping) -> bool:
        """True if the network has FiLM."""
        return self.parse(options).has_film

    def parse(self, options: Mapping) -> NetworkOptions:
        """The options as the network's constructor takes them."""
        try:
            return self.options(**options)
        except ValidationError as error:
            faults = "; ".join(f"{fault}" for fault in self._faults(error))
            raise MafnetError(f"network {self.name}: {faults}") from error

    def resolved(self, common: Mapping, own: Mapping) -> dict:
        """The options that a run records, because its result depends on them.

        common: section `model.network`. own: the variant's `options`, which replace those of
        `common`. The record has no options that the network lacks or does not use, and none that
        have their default and are not in the section. So a new option does not change the record
        of an old run.
        """
        options = self._merged(common, own)
        known, unused = self.options.model_fields, self.parse(options).unused
        return {
            key: value
            for key, value in options.items()
            if key not in unused and (key in common or value != known[key].default)
        }

    def faults(self, common: Mapping, own: Mapping) -> list[Fault]:
        """The faults of a variant's own options; an option without effect is a fault too."""
        known = self.options.model_fields
        try:
            unused = self.options(**self._merged(common, own)).unused
        except ValidationError as error:
            return list(self._faults(error))
        return [
            Fault(option, f"changes nothing with {choice}; leave it out")
            for option, choice in unused.items()
            if own.get(option, known[option].default) != known[option].default
        ]

    def _merged(self, common: Mapping, own: Mapping) -> dict:
        """The common options that the network has, replaced by its own where it has own ones."""
        known = self.options.model_fields
        return {key: value for key, value in common.items() if key in known} | dict(own)

    def _faults(self, error: ValidationError) -> Iterator[Fault]:
        """The faults that pydantic found."""
        for found in error.errors():
            name = ".".join(map(str, found["loc"]))
            if found["type"] == "extra_forbidden":
                known = ", ".join(self.options.model_fields)
                yield Fault(name, f"network {self.name} has no such option; choose among {known}")
            elif found["type"] == "value_error":
                yield Fault(name, str(found["ctx"]["error"]))
            else:
                expected = found["msg"].replace("Input", "it", 1)
                yield Fault(name, f"{found['input']!r} is wrong; {expected}")


NETWORKS = {
    spec.name: spec
    for spec in (
        NetworkSpec("mafnet", "mafnet:MAFnet", MAFnetOptions),
        NetworkSpec("mafnet_plus", "mafnet_plus:MAFnetPlus", MAFnetPlusOptions, version=2),
        NetworkSpec(
            "attention_cluster", "attention_cluster:AttentionCluster", AttentionClusterOptions
        ),
        NetworkSpec("dmrn", "dmrn:DMRN", DMRNOptions),
        NetworkSpec(
            "logistic_regression",
            "logistic_regression:LogisticRegression",
            LogisticRegressionOptions,
            fit="fit_logistic_regression",
        ),
        NetworkSpec(
            "late_fusion", "late_fusion:LateFusion", LateFusionOptions, fit="combine_members"
        ),
    )
}

COMMON_OPTIONS = tuple(CommonOptions.model_fields)
"""The options in the config's section `model.network`; a network uses those that it has."""

FORMER = {
    "visual_only": "`{modalities: visual, film: none, blocks: none}`",
    "audio_only": "`{modalities: audio, film: none}`",
    "no_film": "`{film: none}`",
    "visual_film": "`{film: visual, blocks: visual}`",
    "two_blocks": "`{film: both, blocks: both}`, or `{film: none, blocks: both}` without FiLM",
}
"""Former networks, each with the options of `mafnet` that replace it."""


def network_spec(name: str) -> NetworkSpec:
    """The spec of a network by name; MafnetError lists the known names."""
    if name in FORMER:
        raise MafnetError(f"network {name} is now `network: mafnet` with options {FORMER[name]}")
    if name not in NETWORKS:
        raise MafnetError(f"network {name!r} is unknown; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build_network(
    name: str,
    *,
    classes: int,
    visual_features: int | None,
    audio_features: int | None,
    options: Mapping,
) -> "Network":
    """A network for `classes` classes with fresh weights, float32, in training mode.

    visual_features, audio_features: channels of the features, Dv and Da; None for a modality that
        the network does not read.
    options: fields of the spec's `options`; MafnetError names a wrong one.

    Weights are drawn from torch's global generator. After the same `torch.manual_seed` they are
    the same.
    """
    from mafnet.model.initialise import initialise

    spec = network_spec(name)
    module, _, attribute = spec.location.partition(":")
    network_class = getattr(import_module(f"{__name__}.{module}"), attribute)
    return initialise(
        network_class(
            classes=classes,
            visual_features=visual_features,
            audio_features=audio_features,
            options=spec.parse(options),
        )
    )
