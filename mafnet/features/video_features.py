"""The features of any videos as arrays, and the file that has them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import fspath
from pathlib import Path

import h5py
import numpy as np

from mafnet.common.cores import usable_cores
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing
from mafnet.features.backbones import backbone_spec
from mafnet.features.class_scores import read_classifier, require_classes
from mafnet.features.extract import Extractor, extractor
from mafnet.features.hdf5 import new_hdf5
from mafnet.features.parquet import require_parquet, write_parquet
from mafnet.features.videos import FailedVideo, extract_videos, padded, scored
from mafnet.features.weights.published import TABLE, published
from mafnet.video.config import VideoSettings

SUFFIXES = (".npz", ".h5", ".parquet")


@dataclass(frozen=True)
class VideoFeatures:
    """The features of N videos, T clips (seconds) each.

    videos: names (N,). times: (T,) start of each clip, in seconds from the start of the video.
    features: by modality, float16, vectors (N, T, C) or maps (N, T, P, Q, C).
    valid: by modality, (N, T), False where a clip is padding (zeros).
    scores: by modality, (N, T, K) float32, of the K classes of its backbone; only if asked for.
    classes: by modality, their names.
    fingerprints: by modality, everything that decides the values, except the video.
    failed: the videos that cannot be used.
    """

    videos: tuple[str, ...]
    times: np.ndarray
    features: dict[str, np.ndarray]
    valid: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    classes: dict[str, tuple[str, ...]]
    fingerprints: dict[str, dict]
    failed: tuple[FailedVideo, ...]

    def write(self, path: Path) -> None:
        """Write a file: `video`, `time`, `failed`, and the arrays of each modality.

        The suffix chooses the form: .npz, HDF5 (.h5), or .parquet (see `write_parquet`).
        """
        require_suffix(path)
        if path.suffix == ".parquet":
            write_parquet(self, path)
            return
        arrays = {
            **self.features,
            **{f"{name}_valid": each for name, each in self.valid.items()},
            **{f"{name}_scores": each for name, each in self.scores.items()},
        }
        failed = [f"{each.video}: {each.status}: {each.error}" for each in self.failed]
        names = {"video": list(self.videos), "failed": failed}
        names |= {f"{name}_classes": list(each) for name, each in self.classes.items()}
        texts = {name: [text.encode("utf-8", "replace") for text in each]
                 for name, each in names.items()}  # fmt: skip
        prints = json.dumps(self.fingerprints)
        if path.suffix == ".npz":
            known = {name: np.array([text.decode() for text in each], str)
                     for name, each in texts.items()}  # fmt: skip
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, time=self.times, fingerprints=prints, **known, **arrays)
            return

        def describe(file: h5py.File) -> None:
            file.attrs["fingerprints"] = prints
            file["time"] = self.times
            for name, each in texts.items():
                file.create_dataset(name, data=each, dtype=h5py.string_dtype(), shape=(len(each),))

        shapes = {name: (each.shape, each.dtype) for name, each in arrays.items()}
        with replacing(path) as beside, new_hdf5(beside, describe, shapes) as layers:
            for name, each in arrays.items():
                for row, values in enumerate(each):
                    layers[name].write(row, values)


def require_suffix(path: Path) -> None:
    """MafnetError if the name of a file does not say its form, or if its package is missing."""
    if path.suffix not in SUFFIXES:
        raise MafnetError(f"{path}: must end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.suffix == ".parquet":
        require_parquet()


def video_features(
    paths: Iterable[str | Path],
    backbones: Mapping[str, str],
    clips: int,
    maps: bool,
    weights: Path,
    cache: Path,
    device: str = "auto",
    threads: int | None = None,
    scores: bool = False,
) -> VideoFeatures:
    """The features of videos; see `mafnet.extract`.

    backbones: by modality, "BACKBONE:WEIGHTS"; WEIGHTS is a published name or a safetensors file.
    """
    if not backbones:
        raise MafnetError("no backbone is named; name one for the frames or for the audio")
    if scores:
        require_classes([text.partition(":")[0] for text in backbones.values()])
    threads = threads or usable_cores()
    place = _device(device, threads)
    files = {name: _weights(name, text, weights) for name, text in backbones.items()}
    extractors = {
        name: _extractor(text, files[name], clips, cache, place, threads)
        for name, text in backbones.items()
    }
    classifiers = {
        name: read_classifier(each.spec, files[name])
        for name, each in extractors.items()
        if scores and each.spec.classes
    }
    names = list(dict.fromkeys(map(fspath, paths)))
    settings = VideoSettings(clips=clips)
    media, failed = extract_videos(names, extractors.values(), settings, threads)
    found = {name: padded(media, each, maps) for name, each in extractors.items()}
    return VideoFeatures(
        videos=tuple(row.video for row in media),
        times=np.arange(clips, dtype=float),
        features={name: each for name, (each, _) in found.items()},
        valid={name: each for name, (_, each) in found.items()},
        scores={name: scored(media, extractors[name], each) for name, each in classifiers.items()},
        classes={name: each.names for name, each in classifiers.items()},
        fingerprints={name: e.cache.fingerprint.as_dict() for name, e in extractors.items()},
        failed=tuple(failed),
    )


def _device(name: str, threads: int) -> str:
    """One device for all backbones; "cpu" without the import of torch where there is no GPU."""
    from mafnet.common.devices import choose_device, on_cpu

    return "cpu" if on_cpu(name) else str(choose_device(name, threads, shared=False))


def _weights(modality: str, text: str, folder: Path) -> Path:
    """The file of a backbone's weights; published weights are fetched if they are not there."""
    backbone, _, weights = text.partition(":")
    spec = backbone_spec(backbone)
    if spec.modality != modality:
        raise MafnetError(f"{backbone}: reads {spec.modality}, not {modality}; choose another one")
    path = Path(weights)
    if path.suffix != ".safetensors":
        return _published(backbone, weights, folder)
    if not path.is_file():
        raise MafnetError(f"{path}: is no file; name the weights of {backbone}")
    return path


def _extractor(
    text: str, weights: Path, clips: int, cache: Path, device: str, threads: int
) -> Extractor:
    """The extractor of a backbone."""
    backbone, _, name = text.partition(":")
    video = {"clips": clips} | backbone_spec(backbone).decoding(VideoSettings(clips=clips))
    features = {"backbone": backbone, "weights": weights.stem if weights == Path(name) else name}
    return extractor(
        Path(), weights, cache, {"video": video, "features": features}, threads, device
    )


def _published(backbone: str, name: str, folder: Path) -> Path:
    """The file of published weights, in the folder of the downloads."""
    weights = published(TABLE, backbone, name)
    path = folder / f"{backbone}-{name}.safetensors"
    if not path.is_file():
        from mafnet.features.weights.fetch import fetch

        fetch(weights, folder, path)
    return path
