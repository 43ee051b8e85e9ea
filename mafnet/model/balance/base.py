"""Interface of the ways to balance two modalities."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.batches import Reader
from mafnet.model.config import Training
from mafnet.model.data import Subset
from mafnet.model.networks.blocks import Network


class Balance:
    """What a training step does beyond cross-entropy. This base class does nothing more.

    modules: parts with parameters that only training needs; the optimiser gets them, and they are
        saved with the state of an unfinished training.
    """

    def __init__(self, network: Network, chosen: Training) -> None:
        self.network = network
        self.chosen = chosen
        self.modules = nn.ModuleDict()

    def prepare(self, new: Callable[[], Network], reader: Reader, training: Subset) -> None:
        """Called once before the first step. new: makes a network with fresh weights."""

    def begin_step(self) -> None:
        """Called before the forward pass; draws what is random in a step."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss () of a batch: logits (B, C) float32, labels (B,)."""
        return functional.cross_entropy(logits, labels)

    def change_gradients(self, labels: Tensor) -> None:
        """Called between the backward pass and the step of the optimiser."""


class FusedVectors:
    """Keeps the input of the classifier in the last forward pass: (B, 2 H), visual first."""

    def __init__(self, network: Network) -> None:
        self._value: Tensor | None = None
        network.classifier.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        self._value = inputs[0]

    def halves(self) -> tuple[Tensor, Tensor]:
        """The visual and the audio vectors (B, H), float32."""
        visual, audio = self._value.float().chunk(2, dim=1)
        return visual, audio
