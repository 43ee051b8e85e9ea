"""Makes the inputs of a benchmark: videos, random weights, made-up features (see inputs.py)."""

from pathlib import Path

import numpy as np

from benchmarks.inputs import BACKBONES, SMALL, Inputs
from benchmarks.plain import run_ffmpeg, write_pickle
from benchmarks.ways_ours import extractor, made_media


def prepare(inputs: Inputs) -> None:
    """Make all inputs. This imports torch, so run it in a process of its own."""
    inputs.root.mkdir(parents=True)
    inputs.made.mkdir()
    for number in range(inputs.videos):
        make_video(inputs.root / f"{number}.mp4", number, inputs.seconds)
    decode_first(inputs)
    make_weights(inputs)
    make_features(inputs)


def make_video(path: Path, number: int, seconds: int) -> None:
    """Encode a moving test pattern and stereo tones, with noise; both differ by number."""
    frames = f"testsrc2=s=640x360:r=30:d={seconds},hue=h={40 * number},noise=alls=8:allf=t"
    tones = f"sin(2*PI*{300 + 40 * number}*t*(1+t/20))|0.2*random(0)"
    audio = f"aevalsrc='{tones}':s=44100:d={seconds}"
    codecs = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac")
    run_ffmpeg(1, "-f", "lavfi", "-i", frames, "-f", "lavfi", "-i", audio, *codecs, path)


def decode_first(inputs: Inputs) -> None:
    """Write the media table of all videos, and the decoded clips of the first one."""
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
    """Write random weights of MAFnet and of the backbones, these calibrated on the first video."""
    import torch
    from safetensors.torch import save_file

    from mafnet.features.backbones import frozen_network
    from mafnet.model.networks import build_network

    torch.set_num_threads(inputs.threads)
    pairs = [(name, small) for small in (False, True) for name in BACKBONES]
    for modality, small in pairs:
        backbone = frozen_network((SMALL if small else BACKBONES)[modality])
        state = backbone.calibrate(backbone.random_weights(0), [inputs.clips(modality)])
        tensors = {key: value.contiguous() for key, value in state.items()}
        save_file(tensors, inputs.weights(modality, small))
    torch.manual_seed(0)
    network = build_network(
        "mafnet", classes=inputs.classes, visual_features=1920, audio_features=512, options={}
    )
    save_file(network.state_dict(), inputs.folder / "head.safetensors")


def make_features(inputs: Inputs) -> None:
    """Write made-up features for both ways: pickles; cache, feature files and manifest."""
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
