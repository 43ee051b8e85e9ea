"""Late fusion: the mean of the class probabilities of networks that were trained separately."""

import torch
from torch import nn

from mafnet.model.networks.blocks import Features, Network, Output, at_least_float32
from mafnet.model.networks.options import MODALITIES, LateFusionOptions


class LateFusion(Network):
    """The trained networks of other variants, each with its weights. Nothing is trained."""

    def __init__(
        self,
        *,
        classes: int,
        visual_features: int | None,
        audio_features: int | None,
        options: LateFusionOptions,
    ) -> None:
        # Imported here because the registry imports this module.
        from mafnet.model.networks import build_network, network_spec

        super().__init__()
        sizes = {"visual_features": visual_features, "audio_features": audio_features}
        self.members = nn.ModuleDict()
        self.modalities = {}
        for name, member in options.members.items():
            self.members[name] = build_network(
                member.network, classes=classes, options=member.options, **sizes
            )
            self.modalities[name] = network_spec(member.network).modalities(member.options)
        read = {modality for found in self.modalities.values() for modality in found}
        self.axis = [modality for modality in MODALITIES if modality in read]

    def forward(self, features: Features) -> Output:
        """Logits (B, C), the log of the mean probabilities; attention (B, T, K), the mean."""
        logits, attention = [], 0
        for name, member in self.members.items():
            own = features._replace(valid=self._valid(features, name))
            output = member(own)
            logits.append(at_least_float32(output.logits).log_softmax(1))
            spread = output.attention.new_zeros(*output.attention.shape[:2], len(self.axis))
            indices = [self.axis.index(modality) for modality in self.modalities[name]]
            spread[..., indices] = output.attention
            attention = attention + spread / len(self.members)
        mean = torch.stack(logits).logsumexp(0) - torch.tensor(len(logits)).log()
        return Output(mean, attention)

    def _valid(self, features: Features, name: str) -> torch.Tensor | None:
        """The validity (B, T, K) of the modalities that a member reads."""
        if features.valid is None:
            return None
        return features.valid[..., [self.axis.index(found) for found in self.modalities[name]]]
