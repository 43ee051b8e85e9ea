"""Training on made-up features, with kills, damage and wrong data."""

import csv
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from support.made_features import made_data, made_samples
from support.seals import flipped, unsealed, visible, without_checksums

from mafnet.cli import main
from mafnet.common.devices import processor
from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import write_manifest
from mafnet.model.balance.dropping import DropVisual
from mafnet.model.batches import Reader, predict
from mafnet.model.config import Evaluation, Training
from mafnet.model.data import Data
from mafnet.model.evaluate import evaluate
from mafnet.model.mixed_precision import resolve
from mafnet.model.resume import Progression
from mafnet.model.run_folder import RunFolder
from mafnet.model.selection import keep_best
from mafnet.model.settings import RunSettings
from mafnet.model.train import (
    _batches,
    new_network,
    new_optimiser,
    step,
    train,
    trained_network,
)

CPU = torch.device("cpu")
FILES = ("model.safetensors", "settings.json", "history.csv")
COUNTS = {"train": 6, "val": 2, "test": 2}
OPTIONS = {"hidden": 8, "bn_momentum": 0.1}
TRAINING = Training(learning_rate=1e-2, batch_size=6, max_epochs=40, patience=40, drop_rate=0.3)


@pytest.fixture(scope="module", autouse=True)
def one_thread_and_exact():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def data(root):
    return made_data(root, made_samples(COUNTS), ("visual", "audio"))


@pytest.fixture(scope="module")
def undisturbed(root, data):
    """The folder of a training without interruption."""
    train(settings_for(data), data, root / "undisturbed", CPU)
    return root / "undisturbed"


def settings_for(data, training=TRAINING, seed=1, **options):
    return RunSettings(
        variant="tried", network="mafnet", options=OPTIONS | options, training=training, seed=seed,
        classes=data.classes, clips=data.clips,
        features={name: file.fingerprint for name, file in data.files.items()},
    )  # fmt: skip


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def with_features(data, tmp_path, modality, change):
    """The same data with a copy of one feature file that `change(file)` has changed."""
    files = {name: file.path for name, file in data.files.items()}
    files[modality] = without_checksums(files[modality], tmp_path / f"{modality}.h5", change)
    return Data(data.manifest, list(files.values()), None)


def with_samples(data, tmp_path, samples):
    write_manifest(samples, tmp_path / "manifest.csv")
    return Data(tmp_path / "manifest.csv", [file.path for file in data.files.values()], None)


def command(data, output, *extra):
    """Arguments of `mafnet train` for the settings of `settings_for`."""
    settings = settings_for(data)
    chosen = {"variant": "tried", "network": "mafnet", "options": OPTIONS}
    chosen["training"] = settings.as_dict()["training"]
    features = [part for file in data.files.values() for part in ("--features", str(file.path))]
    return [
        "train", "--manifest", str(data.manifest), *features, "--settings", json.dumps(chosen),
        "--seed", "1", "--output", str(output), "--device", "cpu", *extra,
    ]  # fmt: skip


def test_training_learns_and_leaves_only_its_files(data, undisturbed, tmp_path):
    assert visible(undisturbed) == sorted(FILES)
    rows = history(undisturbed)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    evaluate(folder, data, Evaluation(batch_size=4), split="main", device=CPU)
    # The classes differ in 640 channels; chance is 33 %.
    found = json.loads((folder / "metrics.json").read_text())
    assert found["accuracy"] == 100
    assert found["precision"] == resolve(TRAINING.precision, CPU)
    assert found["trained_on"] == found["evaluated_on"] == f"cpu: {processor()}"


def test_validation_accuracy_of_the_evaluation_is_that_of_the_training(undisturbed, data, tmp_path):
    """The kept weights give the same predictions on the validation subset again."""
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    evaluate(folder, data, Evaluation(batch_size=4), split="main", device=CPU)
    kept = [row for row in history(folder) if row["best"] == "1"][-1]
    found = json.loads((folder / "metrics.json").read_text())
    assert found["val_accuracy"] == pytest.approx(100 * float(kept["val_accuracy"]), abs=0.01)
    validation, test = (RunFolder(folder).read_predictions(name) for name in ("val", "test"))
    samples = data.subset("val").samples
    assert validation.samples == [sample.sample for sample in samples]
    assert validation.groups == [sample.video for sample in samples]
    assert found["val_samples"] == len(samples)
    assert not set(validation.samples) & set(test.samples)


def test_a_class_without_training_samples_has_no_accuracy(undisturbed, data, tmp_path):
    """The network could hit it by chance."""
    samples = [
        sample for sample in made_samples(COUNTS)
        if (sample.subset, sample.label) != ("train", "class1")
    ]  # fmt: skip
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    few = with_samples(data, tmp_path, samples)
    evaluate(folder, few, Evaluation(batch_size=4), split="main", device=CPU)
    per_class = json.loads((folder / "metrics.json").read_text())["per_class"]
    assert per_class["class1"] == {"accuracy": None, "samples": 2}
    assert per_class["class0"]["accuracy"] == 100


def test_kept_weights_are_those_of_the_best_epoch(undisturbed, data, tmp_path):
    best = [row for row in history(undisturbed) if row["best"] == "1"][-1]
    shorter = TRAINING.model_copy(update={"max_epochs": int(best["epoch"])})
    train(settings_for(data, training=shorter), data, tmp_path, CPU)
    kept, last = (load_file(folder / "model.safetensors") for folder in (undisturbed, tmp_path))
    assert all(torch.equal(kept[name], last[name]) for name in kept)


def test_same_seed_same_bytes_and_another_seed_others(undisturbed, data, tmp_path):
    torch.manual_seed(99)  # whatever the process drew before
    train(settings_for(data), data, tmp_path / "again", CPU)
    assert contents(tmp_path / "again") == contents(undisturbed)
    train(settings_for(data, seed=2), data, tmp_path / "other", CPU)
    assert (
        contents(tmp_path / "other")["model.safetensors"]
        != (contents(undisturbed)["model.safetensors"])
    )


def test_killed_and_resumed_gives_the_same_bytes(undisturbed, data, tmp_path):
    output = tmp_path / "run"
    arguments = command(data, output, "--save-seconds", "0")
    process = subprocess.Popen([sys.executable, "-m", "mafnet", *arguments])
    deadline = time.monotonic() + 120
    while not (output / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (output / "model.safetensors").exists()
    saved = torch.load(output / "resume.pt", weights_only=True)["state"]["epoch"]
    assert 1 <= saved < TRAINING.max_epochs
    result = CliRunner().invoke(main, command(data, output))
    assert result.exit_code == 0, result.output
    assert contents(output) == contents(undisturbed)
    assert visible(output) == sorted(FILES)


class BreakingOff(Data):
    """Data whose disk fails after some reads."""

    reads = 18

    def read(self, rows, inputs):
        self.reads -= 1
        if self.reads < 0:
            raise ConnectionError
        return super().read(rows, inputs)


@pytest.fixture
def stopped(data, tmp_path):
    """The folder of a training that failed in epoch 5 of 40; an epoch reads four times."""
    breaking = BreakingOff(data.manifest, [file.path for file in data.files.values()], None)
    output = tmp_path / "stopped"
    with pytest.raises(ConnectionError):
        train(settings_for(data), breaking, output, CPU, save_seconds=0)
    assert torch.load(output / "resume.pt", weights_only=True)["state"]["epoch"] == 4
    return output


def test_failed_training_resumes_after_its_last_save(stopped, undisturbed, data, caplog):
    with caplog.at_level("INFO"):
        train(settings_for(data), data, stopped, CPU, save_seconds=0)
    assert "resuming after epoch 4" in caplog.text
    assert contents(stopped) == contents(undisturbed)
    assert visible(stopped) == sorted(FILES)


def test_state_that_does_not_fit_on_the_disk_does_not_end_the_training(
    undisturbed, data, tmp_path, caplog
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (undisturbed / "model.safetensors").stat().st_size  # the state needs three times as much
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        train(settings_for(data), data, tmp_path / "run", CPU, save_seconds=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "resume.pt: cannot be written (File too large); free some room" in caplog.text
    assert contents(tmp_path / "run") == contents(undisturbed)


def changed_state(path, kind):
    """Write a state of another form to resume.pt."""
    content = torch.load(path, weights_only=True)
    if kind == "list":
        content = [1, 2]
    elif kind == "keys":
        content["state"] = {"epochs": 4}
    elif kind == "types":
        content["state"]["epoch"] = "four"
    elif kind == "network":
        content["network"] = dict.fromkeys(content["network"], torch.ones(3))
    elif kind == "optimiser":
        content["optimiser"] = {"state": {}, "param_groups": []}
    torch.save(content, path)


@pytest.mark.parametrize(
    "content", ["", "words", "half", "bit", "list", "keys", "types", "network", "optimiser"]
)
def test_state_that_does_not_fit_is_reported_and_the_training_starts_from_the_beginning(
    content, stopped, undisturbed, data, caplog
):
    path = stopped / "resume.pt"
    whole = path.read_bytes()
    if content == "half":
        path.write_bytes(whole[: len(whole) // 2])
    elif content == "bit":
        path.write_bytes(flipped(whole, len(whole) // 2))
    elif content in ("", "words"):
        path.write_text(content)
    else:
        changed_state(unsealed(path), content)
    train(settings_for(data), data, stopped, CPU)
    assert "starting from the beginning" in caplog.text
    assert contents(stopped) == contents(undisturbed)


def test_state_made_on_other_data_is_not_used(stopped, data, tmp_path):
    fewer = with_samples(data, tmp_path, made_samples({"train": 5, "val": 2, "test": 2}))
    train(settings_for(fewer), fewer, stopped, CPU)
    train(settings_for(fewer), fewer, tmp_path / "fresh", CPU)
    assert contents(stopped) == contents(tmp_path / "fresh")


def test_state_made_with_other_features_is_not_used(stopped, undisturbed, data, tmp_path):
    def weaker(file):
        file["maps"][...] = file["maps"][...] / 2

    other = with_features(data, tmp_path, "audio", weaker)
    train(settings_for(other), other, stopped, CPU)
    train(settings_for(other), other, tmp_path / "fresh", CPU)
    assert contents(stopped) == contents(tmp_path / "fresh")
    assert contents(stopped)["history.csv"] != contents(undisturbed)["history.csv"]


@pytest.mark.parametrize("modality", ["visual", "audio"])
@pytest.mark.parametrize("subset", ["train", "val"])
def test_features_that_are_not_finite_name_the_sample(data, tmp_path, modality, subset):
    row = data.subset(subset).rows[1]
    layer = {"visual": "pooled", "audio": "maps"}[modality]

    def damage(file):
        values = file[layer][row]
        values.flat[7] = np.nan
        file[layer][row] = values

    damaged = with_features(data, tmp_path, modality, damage)
    with pytest.raises(MafnetError, match=f"features of {subset}0-1 are not finite"):
        train(settings_for(damaged), damaged, tmp_path / "run", CPU)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_evaluation_of_features_that_are_not_finite_names_the_sample(undisturbed, data, tmp_path):
    def damage(file):
        file["pooled"][data.subset("test").rows[0], 0] = np.nan

    damaged = with_features(data, tmp_path, "visual", damage)
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    with pytest.raises(MafnetError, match="features of test0-0 are not finite"):
        evaluate(folder, damaged, Evaluation(batch_size=4), split="main", device=CPU)


def test_a_loss_that_is_not_finite_names_the_setting(data, tmp_path):
    steep = settings_for(data, training=TRAINING.model_copy(update={"learning_rate": 1e30}))
    with pytest.raises(MafnetError, match=r"is not finite, but.*; lower .*learning_rate"):
        train(steep, data, tmp_path, CPU)


@pytest.mark.parametrize("missing", ["train", "val", "test"])
def test_missing_subset_is_one_clear_line(missing, undisturbed, data, tmp_path):
    samples = made_samples({name: n for name, n in COUNTS.items() if name != missing})
    lacking = with_samples(data, tmp_path, samples)
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    run, arguments = train, (settings_for(lacking), lacking, folder, CPU)
    if missing == "test":
        run, arguments = evaluate, (folder, lacking, Evaluation(batch_size=4), "main", CPU)
    with pytest.raises(MafnetError, match=f"no usable sample in subset {missing}") as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"modalities": "visual", "film": "none", "blocks": "none"},
        {"modalities": "audio", "film": "none"},
    ],
    ids=["both", "visual", "audio"],
)
def test_two_samples_are_enough_and_one_is_not(options, data, tmp_path):
    samples = made_samples({"train": 1, "val": 1}, classes=2)
    two = with_samples(data, tmp_path, samples)
    train(settings_for(two, **options), two, tmp_path / "run", CPU)
    assert all(np.isfinite(float(row["loss"])) for row in history(tmp_path / "run"))
    one = with_samples(data, tmp_path, samples[1:])
    with pytest.raises(MafnetError, match="two or more usable samples in train"):
        train(settings_for(one, **options), one, tmp_path / "other", CPU)


def test_dropped_step_updates_all_but_the_visual_path(data):
    torch.manual_seed(0)
    settings = settings_for(data)
    chosen = settings.training.model_copy(update={"learning_rate": 1e-2, "precision": "float32"})
    network = new_network(settings, data).train()
    balance = DropVisual(network, chosen)
    optimiser = new_optimiser(network, chosen, balance)
    subset = data.subset("train")
    features = Reader(data, settings.inputs, CPU, "float32").features(subset.rows[:8])
    labels = torch.from_numpy(subset.labels[:8])
    balance.dropped = False
    step(network, optimiser, balance, features, labels)
    visual = {id(parameter) for parameter in network.visual_path()}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    moments = [optimiser.state[parameter]["exp_avg"].clone() for parameter in network.visual_path()]
    balance.dropped = True
    step(network, optimiser, balance, features, labels)
    moved = {
        name: not torch.equal(parameter, before[name])
        for name, parameter in network.named_parameters()
    }
    frozen = {name for name, parameter in network.named_parameters() if id(parameter) in visual}
    assert frozen == {f"visual_dense.{part}" for part in
                      ("linear.weight", "linear.bias", "norm.weight", "norm.bias")}  # fmt: skip
    # A bias before a normalisation has only rounding errors as its gradient, and Adam uses them.
    assert {name for name, changed in moved.items() if not changed} == frozen
    after = [optimiser.state[parameter]["exp_avg"] for parameter in network.visual_path()]
    assert all(map(torch.equal, moments, after))
    statistics = [name for name in before if "running" in name]
    assert all(not torch.equal(network.state_dict()[name], before[name]) for name in statistics)


def test_patience_ends_the_training(data, tmp_path):
    impatient = TRAINING.model_copy(update={"patience": 3, "patience_steps": 0})
    train(settings_for(data, training=impatient), data, tmp_path, CPU)
    accuracies = [float(row["val_accuracy"]) for row in history(tmp_path)]
    last_gain = accuracies.index(max(accuracies)) + 1
    assert len(accuracies) == last_gain + 3 < TRAINING.max_epochs


def test_patience_lasts_at_least_its_steps(data, tmp_path):
    """Three steps in each epoch, so 20 steps are seven epochs."""
    impatient = TRAINING.model_copy(update={"patience": 3, "patience_steps": 20})
    train(settings_for(data, training=impatient), data, tmp_path, CPU)
    accuracies = [float(row["val_accuracy"]) for row in history(tmp_path)]
    assert len(accuracies) == accuracies.index(max(accuracies)) + 1 + 7 < TRAINING.max_epochs


@pytest.mark.parametrize(
    ("samples", "batch_size", "expected"),
    [
        (2, 32, [2]),
        (32, 32, [32]),
        (60, 32, [32, 28]),
        (35, 32, [32]),  # 3 samples are 9 %
        (36, 32, [32, 4]),  # 4 samples are 11 %
        (336, 32, [32] * 10),
        (5, 4, [4]),  # one sample cannot be normalised
    ],
)
def test_last_partial_batch_is_kept_if_it_has_more_than_a_tenth(samples, batch_size, expected):
    batches = _batches(samples, Training(batch_size=batch_size))
    assert [len(batch) for batch in batches] == expected
    assert len(set(torch.cat(batches).tolist())) == sum(expected)


def test_of_equal_accuracies_the_lowest_validation_loss_is_kept(data):
    network, state = new_network(settings_for(data), data), Progression()
    epochs = [(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.6, 2.0), (0.5, 0.1), (0.6005, 1.5), (0.6, 1.6)]
    kept = []
    for accuracy, loss in epochs:
        state.epoch += 1
        keep_best(state, network, loss, accuracy, Training(min_gain=0.001))
        kept.append(state.best_epoch)
    assert kept == [1, 2, 2, 4, 4, 6, 6]
    assert (state.best_accuracy, state.gain_epoch, state.best_loss) == (0.6, 4, 1.5)


def test_validation_loss_and_accuracy_are_those_of_the_kept_weights(undisturbed, data):
    run, subset = RunFolder(undisturbed), data.subset("val")
    precision = run.read_settings().training.precision
    reader = Reader(data, ("visual", "audio"), CPU, precision)
    batches = predict(trained_network(run, data), reader, subset, 8, precision)
    probabilities = np.concatenate([batch[0].numpy() for batch in batches])
    kept = [epoch for epoch in run.read_history() if epoch.best][-1]
    own = probabilities[np.arange(len(subset.labels)), subset.labels]
    assert kept.val_loss == pytest.approx(-np.log(own).mean(), rel=1e-5)  # float32
    assert kept.val_accuracy == np.mean(probabilities.argmax(axis=1) == subset.labels)


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"bn_warmup": False, "bn_momentum": 0.001}, True),
        ({"bn_warmup": True, "bn_momentum": 0.001}, False),
        ({"bn_warmup": False, "bn_momentum": 0.1}, False),
    ],
)
def test_statistics_that_cannot_follow_are_one_warning(options, warned, data, tmp_path, caplog):
    short = TRAINING.model_copy(update={"max_epochs": 10})
    train(settings_for(data, short, **options), data, tmp_path, CPU)
    lines = [line for line in caplog.messages if "running statistics" in line]
    assert len(lines) == warned
    # 30 steps: 0.999 to the power of 30.
    assert not warned or "97 % of their initial values after 30 steps; set bn_warmup" in lines[0]


def test_test_samples_of_a_group_in_train_are_counted(data, tmp_path):
    """The manifest must declare them; two of the six test samples are of the same recording."""
    rows = made_samples(COUNTS)
    chosen = {"train0-0": ("test",), "test0-0": ("train",), "test0-1": ("train",)}
    shared = [
        replace(row, group="r", also_in=chosen[row.sample]) if row.sample in chosen else row
        for row in rows
    ]
    found = with_samples(data, tmp_path, shared)
    assert found.in_train(found.subset("test")) == 2
    assert data.in_train(data.subset("test")) == 0


def test_classes_of_the_settings_are_those_of_the_run(data, tmp_path):
    """The plan names them if another split has more labels; evaluation takes them from the run."""
    arguments = command(data, tmp_path)
    place = arguments.index("--settings") + 1
    chosen = json.loads(arguments[place])
    chosen["training"] |= {"max_epochs": 1}
    arguments[place] = json.dumps(chosen | {"classes": ["class0", "class1", "class2", "other"]})
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    features = [part for file in data.files.values() for part in ("--features", str(file.path))]
    result = CliRunner().invoke(main, [
        "evaluate", "--manifest", str(data.manifest), *features, "--settings", "{}", "--split",
        "main", "--run", str(tmp_path), "--device", "cpu",
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "metrics.json").read_text())["per_class"]
    assert found["other"] == {"accuracy": None, "samples": 0}
    assert list(found) == ["class0", "class1", "class2", "other"]
