"""OpenVINO's models of the backbones, converted from torch once for each weights file.

    {folder of the weights}/openvino/{name of the weights}-{key[:16]}.model

The key is a digest of all that a model depends on. A model is kept as one file: a line with the
SHA-256 of the rest, a line with the length of OpenVINO's XML, the XML, and the values. The file may
be deleted at any time. Without it, or if it is damaged, torch is imported and the conversion made
again (DenseNet-201: 7 s).
"""

import logging
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of, replacing, sha256_of
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.backbones.openvino_runtime import openvino

log = logging.getLogger(__name__)

CONVERSION = 1
"""Raised when this module makes another model of the same backbone and weights."""


def converted(name: str, weights: Path, example: np.ndarray) -> object:
    """The OpenVINO model for inputs like `example`, (items, ...): the mean of the items' maps.

    MafnetError if the weights are not the backbone's.
    """
    path = kept_path(name, weights, example)
    content = _kept(path)
    if content is None:
        content = _converted(name, weights, example)
        _keep(content, path)
    length, _, rest = content.partition(b"\n")
    xml, values = rest[: int(length)], np.frombuffer(rest, np.uint8, offset=int(length))
    return openvino().Core().read_model(xml, openvino().Tensor(values))


def kept_path(name: str, weights: Path, example: np.ndarray) -> Path:
    """Where the model for inputs like `example` is kept."""
    spec = backbone_spec(name)
    key = {
        "conversion": CONVERSION,
        "backbone": name,
        "version": spec.version,
        "weights": sha256_of(weights),
        "input": (example.shape, str(example.dtype)),
        "packages": {package: version(package) for package in ("openvino", "torch", spec.package)},
    }
    return weights.parent / "openvino" / f"{weights.stem}-{digest_of(key)[:16]}.model"


def _kept(path: Path) -> bytes | None:
    """A kept model, None if there is none or it is not what was written."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s: cannot be read (%s); converting again", path, error.strerror)
        return None
    if digest != sha256(content).hexdigest().encode():
        log.warning("%s: is damaged; converting again", path)
        return None
    return content


def _keep(content: bytes, path: Path) -> None:
    """Keep a model, if the disk will take it.

    Of two processes that write it at once, one may fail, or leave a file whose SHA-256 is wrong.
    """
    try:
        with replacing(path) as beside:
            beside.write_bytes(sha256(content).hexdigest().encode() + b"\n" + content)
    except MafnetError as error:
        log.warning("%s; until then each job converts again", error)


def _converted(name: str, weights: Path, example: np.ndarray) -> bytes:
    """Length of the XML, XML and values of a model that is converted from torch."""
    import torch

    from mafnet.features.backbones.inference import MeanOfItems
    from mafnet.features.weights.files import load

    log.info("converting %s for OpenVINO, once for these weights", name)
    network = MeanOfItems(frozen_network(name).build(load(weights))).eval()
    with torch.no_grad():
        program = torch.export.export(network, (torch.from_numpy(example),))
    model = openvino().convert_model(program)
    model.reshape(example.shape)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino().save_model(model, path, compress_to_fp16=False)
        xml, values = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return f"{len(xml)}\n".encode() + xml + values
