"""The ablation of `mafnet_plus` measures what it says; it is not run here."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from plus_ablation import Seen, best_epoch, cross_fitted


def small(name):
    torch.manual_seed(0)
    options = {"hidden": 8, "bn_momentum": 0.3}
    return build_network(name, classes=3, visual_features=10, audio_features=4, options=options)


def batch():
    generator = torch.Generator().manual_seed(0)
    visual = torch.rand(4, 2, 10, generator=generator)
    audio = torch.rand(4, 2, 3, 2, 4, generator=generator)
    return Features(visual, audio, torch.ones(4, 2, 2, dtype=torch.bool))


@pytest.mark.parametrize(
    ("accuracies", "patience", "best"),
    [([0.5, 0.5, 0.7, 0.6], 9, 2), ([0.5, 0.4, 0.4, 0.9], 2, 0), ([0.5, 0.4, 0.4, 0.9], 3, 3)],
)
def test_the_best_epoch_is_the_one_that_training_keeps(accuracies, patience, best):
    assert best_epoch(np.array(accuracies), patience) == best


def test_no_sample_counts_where_it_has_chosen():
    """Each half is right in the epoch that it would choose, and wrong in the other half's."""
    sets = np.array([0, 0, 1, 1])
    right = np.array([[True, True, False, False], [False, False, True, True]])
    assert cross_fitted(right, sets, patience=9).tolist() == [0, 0, 0, 0]


def test_more_padding_is_seen_only_without_masks():
    masked, blind, plain = (Seen(small("mafnet_plus"), pad, masks)
                            for pad, masks in ((3, True), (3, False), (0, True)))  # fmt: skip
    expected = plain(batch()).logits
    torch.testing.assert_close(masked(batch()).logits, expected)
    assert (blind(batch()).logits - expected).abs().max() > 1e-3
