"""Audio networks of transformers: AST, the audio part of CLAP, Whisper's encoder, wav2vec 2.0."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from mafnet.features.backbones.hub import extractor_of, input_seconds
from mafnet.features.backbones.zoo.hub_network import HubNetwork


class Pooled(nn.Module):
    """The extractor's output (M, ...) to vectors (M, C, 1, 1).

    The vector is the network's own pooling if it has one, else the mean over its positions.
    share: of the positions, from the first, that the sound fills; the rest is padding.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network = network
        self.share = share

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = self.network(inputs)
        vectors = getattr(found, "pooler_output", None)
        if vectors is None:
            hidden = found.last_hidden_state  # (M, positions, C)
            vectors = hidden[:, : round(hidden.shape[1] * self.share)].mean(dim=1)
        return vectors.flatten(1)[..., None, None]


class HFNetwork(HubNetwork):
    """The part of the folder's network that reads sound."""

    def layers(self) -> nn.Module:
        config = AutoConfig.from_pretrained(self.spec.folder, local_files_only=True)
        return self._pooled(AutoModel.from_config(config))

    def read(self) -> nn.Module:
        network, about = AutoModel.from_pretrained(
            self.spec.folder, local_files_only=True, output_loading_info=True
        )
        if missing := sorted(about["missing_keys"]):
            raise ValueError(f"missing {', '.join(missing[:3])}")
        return self._pooled(network)

    def _pooled(self, network: nn.Module) -> nn.Module:
        for part in ("audio_model", "encoder"):  # CLAP's and Whisper's
            if hasattr(network, part) and (part == "audio_model" or hasattr(network, "decoder")):
                network = getattr(network, part)
                break
        share = self.spec.window_seconds / input_seconds(extractor_of(self.spec.folder))
        return Pooled(network.float(), min(1.0, share))
