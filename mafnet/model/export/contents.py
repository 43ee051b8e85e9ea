"""What an exported file says about itself: all that a prediction needs besides the graph.

It is JSON in the ONNX metadata. A file may come from anywhere, so each value is checked.
"""

import json
import re
from typing import Any, Literal

from pydantic import Field

from mafnet import __version__
from mafnet.common.config import Settings, parse
from mafnet.common.errors import MafnetError
from mafnet.features.backbones import backbone_spec
from mafnet.model.calibration import LIMITS, Calibration
from mafnet.model.networks import network_spec
from mafnet.model.settings import RunSettings, run_settings

FORMAT = 1
"""Raised when files of this version cannot be read by an earlier mafnet."""

KEY = "mafnet"
"""Key of the JSON in the ONNX metadata."""

NAME = re.compile(r"[\w.-]+", re.ASCII)


class Contents(Settings):
    """The JSON of an exported file.

    part: "head" reads features; "whole" reads frames and audio. settings: of the run.
    mafnet: the version that wrote the file. temperature, temperature_note: of the calibration.
    """

    format: Literal[1] = FORMAT
    mafnet: str = __version__
    part: Literal["head", "whole"]
    settings: dict[str, Any]
    temperature: float = Field(ge=LIMITS[0], le=LIMITS[1])
    temperature_note: str = ""

    @property
    def calibration(self) -> Calibration:
        """The calibration of the run."""
        return Calibration(self.temperature, self.temperature_note)

    @property
    def run(self) -> RunSettings:
        """The settings of the run; MafnetError if they are no settings of this version."""
        found = run_settings(self.settings)
        _check_names(found)
        if set(found.modalities) != set(found.features):
            raise MafnetError("its network does not read the features that it names")
        return found

    def metadata(self) -> dict[str, str]:
        """The ONNX metadata."""
        return {KEY: json.dumps(self.model_dump(), ensure_ascii=False)}


def read_contents(text: str) -> Contents:
    """The contents of ONNX metadata; MafnetError says what is wrong."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MafnetError(f"its description is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise MafnetError("its description is not a JSON object")
    if values.get("format") != FORMAT:
        raise MafnetError(
            f"was written by mafnet {str(values.get('mafnet'))[:20]} in format "
            f"{str(values.get('format'))[:20]}, but this mafnet {__version__} reads format "
            f"{FORMAT}; export the run again with this version, or install that one"
        )
    return parse(Contents, values, "its description")


def _check_names(settings: RunSettings) -> None:
    """MafnetError for names that are none; some of them become parts of paths."""
    network_spec(settings.network).parse(settings.options)
    classes = settings.classes
    named = all(isinstance(each, str) for each in classes)
    if not classes or not named or len(set(classes)) < len(classes):
        raise MafnetError("its classes are not different names")
    if not isinstance(settings.clips, int) or settings.clips < 1:
        raise MafnetError(f"its number of clips is {settings.clips!r}")
    for modality, fingerprint in settings.features.items():
        spec = backbone_spec(str(fingerprint.get("backbone")))
        weights = fingerprint.get("weights")
        if spec.modality != modality or not NAME.fullmatch(str(weights)):
            raise MafnetError(f"its {modality} backbone {spec.name} has the weights {weights!r}")
