"""Ways to train two modalities: steps against formulas, whole trainings, kills, the config."""

import numpy as np
import pytest
import torch
from support.made_features import made_data, made_samples
from torch.nn import functional

from mafnet.common.errors import MafnetError
from mafnet.model.balance import BALANCES, new_balance
from mafnet.model.balance.blending import LOSSES
from mafnet.model.batches import Reader
from mafnet.model.config import Training
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import new_network, new_optimiser, step, train, trained_network
from mafnet.plan.config import check_config, read_config

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    samples = made_samples({"train": 8, "val": 2, "test": 2})
    return made_data(tmp_path_factory.mktemp("data"), samples, ("visual", "audio"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def settings_for(data, balance, **training):
    values = {
        "learning_rate": 1e-2, "batch_size": 6, "max_epochs": 6, "patience": 6,
        "precision": "float32", "balance": balance,
    }  # fmt: skip
    return RunSettings(
        variant="tried", network="mafnet", options={"hidden": 8}, seed=1, classes=data.classes,
        training=Training(**values | training), clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip


def prepared(data, balance, **training):
    """A network, its balance, the features and the labels of the training videos."""
    settings = settings_for(data, balance, **training)
    network = new_network(settings, data).train()
    subset = data.subset("train")
    features = Reader(data, settings.inputs, CPU, "float32").features(subset.rows)
    found = new_balance(network, settings.training)
    return network, found, features, torch.from_numpy(subset.labels)


def gradients(network, balance, features, labels):
    """The gradients of one step, by name, and the loss."""
    balance.begin_step()
    loss = balance.loss(network(features).logits, labels)
    network.zero_grad()
    loss.backward()
    balance.change_gradients(labels)
    named = network.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}, loss.item()


@pytest.mark.parametrize("balance", BALANCES)
def test_training_learns_and_writes_only_the_network(data, balance, tmp_path):
    train(settings_for(data, balance, max_epochs=20, patience=20), data, tmp_path, CPU)
    run = RunFolder(tmp_path)
    history = run.read_history()
    # Half of the loss of equal probabilities. Dropped steps and noise keep some of it.
    assert min(row.loss for row in history) < np.log(3) / 2
    trained_network(run, data)  # refuses other weights than the network's


@pytest.mark.parametrize("balance", BALANCES)
def test_killed_training_continues_to_the_same_weights(data, balance, tmp_path, monkeypatch):
    settings = settings_for(data, balance)
    train(settings, data, tmp_path / "whole", CPU)

    def stop(run, state):
        write(run, state)
        if state["state"]["epoch"] == 3:
            raise KeyboardInterrupt

    write = RunFolder.write_resume
    monkeypatch.setattr(RunFolder, "write_resume", stop)
    with pytest.raises(KeyboardInterrupt):
        train(settings, data, tmp_path / "killed", CPU, save_seconds=0)
    monkeypatch.undo()
    train(settings, data, tmp_path / "killed", CPU)
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


@pytest.mark.parametrize(
    ("balance", "path"), [("drop_visual", "visual_"), ("drop_audio", "audio_")]
)
def test_dropped_step_gives_a_path_no_gradient(data, balance, path):
    kept, *_ = gradients(*prepared(data, balance, drop_rate=0))
    dropped, *_ = gradients(*prepared(data, balance, drop_rate=0.999999))
    for name, gradient in kept.items():
        left = dropped.get(name, torch.zeros(1)).abs().max()
        assert (left == 0) == name.startswith(path) or gradient.abs().max() < 1e-6, name


def test_audio_is_dropped_only_in_training(data):
    network, balance, features, _ = prepared(data, "drop_audio", drop_rate=0.999999)
    balance.begin_step()
    assert balance.dropped
    shifted = features._replace(audio=features.audio + 1)
    assert torch.equal(network(features).logits, network(shifted).logits)
    network.eval()
    assert not torch.equal(network(features).logits, network(shifted).logits)


def test_modulation_slows_the_path_that_is_ahead(data):
    """The noise is removed by the mean over many steps."""
    network, balance, features, labels = prepared(data, "ogm_ge", balance_alpha=0.4)
    # The visual half now decides.
    with torch.no_grad():
        network.classifier.linear.weight[:, 8:] = 0
    fused = []
    network.classifier.register_forward_pre_hook(lambda _, inputs: fused.append(inputs[0]))
    plain, _ = gradients(network, type(balance).__base__(network, balance.chosen), features, labels)
    draws = [gradients(network, balance, features, labels)[0] for _ in range(400)]
    visual, audio = fused[0].chunk(2, dim=1)
    weights = network.classifier.linear.weight.chunk(2, dim=1)
    shares = [
        (half @ weight.T).softmax(1)[torch.arange(len(labels)), labels].sum()
        for half, weight in zip((visual, audio), weights, strict=True)
    ]
    ratio = (shares[0] / shares[1]).item()
    slow, fast = ("visual_dense.linear.weight", "audio_dense.linear.weight")
    if ratio < 1:
        slow, fast, ratio = fast, slow, 1 / ratio
    factors = {slow: 1 - np.tanh(0.4 * ratio), fast: 1.0}
    for name, factor in factors.items():
        mean = torch.stack([draw[name] for draw in draws]).mean(0)
        # The mean of 400 draws of noise has 1/20 of the gradient's standard deviation.
        error = (mean - factor * plain[name]).std() / plain[name].std()
        assert error < 0.08, name
    for name in ("classifier.linear.weight", "visual_dense.norm.weight"):
        torch.testing.assert_close(draws[0][name], plain[name])


def test_blending_is_the_weighted_sum_of_three_losses(data):
    network, balance, features, labels = prepared(data, "gradient_blending")
    balance.weights = dict(zip(LOSSES, (0.2, 0.3, 0.5), strict=True))
    _, loss = gradients(network, balance, features, labels)
    logits = network(features).logits
    visual, audio = balance._fused.halves()
    expected = 0.5 * functional.cross_entropy(logits, labels)
    expected += 0.2 * functional.cross_entropy(balance.modules["visual"](visual), labels)
    expected += 0.3 * functional.cross_entropy(balance.modules["audio"](audio), labels)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    before = balance.modules["audio"].weight.clone()
    step(network, new_optimiser(network, balance.chosen, balance), balance, features, labels)
    assert not torch.equal(balance.modules["audio"].weight, before)


def test_blending_gives_a_modality_without_information_little_weight(data):
    """Audio of noise only overfits, so its loss gets less weight than the visual loss."""
    settings = settings_for(data, "gradient_blending")
    _, balance, _, _ = prepared(data, "gradient_blending")

    class Noise(Reader):
        def features(self, rows):
            found = super().features(rows)
            generator = torch.Generator().manual_seed(int(rows[0]))
            return found._replace(audio=torch.rand(found.audio.shape, generator=generator))

    reader = Noise(data, settings.inputs, CPU, "float32")
    balance.prepare(lambda: new_network(settings, data), reader, data.subset("train"))
    assert sum(balance.weights.values()) == pytest.approx(1)
    assert balance.weights["audio"] < balance.weights["visual"]


@pytest.mark.parametrize(
    ("options", "balance", "message"),
    [
        ({"fusion": "addition"}, "ogm_ge", "ogm_ge needs fusion: concatenation"),
        ({"fusion": "dmr"}, "gradient_blending", "needs fusion: concatenation"),
        (
            {"modalities": "audio", "film": "none"},
            "drop_audio",
            "drop_audio needs the network mafnet with both",
        ),
        ({}, "ogm", "balance: 'ogm' is wrong"),
    ],
)
def test_balance_that_does_not_go_with_the_network_is_refused(options, balance, message):
    config = read_config([])
    variant = {"network": "mafnet", "options": options, "training": {"balance": balance}}
    config["model"]["variants"]["tried"] = variant
    with pytest.raises(MafnetError, match=message):
        check_config(config)
