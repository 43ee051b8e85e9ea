"""Fusions combine the vectors of the modalities into one vector (paper, table 2).

A fusion is a function, or a module built from H. It takes vectors (B, K, H), visual first, and
returns vectors (B, F). The network calls it once on zeros to find F.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.networks.blocks import at_least_float32
from mafnet.model.networks.options import FUSIONS

SKETCH_FEATURES = 16_000
"""Size of a count sketch, as in the paper that proposed MCB."""

ROOT_EPS = 1e-8
"""Keeps the gradient of the signed root finite at zero; float32 rounds sketches by as much."""


def addition(vectors: Tensor) -> Tensor:
    """The sum of the modalities: (B, H)."""
    return vectors.sum(-2)


def concatenation(vectors: Tensor) -> Tensor:
    """The modalities in order, as in MAFnet: (B, K * H)."""
    return vectors.flatten(-2)


class CountSketch(nn.Module):
    """A fixed random projection: each element is added, with a fixed sign, to one of `size` sums.

    places: (H,), the index of each element's sum. signs: (H,), 1 or -1. Both are drawn from torch's
    global generator and saved with the weights.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("places", torch.randint(size, (features,)))
        self.register_buffer("signs", 2.0 * torch.randint(2, (features,)) - 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, size) of vectors (B, H)."""
        sums = vectors.new_zeros(vectors.shape[0], self.size)
        return sums.index_add(1, self.places, vectors * self.signs.to(vectors.dtype))


class CompactBilinear(nn.Module):
    """Multimodal compact bilinear pooling (MCB): the outer product of the modalities, sketched.

    The sketch of an outer product is the circular convolution of the sketches: a product of their
    spectra. Computed in float32 at least; signed square root and L2 normalisation follow.
    """

    def __init__(self, hidden: int, size: int = SKETCH_FEATURES) -> None:
        super().__init__()
        self.size = size
        self.visual_sketch = CountSketch(hidden, size)
        self.audio_sketch = CountSketch(hidden, size)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, size), of length 1, of vectors (B, K, H)."""
        visual, audio = at_least_float32(vectors).unbind(-2)
        spectrum = torch.fft.rfft(self.visual_sketch(visual))  #           (B, size / 2 + 1)
        spectrum = spectrum * torch.fft.rfft(self.audio_sketch(audio))
        product = torch.fft.irfft(spectrum, n=self.size)  #                (B, size)
        return functional.normalize(product / (product.abs() + ROOT_EPS).sqrt())


class ResidualFusion(nn.Module):
    """Dual multimodal residual fusion (DMR): adds a common vector to each modality.

    f = (U_v h_v + U_a h_a) / 2 with U = Linear-tanh-Linear, all of size H; the result is the
    mean of tanh(h_v + f) and tanh(h_a + f).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.visual = _two_linear(hidden)
        self.audio = _two_linear(hidden)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., H) of vectors (..., K, H)."""
        visual, audio = vectors.unbind(-2)
        common = (self.visual(visual) + self.audio(audio)) / 2
        return ((visual + common).tanh() + (audio + common).tanh()) / 2


def _two_linear(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))


def fusion_of(name: str, hidden: int) -> Callable[[Tensor], Tensor]:
    """The fusion by name for vectors of size H."""
    found = globals()[FUSIONS[name]]
    return found(hidden) if isinstance(found, type) else found
