"""Downloads published weights, verifies them and writes them as safetensors."""

import logging
from pathlib import Path

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.features.backbones import frozen_network
from mafnet.features.weights.files import load, read
from mafnet.features.weights.published import Published

log = logging.getLogger(__name__)


def fetch(
    weights: Published,
    folder: Path,
    output: Path,
    converted: Path | None = None,
    others: list[Published] = (),
    also: Published | None = None,
) -> None:
    """Write the tensors of published weights that the backbone needs, as safetensors.

    converted: output of `mafnet convert`; it is checked against torch first.
    others: other files of the same weights. Those that exist next to `output` must have exactly
        the same values, so that features do not depend on the choice of the file.
    also: other weights whose tensors the backbone needs too.
    """
    from safetensors.torch import save

    state = _state(weights, folder, converted) | (_state(also, folder, None) if also else {})
    network = frozen_network(weights.backbone)
    network.loaded(state)  # raises if anything is missing or has another shape
    own = {name: tensor.contiguous() for name, tensor in network.own_weights(state).items()}
    for other in others:
        _compare(own, output.with_name(f"{other.backbone}-{other.name}.safetensors"), output)
    with replacing(output, sealed=True) as beside:
        beside.write_bytes(save(own))


def _state(weights: Published, folder: Path, converted: Path | None) -> dict:
    """The published state dict."""
    if weights.form == "hub":
        return frozen_network(weights.backbone).published()
    if converted:
        from mafnet.features.weights.vggish_check import checked

        return checked(converted)
    if weights.needs_conversion:
        raise MafnetError(
            f"{weights.name}: TensorFlow has to convert {weights.file} first; make it with the "
            "command convert (mafnet convert --help) and give its output as --converted"
        )
    path = obtain(folder / weights.file, weights.addresses, weights.sha256)
    return read(path, weights.form, weights.member)


def _compare(own: dict, path: Path, output: Path) -> None:
    """MafnetError if another fetched file of these weights has a different value."""
    if not path.exists():
        return
    theirs = load(path)
    for name in own | theirs:
        if name not in own or name not in theirs:
            raise MafnetError(
                f"{output}: only one of it and {path} contains {name}; delete the wrong one"
            )
        difference = (own[name].double() - theirs[name].double()).abs().max().item()
        if not difference == 0.0:  # `not ==` is also true for NaN
            raise MafnetError(
                f"{output}: {name} differs by up to {difference:.1e} from that in {path}, though "
                "both should be the same weights; delete the file that you do not trust"
            )
    log.info("%s contains exactly the same weights", path)
