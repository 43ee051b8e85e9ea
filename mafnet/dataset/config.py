"""Config section `datasets`: the origin of the videos and manifests of each data set."""

from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from mafnet.common.config import LATER, InputPath, Name, Number, PathText, Settings
from mafnet.dataset.holdout import SEED, SHARE, Holdout
from mafnet.dataset.sources import SOURCES

DEMO = "demo"
PROTOCOLS = {name: tuple(source.protocols) for name, source in SOURCES.items()}
"""The protocols of each published data set; the first is the default."""


class Demo(Settings):
    """The videos that the source `demo` generates. They are `video.clips` seconds long.

    Any change produces other files.
    """

    seed: int = Field(0, ge=0, description="Seed of all videos.")
    train: int = Field(
        8, ge=1, description="Training videos of each of the six classes. Fewer are harder."
    )
    val: int = Field(4, ge=1, description="Validation videos of each class.")
    test: int = Field(4, ge=1, description="Test videos of each class.")
    shorter_by: int = Field(
        0,
        ge=0,
        description="Maximum number of seconds by which a video is shorter; the seed sets it. "
        "The missing clips are padding. At least two seconds must remain.",
        json_schema_extra={"unit": "seconds"},
    )
    picture_noise: Number = Field(
        0,
        ge=0,
        description="Standard deviation of the coloured noise in the frames.",
        json_schema_extra={"unit": "levels of 0 to 255"},
    )
    sound_noise: Number = Field(
        0,
        ge=0,
        description="Standard deviation of the noise in the audio.",
        json_schema_extra={"unit": "share of full scale"},
    )


class DemoSettings(Demo):
    """Settings of the demo: the entry `demo`, and the format of the videos.

    seconds: length of a video; the event fills at least one second and never all of them.
    width, height: size of the frames in pixels, even numbers.
    """

    seconds: int = 3
    width: int = 320
    height: int = 240

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        shortest = self.seconds - self.shorter_by
        if shortest < 2:
            raise ValueError(
                f"the shortest videos have {shortest} seconds; an event needs at least 2"
            )
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 32:
            raise ValueError("width and height must be even and at least 32")
        return self


class _Entry(Settings):
    """Keys of every data set."""

    classes: InputPath = Field(
        "",
        description="Text file with one class per line, in the order of the network's outputs. "
        "Without it, the classes are the sorted labels of the manifests.",
    )
    allow_untrained_classes: Annotated[bool, LATER] = Field(
        default=False,
        description="True accepts classes that have validation or test samples but no training "
        "samples. No prediction can be right for such a class.",
    )


class OwnData(_Entry):
    """Your own videos and manifests."""

    root: PathText = Field(
        min_length=1,
        description="Folder of your videos; the paths in the manifests are relative to it.",
    )
    splits: dict[Name, Annotated[InputPath, Field(min_length=1)]] = Field(
        min_length=1, description="Manifest (CSV) of each official fold, by the name of the fold."
    )


class DemoData(_Entry):
    """Small audio-visual events that mafnet generates in data/."""

    source: Literal["demo"] = Field(description="`demo`: mafnet generates the videos.")
    demo: Demo = Field(Demo(), description="The generated videos.")


class PublishedData(_Entry):
    """A published data set. Its files are in data/{dataset}, unless a key names another place."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {
                "anyOf": [
                    {"required": list(pair)}
                    for pair in combinations(("archive", "folder", "download"), 2)
                ]
            }
        }
    )

    source: Literal[tuple(SOURCES)] = Field(
        description="Name of the published data set; docs/datasets.md describes each."
    )
    protocol: Literal[tuple(name for names in PROTOCOLS.values() for name in names)] | None = Field(
        None,
        description="Evaluation protocol of metrics.json. The first one is the default: "
        + "; ".join(f"{source} has {', '.join(names)}" for source, names in PROTOCOLS.items())
        + ".",
    )
    archive: InputPath = Field(
        "",
        description="Archive of the data set, or folder of its archives or of lists of their "
        "addresses (*_path.txt). The needed files are unpacked to data/{dataset}/unpacked.",
    )
    folder: InputPath = Field(
        "", description="Folder of the videos, in any layout. They are not copied."
    )
    download: bool = Field(
        default=False,
        description="True downloads the archives to data/{dataset}/downloads "
        "(resources/downloads.tsv). Read the terms of the data set first.",
    )
    lists: InputPath = Field(
        "",
        description="Folder or zip file of the lists (split files, annotations), if they are not "
        "with the videos.",
    )
    val_share: Number = SHARE
    val_seed: int = SEED

    @model_validator(mode="after")
    def _has_at_most_one_origin_and_a_protocol_of_its_own(self) -> Self:
        if sum(map(bool, (self.archive, self.folder, self.download))) > 1:
            raise ValueError(
                "needs only one of `archive`, `folder` and `download: true`, or none if the files "
                "are in their conventional place (docs/datasets.md)"
            )
        known = PROTOCOLS[self.source]
        if self.protocol not in (None, *known):
            raise ValueError(
                f"protocol {self.protocol!r} is not one of {self.source}'s: {', '.join(known)}"
            )
        return self

    @property
    def holdout(self) -> Holdout:
        """The selection of validation samples."""
        return Holdout(share=self.val_share, seed=self.val_seed)


DataSet = OwnData | DemoData | PublishedData


def demo_values(entry: DataSet, clips: int) -> dict[str, Any]:
    """The values of DemoSettings that an entry sets, for videos of `clips` seconds.

    Empty for other kinds of data sets.
    """
    if not isinstance(entry, DemoData):
        return {}
    return {"seconds": clips} | entry.demo.model_dump(exclude_unset=True)
