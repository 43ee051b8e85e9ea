"""The differences between `mafnet_plus` and MAFnet."""

import pytest
import torch

from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES, VISUAL, AUDIO = 5, 20, 8
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64, sums of some thousand terms in another order
VISUAL_VALID = [[1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 1, 1]]
AUDIO_VALID = [
    [1, 0, 0],
    [1, 1, 1],
    [1, 1, 0],
    [0, 0, 0],
]  # shorter and longer than visual; no audio
VALID = torch.tensor([VISUAL_VALID, AUDIO_VALID]).bool().permute(1, 2, 0)


def build(name="mafnet_plus", **options):
    """A small float64 network with fresh weights."""
    torch.manual_seed(0)
    return build_network(
        name,
        classes=CLASSES,
        visual_features=VISUAL,
        audio_features=AUDIO,
        options={"hidden": 16, "bn_momentum": 0.3} | options,
    ).double()


def batch(valid=VALID, junk=0.0):
    """Random features; padding is zero as in feature files, or junk.

    The visual vector of a clip with audio only stays zero, because it conditions the audio maps.
    """
    generator = torch.Generator().manual_seed(0)
    visual = torch.rand(4, 3, VISUAL, generator=generator, dtype=torch.float64)
    audio = torch.rand(4, 3, 4, 3, AUDIO, generator=generator, dtype=torch.float64)
    visual[~valid[..., 0]] = 0.0
    visual[~valid.any(-1)] = junk
    audio[~valid[..., 1]] = junk
    return Features(visual, audio, valid)


def test_attention_is_zero_on_padding_and_sums_to_one():
    for network in (build(), build().eval()):
        attention = network(batch()).attention
        assert (attention[~VALID] == 0).all()
        torch.testing.assert_close(attention.sum((1, 2)), torch.ones(4).double(), **ROUNDING)


def test_padding_changes_nothing_in_training_or_evaluation():
    """Outputs and running statistics do not depend on the values or the length of the padding."""
    clean, junk, longer = build(), build(), build()
    padded = Features(*(torch.cat((x, torch.zeros_like(x)), dim=1) for x in batch()[:3]))
    for network, features in ((clean, batch()), (junk, batch(junk=7.0)), (longer, padded)):
        for _ in range(3):
            logits = network(features).logits
        network.after = (logits, network.eval()(features).logits, *network.buffers())
    for other in (junk, longer):
        for one, same in zip(clean.after, other.after, strict=True):
            torch.testing.assert_close(one, same, **ROUNDING)


def test_padding_changes_mafnet():
    """The reason for the masks: more padding changes the logits of MAFnet."""
    network = build("mafnet")
    padded = Features(*(torch.cat((x, torch.zeros_like(x)), dim=1) for x in batch()[:3]))
    assert (network(padded).logits - network(batch()).logits).abs().max() > 1e-3


def test_without_padding_it_is_mafnet():
    plus, plain = build(), build("mafnet")
    features = batch()._replace(valid=None)
    for _ in range(2):
        found, expected = plus(features), plain(features)
    torch.testing.assert_close(found, expected, **ROUNDING)
    torch.testing.assert_close(plus.eval()(features), plain.eval()(features), **ROUNDING)


@pytest.mark.parametrize("clips", [0, 1])
def test_batches_with_at_most_one_valid_clip_use_all_clips(clips):
    """Outputs and running statistics stay finite."""
    valid = torch.zeros_like(VALID)
    valid[0, :clips] = True
    network = build()
    output = network(batch(valid))
    assert output.logits.isfinite().all()
    torch.testing.assert_close(output.attention.sum((1, 2)), torch.ones(4).double(), **ROUNDING)
    assert all(buffer.isfinite().all() for buffer in network.buffers())
    assert network.eval()(batch(valid)).logits.isfinite().all()
