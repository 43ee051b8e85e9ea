"""On-the-fly gradient modulation with generalisation enhancement (OGM-GE, arXiv 2203.15332)."""

import torch
from torch import Tensor
from torch.nn import functional

from mafnet.model.balance.base import Balance, FusedVectors
from mafnet.model.config import Training
from mafnet.model.networks.blocks import Network


class GradientModulation(Balance):
    """Scales down the gradients of the path that is ahead, and adds noise to both paths.

    Each half of the classifier, with half of its bias, is a classifier of one modality. The path
    whose half gives the true classes more probability is ahead. Its gradients are multiplied by
    1 - tanh(balance_alpha * ratio). The noise is Gaussian, with the standard deviation of each
    gradient. The authors' code changes convolutions only; here the paths have dense layers, so all
    weights of both paths are changed. The normalisation of the logits is left out of the ratio.
    """

    def __init__(self, network: Network, chosen: Training) -> None:
        super().__init__(network, chosen)
        self._fused = FusedVectors(network)

    @torch.no_grad()
    def change_gradients(self, labels: Tensor) -> None:
        """Modulate the gradients of both paths."""
        linear = self.network.classifier.linear
        weights = linear.weight.float().chunk(2, dim=1)
        scores = [
            (half @ weight.T + linear.bias / 2).softmax(1).gather(1, labels[:, None]).sum()
            for half, weight in zip(self._fused.halves(), weights, strict=True)
        ]
        ratio = scores[0] / scores[1]
        alpha = self.chosen.balance_alpha
        for prefix, ahead in (("visual_", ratio), ("audio_", 1 / ratio)):
            factor = torch.where(ahead > 1, 1 - torch.tanh(alpha * functional.relu(ahead)), 1.0)
            for name, parameter in self.network.named_parameters():
                if name.startswith(prefix) and parameter.grad is not None and parameter.ndim > 1:
                    noise = torch.randn_like(parameter) * (parameter.grad.std() + 1e-8)
                    parameter.grad.mul_(factor).add_(noise)
