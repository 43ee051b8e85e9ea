"""Steps that leave out one modality at random; `training.drop_rate` is the probability."""

import torch
from torch import Tensor, nn

from mafnet.model.balance.base import Balance
from mafnet.model.config import Training
from mafnet.model.networks.blocks import Network


class DropVisual(Balance):
    """A dropped step does not update the visual path (paper, figure 6).

    The path's moments in Adam do not change either. Every step updates all running statistics.
    """

    def begin_step(self) -> None:
        """Decide whether this step is dropped."""
        self.dropped = torch.rand(()).item() < self.chosen.drop_rate

    def change_gradients(self, labels: Tensor) -> None:
        """Remove the gradients of the visual path in a dropped step."""
        del labels
        if self.dropped:
            for parameter in self.network.visual_path():
                parameter.grad = None  # Adam skips parameters without a gradient


class DropAudio(Balance):
    """DropPathway (arXiv 2001.08740): a dropped step leaves out the audio path.

    The audio vectors are zero in this step, so the path contributes nothing and learns nothing.
    """

    def __init__(self, network: Network, chosen: Training) -> None:
        super().__init__(network, chosen)
        self.dropped = False
        network.audio_dense.register_forward_hook(self._mask)

    def begin_step(self) -> None:
        """Decide whether this step is dropped."""
        self.dropped = torch.rand(()).item() < self.chosen.drop_rate

    def _mask(self, layer: nn.Module, _: tuple[Tensor], vectors: Tensor) -> Tensor:
        return vectors * 0 if self.dropped and layer.training else vectors
