"""Where a trained model comes from: a run folder, or a file of `mafnet export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mafnet.common.errors import MafnetError
from mafnet.features.extract import Extractor
from mafnet.features.weights.find import find_weights
from mafnet.model.calibration import Calibration
from mafnet.model.data import FeatureSource
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.model.train import trained_network
from mafnet.model.video import VIDEO_NETWORKS

if TYPE_CHECKING:
    from mafnet.model.export.onnx_file import OnnxFile
    from mafnet.model.networks.blocks import Network


class ModelSource(Protocol):
    """A trained model. is_whole: it contains its frozen networks, so that no weights are needed."""

    settings: RunSettings
    calibration: Calibration
    is_whole: bool

    def network(self, data: FeatureSource, threads: int) -> "Network":
        """The network on features, on the CPU."""

    def extractor(self, modality: str, cache: Path, threads: int) -> Extractor:
        """The extractor of a modality; only of a whole."""


class RunSource:
    """A run folder (`ModelSource`)."""

    is_whole = False

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.settings = settings_of_run(run)
        self.calibration = run.read_calibration()

    def network(self, data: FeatureSource, threads: int) -> "Network":
        """The trained network."""
        return trained_network(self._run, data)


class OnnxSource:
    """A file of `mafnet export` (`ModelSource`)."""

    def __init__(self, file: "OnnxFile") -> None:
        self._file = file
        self.settings = file.settings.with_precision("float32")
        self.calibration = file.contents.calibration
        self.is_whole = file.is_whole

    def network(self, data: FeatureSource, threads: int) -> "Network":
        """The head, computed by ONNX Runtime."""
        from mafnet.model.export.runtime import OnnxNetwork, Session

        session = Session(self._file.head(), str(self._file.path), threads)
        return OnnxNetwork(session, self.settings.inputs, len(self.settings.classes))

    def extractor(self, modality: str, cache: Path, threads: int) -> Extractor:
        """The extractor with the frozen network of the file."""
        from mafnet.model.export.runtime import onnx_extractor

        return onnx_extractor(self._file, modality, cache, threads)


def model_source(path: Path) -> ModelSource:
    """The model at a path; MafnetError says what is wrong with it."""
    if not path.is_file():
        return RunSource(RunFolder(path))
    try:
        from mafnet.model.export.onnx_file import OnnxFile
    except ImportError as error:
        raise MafnetError(
            f"{path}: needs the package {error.name}; run `pip install 'mafnet[export]'`"
        ) from error
    return OnnxSource(OnnxFile(path))


def settings_of_run(run: RunFolder) -> RunSettings:
    """The settings of a trained run; MafnetError if it cannot predict."""
    if not run.settings.is_file():
        raise MafnetError(
            f"{run.path}: is no run, because it has no {run.settings.name}; name a folder such as "
            "results/DATASET/SPLIT/VARIANT/seed0, or a file of `mafnet export`"
        )
    settings = run.read_settings()
    if settings.network in VIDEO_NETWORKS:
        raise MafnetError(
            f"{run.path}: is a run of the video network {settings.network}; choose a run of a "
            "network that reads features"
        )
    if not run.weights.is_file():
        raise MafnetError(f"{run.path}: is not trained yet; it has no {run.weights.name}")
    return settings


def weights_of(run: Path, settings: RunSettings, given: str | Path | None) -> dict[str, Path]:
    """The weights of the frozen networks by modality; MafnetError if a file is missing.

    given: folder that is searched first.
    """
    project, near = places(run)
    folders = [Path(given)] if given else []
    folders += [near / "weights", project / "weights", Path("weights")]
    features = settings.features
    return {name: find_weights(features[name], folders, str(run)) for name in features}


def places(run: Path) -> tuple[Path, Path]:
    """The folder of the project of a run, and that of its data set's results.

    A file has neither: its own folder stands for both.
    """
    if run.is_file():
        return run.resolve().parent, run.resolve().parent
    parents = run.resolve().parents
    return parents[min(4, len(parents) - 1)], parents[min(2, len(parents) - 1)]
