"""The networks that a data set takes where the config says `auto`."""

from collections.abc import Mapping
from typing import Any

from mafnet.features.backbones import is_hub
from mafnet.features.backbones.hub import WEIGHTS as HUB_WEIGHTS
from mafnet.features.config import AUTO
from mafnet.features.weights.published import TABLE, read_published

PAPER = {"visual": "densenet201", "audio": "vggish"}
"""The paper's networks: of its data sets and of the demo."""

OWN = {"visual": "efficientnet_lite0", "audio": "yamnet"}
"""Small networks: of people's own videos."""


def resolved(features: Mapping[str, Any], own: bool) -> dict[str, Any]:
    """The section `features` of one data set with the names of its networks and weights.

    own: True for people's own videos.
    """
    pair = OWN if own else PAPER
    return {**features, **{name: _named(features.get(name) or {}, pair[name]) for name in pair}}


def _named(chosen: Mapping[str, Any], usual: str) -> dict[str, Any]:
    backbone, weights = chosen.get("backbone", AUTO), chosen.get("weights", AUTO)
    backbone = usual if backbone == AUTO else backbone
    return {
        **chosen,
        "backbone": backbone,
        "weights": usual_weights(backbone) if weights == AUTO else weights,
    }


def usual_weights(backbone: str) -> str:
    """The name of a network's first row in resources/weights.tsv; `auto` if it has none."""
    if is_hub(backbone):
        return HUB_WEIGHTS
    rows = (row.name for row in read_published(TABLE) if row.backbone == backbone)
    return next(rows, AUTO)
