"""Ways to make one vector of the two modalities' (paper, table 2).

Each is made of the vectors' size H, says by `features` the size of what it gives, and takes
vectors (..., K, H), the visual one first.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mafnet.model.networks.blocks import at_least_float32

SKETCH_FEATURES = 16_000
"""Size of a count sketch, as in the work that proposed MCB."""

ROOT_EPS = 1e-8
"""Keeps the gradient of the signed root finite at zero; float32 rounds sketches to about this."""


class Addition(nn.Module):
    """The sum of the modalities."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.features = hidden

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, H) of vectors (B, K, H)."""
        return vectors.sum(-2)


class Concatenation(nn.Module):
    """The modalities one after the other, as in MAFnet."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.features = 2 * hidden

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, K * H) of vectors (B, K, H)."""
        return vectors.flatten(-2)


class CountSketch(nn.Module):
    """A fixed random projection: each element is added, with a fixed sign, to one of `size` sums.

    places, signs: (H,), drawn from torch's global generator and saved with the weights.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("places", torch.randint(size, (features,)))
        self.register_buffer("signs", 2.0 * torch.randint(2, (features,)) - 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, size) of vectors (B, H)."""
        sums = vectors.new_zeros(len(vectors), self.size)
        return sums.index_add(1, self.places, vectors * self.signs.to(vectors.dtype))


class CompactBilinear(nn.Module):
    """Multimodal compact bilinear pooling (MCB): the outer product of the modalities, sketched.

    The sketch of an outer product is the circular convolution of the sketches, a product of their
    spectra. Computed in float32 at least; signed square root and L2 normalisation follow.
    """

    def __init__(self, hidden: int, size: int = SKETCH_FEATURES) -> None:
        super().__init__()
        self.features = size
        self.visual_sketch = CountSketch(hidden, size)
        self.audio_sketch = CountSketch(hidden, size)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, size), of length 1, of vectors (B, K, H)."""
        visual, audio = at_least_float32(vectors).unbind(-2)
        spectrum = torch.fft.rfft(self.visual_sketch(visual))  #           (B, size / 2 + 1)
        spectrum = spectrum * torch.fft.rfft(self.audio_sketch(audio))
        product = torch.fft.irfft(spectrum, n=self.features)  #            (B, size)
        return functional.normalize(product / (product.abs() + ROOT_EPS).sqrt())


class ResidualFusion(nn.Module):
    """Dual multimodal residual fusion (DMR): the modalities take up what they have in common.

    f = (U_v h_v + U_a h_a) / 2 with U = Linear-tanh-Linear, all of the vectors' size; the result is
    the mean of tanh(h_v + f) and tanh(h_a + f).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.features = hidden
        self.visual = _two_linear(hidden)
        self.audio = _two_linear(hidden)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., H) of vectors (..., K, H)."""
        visual, audio = vectors.unbind(-2)
        common = (self.visual(visual) + self.audio(audio)) / 2
        return ((visual + common).tanh() + (audio + common).tanh()) / 2


def _two_linear(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))


FUSIONS = {
    "addition": Addition,
    "concatenation": Concatenation,
    "mcb": CompactBilinear,
    "dmr": ResidualFusion,
}
"""By name: made of the size of the vectors."""
