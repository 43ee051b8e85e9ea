"""The registry of networks: what turns the features of a batch of videos into class scores.

A new network is one module here, built from `blocks`, and one entry below. The specs can be read
without importing torch; `build_network` imports it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING

from mafnet.common.errors import MafnetError

if TYPE_CHECKING:
    from mafnet.model.networks.blocks import Network


@dataclass(frozen=True)
class NetworkSpec:
    """What is known of a network without building it.

    location: "module:Class" of a `blocks.Network`.
    inputs: the features it reads, fields of `blocks.Features` and names of feature files, in the
        order of the modality axis K: "visual" or "visual_maps" before "audio".
    own_options: options that it has beside those of all networks.
    film: it has FiLM, unless an option of that name is false.
    """

    name: str
    location: str
    inputs: tuple[str, ...]
    own_options: tuple[str, ...] = ()
    film: bool = False

    def has_film(self, options: Mapping) -> bool:
        """True if the network has FiLM with these options."""
        return self.film and options.get("film", True)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modality of each input: "visual", "audio"."""
        return tuple(name.removesuffix("_maps") for name in self.inputs)


_PACKAGE = "mafnet.model.networks"

NETWORKS = {
    spec.name: spec
    for spec in (
        NetworkSpec("mafnet", f"{_PACKAGE}.mafnet:MAFnet", ("visual", "audio"), film=True),
        NetworkSpec("visual_only", f"{_PACKAGE}.single:VisualOnly", ("visual",)),
        NetworkSpec("audio_only", f"{_PACKAGE}.single:AudioOnly", ("audio",)),
        NetworkSpec(
            "no_film", f"{_PACKAGE}.no_film:NoFilm", ("visual", "audio"), ("fusion", "attention")
        ),
        NetworkSpec(
            "visual_film", f"{_PACKAGE}.film:VisualFilm", ("visual_maps", "audio"), film=True
        ),
        NetworkSpec(
            "two_blocks",
            f"{_PACKAGE}.film:TwoBlocks",
            ("visual_maps", "audio"),
            ("film",),
            film=True,
        ),
        NetworkSpec(
            "attention_cluster",
            f"{_PACKAGE}.attention_cluster:AttentionCluster",
            ("visual", "audio"),
            ("units", "dropout"),
        ),
        NetworkSpec(
            "mafnet_plus", f"{_PACKAGE}.mafnet_plus:MAFnetPlus", ("visual", "audio"), film=True
        ),
        NetworkSpec("dmrn", f"{_PACKAGE}.dmrn:DMRN", ("visual_maps", "audio")),
    )
}


COMMON_OPTIONS = ("hidden", "bn_momentum", "bn_eps", "logits_bn", "attention_score")
"""The options of every network; one that has no use for some takes them all the same."""


def network_spec(name: str) -> NetworkSpec:
    """The spec of a network by name; MafnetError lists the known names."""
    if name not in NETWORKS:
        raise MafnetError(f"network {name!r} is unknown; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build_network(
    name: str, *, classes: int, visual_features: int, audio_features: int, options: dict
) -> "Network":
    """A network for `classes` classes with fresh weights, float32, in training mode.

    visual_features, audio_features: channels of the features, Dv and Da; a network ignores what
        it does not read.
    options: fields of the network's `Options`; MafnetError names one that it does not have.

    The weights come from torch's global generator: call `torch.manual_seed` before, and the same
    seed gives the same weights.
    """
    from mafnet.model.initialise import initialise

    module, _, attribute = network_spec(name).location.partition(":")
    network_class = getattr(import_module(module), attribute)
    _check_options(name, network_class.Options, options)
    return initialise(
        network_class(
            classes=classes,
            visual_features=visual_features,
            audio_features=audio_features,
            options=network_class.Options(**options),
        )
    )


def _check_options(name: str, options_class: type, options: dict) -> None:
    known = [field.name for field in fields(options_class)]
    for option in options:
        if option not in known:
            raise MafnetError(
                f"network {name!r} has no option {option!r}; choose among {', '.join(known)}"
            )
