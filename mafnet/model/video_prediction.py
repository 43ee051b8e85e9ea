"""What a trained run says about one video."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class VideoPrediction:
    """The prediction for one video of T clips (seconds) and K modalities.

    classes: names (C,). probabilities: (C,), sum 1. modalities: names (K,).
    attention: (T, K) float32, sum 1. times: (T,) start of each clip, in seconds from the start of
    the video. valid: (T, K), False where a clip is padding. warnings: names of MediaWarning.
    """

    video: str
    classes: tuple[str, ...]
    probabilities: np.ndarray
    modalities: tuple[str, ...]
    attention: np.ndarray
    times: np.ndarray
    valid: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The most probable class; of several, the first one."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """The probability of `label`."""
        return float(self.probabilities.max())

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable classes with their probabilities, at most `count`."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[index], float(self.probabilities[index])) for index in order]

    def to_frame(self) -> "pd.DataFrame":
        """The classes, most probable first: columns video, label, probability."""
        import pandas as pd

        frame = pd.DataFrame(self.top(len(self.classes)), columns=["label", "probability"])
        frame.insert(0, "video", self.video)
        return frame

    def attention_frame(self) -> "pd.DataFrame":
        """The attention, one row a clip: columns video, start (seconds), and each modality."""
        import pandas as pd

        columns = dict(zip(self.modalities, self.attention.T, strict=True))
        return pd.DataFrame({"video": self.video, "start": self.times, **columns})
