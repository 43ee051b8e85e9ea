"""VGGish's embedding after PCA and quantisation: the audio features of DMRN's authors.

Hershey et al. 2017 (arXiv 1609.09430). The steps after the embedding were compared with the source
of VGGish's authors (vggish_postprocess.py in github.com/tensorflow/models,
research/audioset/vggish): the means are subtracted, the matrix is applied from the left, the values
are clipped to [-2, 2] and scaled to 0 to 255, and the cast to bytes drops the fraction.
The last ReLU of the embedding is that of the PyTorch port; the authors' present definition
(vggish_slim.py) ends before it. Which of the two DMRN's authors used is not known here.
"""

import torch
from torch import nn
from torch.nn import functional

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.network import FrozenNetwork, he_initialised
from mafnet.features.backbones.zoo.vggish import VGGishNetwork, port_weights

EMBEDDING = 128
LARGEST = 2.0
"""Components are clipped to [-2, 2], then mapped to 0 ... 255."""

PORT_LAYERS = {"fc1_1": 0, "fc1_2": 2, "fc2": 4}
"""Index of each layer in `embeddings` of github.com/harritaylor/torchvggish."""


class Layers(nn.Module):
    """Log-mel patches (N, 1, 96, 64) to vectors (N, 128, 1, 1) of whole numbers, 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = VGGishNetwork()
        self.fc1_1 = nn.Linear(6 * 4 * 512, 4096)
        self.fc1_2 = nn.Linear(4096, 4096)
        self.fc2 = nn.Linear(4096, EMBEDDING)
        self.register_buffer("pca_eigen_vectors", torch.eye(EMBEDDING))
        self.register_buffer("pca_means", torch.zeros(EMBEDDING, 1))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        maps = functional.max_pool2d(self.convolutions(patches), 2)
        # TensorFlow flattens with the channels last.
        values = maps.permute(0, 2, 3, 1).flatten(1)
        for layer in (self.fc1_1, self.fc1_2, self.fc2):
            values = functional.relu(layer(values))
        whitened = (values - self.pca_means[:, 0]) @ self.pca_eigen_vectors.T
        shares = (whitened.clamp(-LARGEST, LARGEST) + LARGEST) / (2 * LARGEST)
        return torch.floor(shares * 255)[..., None, None]


class VGGishPCA(FrozenNetwork):
    """VGGish with its dense layers, and the published parameters of the PCA."""

    def layers(self) -> nn.Module:
        return he_initialised(Layers())

    def own_weights(self, state: dict) -> dict:
        """Our state dict; `state` may have the keys of the PyTorch port and of the PCA's file."""
        if "fc2.weight" in state:
            return state
        own = {f"convolutions.{key}": value for key, value in port_weights(state).items()}
        names = {
            f"{name}.{part}": f"embeddings.{index}.{part}"
            for name, index in PORT_LAYERS.items()
            for part in ("weight", "bias")
        } | {name: name for name in ("pca_eigen_vectors", "pca_means")}
        missing = [key for key in names.values() if key not in state]
        if missing:
            raise MafnetError(
                f"{self.spec.name}: the weights lack {', '.join(missing)}; use the published files"
            )
        own |= {name: state[key].float() for name, key in names.items()}
        return own | {"pca_means": own["pca_means"].reshape(EMBEDDING, 1)}
