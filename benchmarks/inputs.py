"""What both ways work on: generated videos, random weights, features made up for training.

{folder}/videos/{n}.mp4              H.264 + AAC, 640 x 360, 30 frames a second
{folder}/media.tsv                   what probing says of them
{folder}/{visual,audio}.safetensors  random weights, calibrated on the first video
{folder}/{visual,audio}.npy          the first video as our decoder gives it
{folder}/made/                       features of {samples} videos, as pickles, cache and files
{folder}/head.safetensors            the first weights of MAFnet
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_CLASSES = 28
BACKBONES = {"visual": "densenet201", "audio": "vggish"}
SHAPES = {"visual": (7, 7, 1920), "audio": (12, 8, 512)}


@dataclass(frozen=True)
class Inputs:
    """Where the inputs lie and how large they are.

    seconds: length of a video and T, the clips a video of the made-up features.
    videos: how many are extracted end to end. batch: videos of a training step.
    threads: cores that either way may use. backend: of our networks, as features.*.backend.
    """

    folder: Path
    seconds: int
    videos: int
    batch: int
    threads: int
    backend: str = "auto"

    @property
    def samples(self) -> int:
        """Videos with made-up features: a batch to train on and a batch to evaluate."""
        return 2 * self.batch

    @property
    def root(self) -> Path:
        """The folder of the videos."""
        return self.folder / "videos"

    @property
    def made(self) -> Path:
        """The folder of the made-up features."""
        return self.folder / "made"

    def weights(self, modality: str) -> Path:
        """The weights of a backbone."""
        return self.folder / f"{modality}.safetensors"

    def clips(self, modality: str) -> np.ndarray:
        """The first video, decoded by us: (T, 16, 224, 224, 3) uint8 or (T, 16000) int16."""
        return np.load(self.folder / f"{modality}.npy")

    def maps(self, number: int, modality: str) -> np.ndarray:
        """Made-up features (T, ...) float32 of a video: two thirds are zeros, as after a ReLU.

        Each video has livelier and quieter channels of its own: were all alike but for noise, the
        normalisation of the logits would show nothing but rounding.
        """
        generator = np.random.default_rng([number, len(modality)])
        shape = (self.seconds, *SHAPES[modality])
        channels = generator.normal(-0.4, 0.5, shape[-1])
        return np.maximum(generator.normal(channels, 1, shape), 0).astype(np.float32)

    @property
    def names(self) -> list[str]:
        """Names of the videos with made-up features, those of the training batch first."""
        return [f"{number:04d}" for number in range(self.samples)]

    @property
    def classes(self) -> int:
        """C; every class has a sample."""
        return min(MOST_CLASSES, self.samples)

    @property
    def labels(self) -> np.ndarray:
        """(samples,) classes."""
        return np.arange(self.samples) % self.classes


def prepare(inputs: Inputs) -> None:
    """Make everything; called in a process of its own, as it imports torch."""
    inputs.root.mkdir(parents=True)
    inputs.made.mkdir()
    for number in range(inputs.videos):
        make_video(inputs.root / f"{number}.mp4", number, inputs.seconds)
    decode_first(inputs)
    make_weights(inputs)
    make_features(inputs)


def make_video(path: Path, number: int, seconds: int) -> None:
    """A moving test picture in a colour of its own with some noise, stereo tones and noise."""
    from plain import run_ffmpeg

    picture = f"testsrc2=s=640x360:r=30:d={seconds},hue=h={40 * number},noise=alls=8:allf=t"
    tones = f"sin(2*PI*{300 + 40 * number}*t*(1+t/20))|0.2*random(0)"
    sound = f"aevalsrc='{tones}':s=44100:d={seconds}"
    codecs = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac")
    run_ffmpeg(1, "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *codecs, path)


def decode_first(inputs: Inputs) -> None:
    """Probe the videos; decode the first of them."""
    from mafnet.features.decode_pool import DECODE
    from mafnet.video.config import VideoSettings
    from mafnet.video.media import write_media
    from mafnet.video.probe import probe

    paths = sorted(inputs.root.glob("*.mp4"))
    media = [probe(path, path.name) for path in paths]
    write_media(media, inputs.folder / "media.tsv")
    for modality, decode in DECODE.items():
        with decode(paths[0], media[0], VideoSettings(clips=inputs.seconds)) as clips:
            np.save(inputs.folder / f"{modality}.npy", np.stack(list(clips)))


def make_weights(inputs: Inputs) -> None:
    """Random weights: of the backbones, with statistics of the first video, and of MAFnet."""
    import torch
    from safetensors.torch import save_file

    from mafnet.features.backbones import backbone_class
    from mafnet.model.networks import build_network

    torch.set_num_threads(inputs.threads)
    for modality, name in BACKBONES.items():
        backbone = backbone_class(name)
        state = backbone.calibrate(backbone.random_weights(0), [inputs.clips(modality)])
        tensors = {key: value.contiguous() for key, value in state.items()}
        save_file(tensors, inputs.weights(modality))
    torch.manual_seed(0)
    network = build_network(
        "mafnet", classes=inputs.classes, visual_features=1920, audio_features=512, options={}
    )
    save_file(network.state_dict(), inputs.folder / "head.safetensors")


def make_features(inputs: Inputs) -> None:
    """Made-up features as either way keeps them: pickles; cache, feature files and manifest."""
    from plain import write_pickle
    from ways_ours import extractor, made_media

    from mafnet.dataset.manifest import Sample, write_manifest
    from mafnet.features.cache import Entry
    from mafnet.features.pack import pack

    for modality in BACKBONES:
        worker = extractor(inputs, modality, "float32", inputs.made / "cache")
        for number, row in enumerate(made_media(inputs)):
            maps = inputs.maps(number, modality)
            write_pickle(maps, inputs.made / f"{row.video}.{modality}.pickle")
            worker.cache.write(row.sha256, Entry(maps.astype(np.float16)))
        pack(made_media(inputs), worker, inputs.made / f"{modality}.h5", maps=modality == "audio")
    subsets = ("train", "test")
    write_manifest(
        [
            Sample(name, name, f"class{label:02d}", subsets[number >= inputs.batch])
            for number, (name, label) in enumerate(zip(inputs.names, inputs.labels, strict=True))
        ],
        inputs.made / "manifest.csv",
    )
