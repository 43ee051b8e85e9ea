"""The settings of a run. With its data they decide its result."""

from dataclasses import asdict, dataclass, replace

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.common.files import digest_of
from mafnet.model.config import Training
from mafnet.model.networks import network_spec


@dataclass(frozen=True)
class RunSettings:
    """A variant resolved: its network with the options that matter, its training, and the seed.

    options: an option that is missing has its default.
    classes: names, in the order of the outputs.
    features: the fingerprint of every modality that the network reads.
    device: that trained the run, with its card; empty before the training and for runs of earlier
        versions.
    """

    variant: str
    network: str
    options: dict
    training: Training
    seed: int
    classes: list[str]
    clips: int
    features: dict[str, dict]
    device: str = ""

    def as_dict(self) -> dict:
        """The settings as plain JSON values."""
        values = asdict(self) | {"training": self.training.recorded()}
        if not self.device:
            del values["device"]
        return values

    def with_precision(self, precision: str) -> "RunSettings":
        """The same settings with another precision."""
        training = self.training.model_copy(update={"precision": precision})
        return replace(self, training=training)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network reads, see `NetworkSpec.inputs`."""
        return network_spec(self.network).inputs(self.options)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modality of each input."""
        return network_spec(self.network).modalities(self.options)

    @property
    def digest(self) -> str:
        """SHA-256 of the settings: another one if any setting differs."""
        return digest_of(self.as_dict())


def run_settings(values: dict) -> RunSettings:
    """Settings from plain JSON values; MafnetError names what is missing or unknown."""
    try:
        training = parse(Training, values["training"], "settings of a run")
        return RunSettings(**values | {"training": training})
    except (TypeError, KeyError) as error:
        raise MafnetError(f"settings of a run: {error}") from error
