"""The video networks: layouts, outputs and sizes as published, and checkpoints that do not fit."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.video_weights import layout_digest, made_clips, made_weights
from torch.utils.flop_counter import FlopCounterMode

from mafnet.common.errors import MafnetError
from mafnet.features.weights.published import TABLE, published
from mafnet.model.video import PRETRAINED, VIDEO_NETWORKS, checkpoint, video_spec

REFERENCE = json.loads((Path(__file__).parent / "data/video_networks.json").read_text())

# Parameters; multiplications in billions, with the frames and the side they are counted at.
# torchvision states both numbers of r2plus1d, and pytorchvideo's model zoo states 34.57 million and
# 65.71 billion of slowfast. For i3d and mars no published numbers were at hand: theirs are what the
# published code has.
SIZES = {
    "r2plus1d": (31_505_325, 40.52, 16, 112),
    "slowfast": (34_566_488, 65.71, 32, 256),
    "i3d": (12_697_264, 111.15, 64, 224),
    "mars": (48_340_816, 9.57, 16, 112),
}
NAMES = list(VIDEO_NETWORKS)


def meta(name, classes=400):
    """A network without numbers."""
    with torch.device("meta"):
        return video_spec(name).build(classes)


def published_file(folder, name, change=lambda state: None):
    """A checkpoint in the published layout of a network."""
    spec = video_spec(name)
    state = made_weights(meta(name).state_dict())
    if name == "i3d":  # its file is older than the counters
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    change(state)
    content = {spec.prefix + key: value for key, value in state.items()}
    if spec.container:
        content = {spec.container: content, "epoch": 3, "optimizer": {"state": {}}}
    path = folder / published(TABLE, name, PRETRAINED).file
    torch.save(content, path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_those_of_the_published_networks(name):
    assert layout_digest(meta(name).state_dict()) == REFERENCE[name]["layout"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_the_published_networks(name):
    """data/video_networks.json says which code computed them, for the same weights and clips."""
    stored = REFERENCE[name]
    network = video_spec(name).build(5).eval()
    network.load_state_dict(made_weights(network.state_dict()))
    with torch.inference_mode():
        found = network(made_clips(stored["frames"], stored["side"]))[0]
    # float32 over up to 101 layers; a wrong pad or stride changes the outputs by percents.
    torch.testing.assert_close(found, torch.tensor(stored["logits"]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_the_published_ones(name):
    parameters, billions, frames, side = SIZES[name]
    network = meta(name).eval()
    assert sum(each.numel() for each in network.parameters()) == parameters
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, frames, side, side, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(billions, abs=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_stages_are_all_parts_but_the_classifier_in_the_order_of_the_data(name):
    network = meta(name)
    inside = [p for stage in network.stages for part in stage for p in part.parameters()]
    classifier = video_spec(name).classifier
    rest = [key for key, _ in network.named_parameters() if not key.startswith(classifier)]
    assert len(network.stages) == 5
    assert len(inside) == len({id(each) for each in inside}) == len(rest)


@pytest.mark.parametrize("name", NAMES)
def test_published_files_are_read(name, tmp_path):
    path = published_file(tmp_path, name)
    state = checkpoint.published_state(path, video_spec(name))
    wanted = made_weights(meta(name).state_dict())
    keys = {key for key in wanted if not key.endswith("num_batches_tracked")}
    assert state.keys() == keys
    assert all(torch.equal(state[key], wanted[key]) for key in keys)


def test_fetched_weights_are_loaded_without_the_classifier(tmp_path):
    spec, output = video_spec("r2plus1d"), tmp_path / "out.safetensors"
    path = published_file(tmp_path, "r2plus1d")
    weights = published(TABLE, "r2plus1d", PRETRAINED)
    row = type(weights)(**vars(weights) | {"sha256": ""})  # the true digest is of the true file
    checkpoint.fetch_network(row, spec, tmp_path, output)
    network = spec.build(7)
    before = network.fc.weight.detach().clone()
    checkpoint.load_pretrained(network, spec, output)
    state = torch.load(path)
    assert torch.equal(network.layer4[1].conv2[1].bias, state["layer4.1.conv2.1.bias"])
    assert torch.equal(network.fc.weight, before)


CHANGES = {
    "missing": (lambda state: state.pop("fc.bias"), "fc.bias is missing"),
    "surplus": (lambda state: state.update(extra=torch.zeros(1)), "'extra' is surplus"),
    "shape": (lambda state: state.update({"fc.bias": torch.zeros(3)}), r"\(3,\), not \(400,\)"),
    "value": (lambda state: state["bn1.weight"].fill_(torch.nan), "bn1.weight has a value"),
    "kind": (lambda state: state.update({"fc.bias": "text"}), "fc.bias has no floating-point"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_does_not_fit_is_refused_with_what_differs(change, tmp_path):
    edit, message = CHANGES[change]
    path = published_file(tmp_path, "mars", edit)
    with pytest.raises(MafnetError, match=f"{path}: does not fit mars .*{message}"):
        checkpoint.published_state(path, video_spec("mars"))


def test_many_faults_make_a_short_message(tmp_path):
    path = published_file(tmp_path, "mars", lambda state: state.clear())
    with pytest.raises(MafnetError, match=r"and \d+ more") as caught:
        checkpoint.published_state(path, video_spec("mars"))
    assert len(str(caught.value)) < 500


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_code_in_a_file_is_not_run(tmp_path):
    payload, mark = Payload(), tmp_path / "ran"
    payload.path = mark
    hostile = tmp_path / "MARS_Kinetics_16f.pth"
    torch.save({"state_dict": payload}, hostile)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(payload))
    for path in (hostile, tmp_path / "plain.pth"):
        with pytest.raises(MafnetError, match="is not a torch file of weights"):
            checkpoint.published_state(path, video_spec("mars"))
    assert not mark.exists()


@pytest.mark.parametrize("content", [[1], {"state_dict": 3}, {"state_dict": {1: torch.zeros(1)}}])
def test_a_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "MARS_Kinetics_16f.pth"
    torch.save(content, path)
    with pytest.raises(MafnetError, match="has no state dict under 'state_dict'"):
        checkpoint.published_state(path, video_spec("mars"))


def test_torn_files_are_refused(tmp_path):
    whole = published_file(tmp_path, "i3d").read_bytes()
    path = tmp_path / "torn.pt"
    for share in (0, 0.001, 0.5, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(MafnetError, match="is not a torch file of weights"):
            checkpoint.published_state(path, video_spec("i3d"))


def test_another_file_of_i3d_is_refused_by_its_git_digest(tmp_path):
    published_file(tmp_path, "i3d")
    weights = published(TABLE, "i3d", PRETRAINED)
    with pytest.raises(MafnetError, match="git's SHA-1 of the file is"):
        checkpoint.fetch_network(weights, video_spec("i3d"), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_to_get_a_file_without_an_address(tmp_path):
    command = [sys.executable, "-m", "mafnet", "fetch-network", "--network", "mars"]
    command += ["--folder", str(tmp_path), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "MARS_Kinetics_16f.pth: could not be downloaded" in done.stderr
    assert "Traceback" not in done.stderr
