"""The network `mafnet_plus`: masks, and a classifier for each modality and their sum."""

import pytest
import torch
from support.made_features import made_data, made_samples
from torch.nn import functional

from mafnet.model.balance.base import Balance
from mafnet.model.config import Training
from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import new_optimiser, step, train

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES, VISUAL, AUDIO = 5, 20, 8
ROUNDING = {"rtol": 1e-10, "atol": 1e-12}  # float64, sums of some thousand terms in another order
VISUAL_VALID = [[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]]
AUDIO_VALID = [[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
"""Visual longer than audio, no audio, visual shorter than audio, and nothing."""
VALID = torch.tensor([VISUAL_VALID, AUDIO_VALID]).bool().permute(1, 2, 0)


def build(ensemble=1):
    """A small float64 network with fresh weights."""
    torch.manual_seed(0)
    sizes = {"classes": CLASSES, "visual_features": VISUAL, "audio_features": AUDIO}
    options = {"hidden": 16, "dropout": 0, "ensemble": ensemble}
    return build_network("mafnet_plus", options=options, **sizes).double()


def batch(junk=0.0):
    """Random features; padding is zero as in feature files, or junk."""
    generator = torch.Generator().manual_seed(0)
    visual = torch.rand(4, 3, VISUAL, generator=generator, dtype=torch.float64)
    audio = torch.rand(4, 3, 4, 3, AUDIO, generator=generator, dtype=torch.float64)
    visual[~VALID[..., 0]] = junk
    audio[~VALID[..., 1]] = junk
    return Features(visual, audio, VALID)


def test_attention_is_zero_on_padding_and_sums_to_one():
    attention = build()(batch()).attention
    assert (attention[:3][~VALID[:3]] == 0).all()
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(4).double(), **ROUNDING)


def test_padding_changes_nothing_in_training_or_evaluation():
    """Outputs and running statistics do not depend on the values or the length of the padding."""
    padded = Features(*(torch.cat((x, torch.zeros_like(x)), dim=1) for x in batch()[:3]))
    found = []
    for features in (batch(), batch(junk=7.0), padded):
        network = build()
        for _ in range(3):
            logits = network(features).logits
        found.append((logits, network.eval()(features).logits, *network.buffers()))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], **ROUNDING)


@pytest.mark.parametrize("clips", [0, 1])
def test_batches_with_at_most_one_valid_clip_use_all_clips(clips):
    """Outputs and running statistics stay finite."""
    valid = torch.zeros_like(VALID)
    valid[0, :clips] = True
    network, features = build(), batch()._replace(valid=valid)
    assert network(features).logits.isfinite().all()
    assert all(buffer.isfinite().all() for buffer in network.buffers())
    assert network.eval()(features).logits.isfinite().all()


@pytest.mark.parametrize("ensemble", [1, 3])
def test_prediction_is_the_mean_of_the_probabilities_of_the_classifiers(ensemble):
    network = build(ensemble)
    output = network(batch())
    assert output.parts.shape == (4, 3 * ensemble, CLASSES)
    blended = output.parts.softmax(2).mean(1)
    torch.testing.assert_close(output.logits.softmax(1), blended, **ROUNDING)


def test_a_modality_without_valid_clips_says_nothing():
    """The second video has no audio: that classifier returns its bias, whatever the frames are."""
    network = build()
    changed = batch()._replace(visual=batch().visual.flip(2))
    for features in (batch(), changed):
        bias = network(features).parts[1, 1]
        torch.testing.assert_close(bias, network.ensemble[0].audio_classifier.bias, **ROUNDING)
    visual = [network(features).parts[1, 0] for features in (batch(), changed)]
    assert not torch.equal(*visual)


def test_the_third_classifier_adds_the_logits_of_the_others():
    visual, audio, total = build()(batch()).parts.unbind(1)
    torch.testing.assert_close(visual + audio, total, **ROUNDING)


def test_the_attention_of_a_modality_depends_on_the_other_modality():
    """The first video: other sounds move the attention between its two valid frames."""
    features = batch()
    louder = features._replace(audio=features.audio.flip(0, 4))
    found = [build().eval()(each).attention[0, :, 0] for each in (features, louder)]
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_the_size_of_the_features_does_not_matter():
    network, features = build(), batch()
    network.eval()
    larger = features._replace(visual=100 * features.visual, audio=100 * features.audio)
    difference = (network(larger).logits - network(features).logits).abs().max()
    assert difference < 1e-2  # layer normalisation adds 1e-5 to the variance


def test_an_ensemble_has_networks_of_their_own_weights():
    """The weights differ, and the attention is the mean of theirs."""
    network, features = build(2), batch()
    first, second = network.ensemble
    assert not torch.equal(first.score.weight, second.score.weight)
    vectors = features.visual, features.audio.mean((2, 3)), VALID
    expected = (first(*vectors)[1] + second(*vectors)[1]) / 2
    both = VALID.any(1).all(1)  # videos without audio give all of the attention to the frames
    attention = network(features).attention
    torch.testing.assert_close(attention[both], expected[both] / 2, **ROUNDING)


def test_each_classifier_has_a_loss_of_its_own():
    network = build(2)
    labels = torch.tensor([0, 1, 2, 3])
    parts = network(batch()).parts.detach()
    chosen = Training(precision="float32")
    balance = Balance(network, chosen)
    loss = step(network, new_optimiser(network, chosen, balance), balance, batch(), labels)
    expected = sum(functional.cross_entropy(parts[:, k], labels) for k in range(6)) / 6
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)  # float32


def test_it_learns_by_the_default_training(tmp_path):
    data = made_data(tmp_path, made_samples({"train": 6, "val": 2}), ("visual", "audio"))
    features = {name: file.fingerprint for name, file in data.files.items()}
    settings = RunSettings("plus", "mafnet_plus", {"hidden": 8}, Training(max_epochs=60), 1,
                           data.classes, data.clips, features)  # fmt: skip
    train(settings, data, tmp_path / "run", torch.device("cpu"))
    assert max(epoch.val_accuracy for epoch in RunFolder(tmp_path / "run").read_history()) > 0.8
