"""Ways to train two modalities that learn at different speed; the setting `training.balance`.

A new way is one module here with a subclass of `Balance`, and one entry below.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mafnet.model.networks.options import MAFnetOptions

if TYPE_CHECKING:
    from mafnet.model.balance.base import Balance
    from mafnet.model.config import Training
    from mafnet.model.networks.blocks import Network

BALANCES = {
    "drop_visual": "dropping:DropVisual",
    "drop_audio": "dropping:DropAudio",
    "ogm_ge": "modulation:GradientModulation",
    "gradient_blending": "blending:GradientBlending",
}
"""The ways by name: "module:Class" in this folder."""


def fault(balance: str, options: object) -> str:
    """Why a network with these options cannot be trained in this way; empty if it can."""
    if balance == "drop_visual":
        return ""
    both = isinstance(options, MAFnetOptions) and options.modalities == "both"
    if not both:
        return f"balance: {balance} needs the network mafnet with both modalities"
    if balance != "drop_audio" and options.fusion != "concatenation":
        return f"balance: {balance} needs fusion: concatenation, one half for each modality"
    return ""


def new_balance(network: "Network", chosen: "Training") -> "Balance":
    """The way that the settings choose, for a network on its device."""
    module, _, attribute = BALANCES[chosen.balance].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)(network, chosen)
