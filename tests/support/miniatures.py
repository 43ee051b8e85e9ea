"""Small copies of AVE, UCF51 and Kinetics-Sounds with the layout and faults of the originals."""

import binascii
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.made_videos import AAC, ffmpeg, tone

COLOURS = ("red", "green", "blue")
AVE_HEADER = "Category&VideoID&Quality&StartTime&EndTime"
KINETICS_HEADER = "label,youtube_id,time_start,time_end,split,is_cc"

AVE_CLASSES = ("Baby cry, infant cry", "Church bell", "Frying (food)")
AVE_ROWS = {
    # "church3" has an empty event; "both1" has two labels in train, "leak1" one in train and test.
    "train": (
        ("Baby cry, infant cry", "-baby1", 0, 10), ("Church bell", "church1", 2, 7),
        ("Frying (food)", "fry1", 0, 10), ("Baby cry, infant cry", "--baby2", 1, 3),
        ("Church bell", "church3", 0, 0), ("Frying (food)", "both1", 0, 5),
        ("Church bell", "both1", 0, 5), ("Church bell", "leak1", 3, 10),
    ),
    "val": (
        ("Baby cry, infant cry", "baby3", 0, 10), ("Church bell", "church2", 0, 10),
        ("Frying (food)", "fry2", 0, 10),
    ),
    "test": (
        ("Baby cry, infant cry", "baby4", 0, 10), ("Church bell", "church4", 0, 10),
        ("Frying (food)", "-fry3", 4, 10), ("Frying (food)", "leak1", 3, 10),
    ),
}  # fmt: skip

UCF_CLASSES = ("ApplyEyeMakeup", "Archery", "HandstandPushups")
UCF_SILENT = "v_Archery_g09_c01"
UCF_TEST_GROUPS = {1: ("g01",), 2: ("g02",), 3: ("g03",)}
UCF_GROUPS = ("g01", "g02", "g03", "g08", "g09")

KINETICS_CLASSES = ("bowling", "playing violin", "strumming guitar")
KINETICS_OTHER = "abseiling"


def clips(folder: Path, suffix: str = "mp4", silent: bool = False) -> list[bytes]:
    """The bytes of three tiny videos of one second with different colours and pitches."""
    codec = ("-c:v", "libx264", "-pix_fmt", "yuv420p", *AAC)
    if suffix == "avi":
        codec = ("-c:v", "mpeg4", "-c:a", "libmp3lame", "-ar", "44100")
    contents = []
    for number, colour in enumerate(COLOURS):
        path = folder / f"{colour}-{silent}.{suffix}"
        visual = ("-f", "lavfi", "-i", f"color={colour}:s=64x48:r=16:d=1")
        audio = () if silent else tone(1, 300 * (number + 1))
        ffmpeg(*visual, *audio, *(codec[:2] if silent else codec), path)
        contents.append(path.read_bytes())
    return contents


def ave_files(videos: Sequence[bytes], header: bool = False) -> dict[str, bytes]:
    """The files of AVE_Dataset.zip: paths and contents; lists with LF and an optional header."""
    files: dict[str, bytes] = {"AVE/ReadMe.txt": b"AVE dataset\n"}
    first = f"{AVE_HEADER}\n" if header else ""
    annotations = f"{AVE_HEADER}\n"
    for subset, rows in AVE_ROWS.items():
        lines = "".join(f"{label}&{name}&good&{start}&{end}\n" for label, name, start, end in rows)
        files[f"AVE/{subset}Set.txt"] = (first + lines).encode()
        annotations += lines
        for label, name, *_ in rows:
            video = videos[AVE_CLASSES.index(label)]
            files.setdefault(f"AVE/AVE/{name}.mp4", video)
    return files | {"AVE/Annotations.txt": annotations.encode()}


def ucf_videos(videos: Sequence[bytes], silent: bytes) -> dict[str, bytes]:
    """The files of UCF101.rar, with a class that is not in UCF51 because it has no audio."""
    files = {}
    for number, label in enumerate(UCF_CLASSES):
        # The spelling of the original: folder HandstandPushups, files v_HandStandPushups_...
        stem = label.replace("HandstandPushups", "HandStandPushups")
        for group in UCF_GROUPS:
            name = f"v_{stem}_{group}_c01"
            content = silent if name == UCF_SILENT else videos[number]
            files[f"UCF-101/{label}/{name}.avi"] = content
    return files | {"UCF-101/Basketball/v_Basketball_g01_c01.avi": videos[0]}


def ucf_lists() -> dict[str, bytes]:
    """The files of UCF101TrainTestSplits-RecognitionTask.zip: CRLF, test lists without labels.

    The lists use the folder's spelling HandstandPushups, which differs from the file names.
    """
    labels = sorted((*UCF_CLASSES, "Basketball"))
    index = [f"{number} {label}\r\n" for number, label in enumerate(labels, 1)]
    files = {"ucfTrainTestlist/classInd.txt": "".join(index).encode()}
    for split, tested in UCF_TEST_GROUPS.items():
        train, test = [], ["Basketball/v_Basketball_g01_c01.avi\r\n"]
        for label in UCF_CLASSES:
            for group in UCF_GROUPS:
                path = f"{label}/v_{label}_{group}_c01.avi"
                if group in tested:
                    test.append(f"{path}\r\n")
                else:
                    train.append(f"{path} {labels.index(label) + 1}\r\n")
        files[f"ucfTrainTestlist/trainlist{split:02d}.txt"] = "".join(train).encode()
        files[f"ucfTrainTestlist/testlist{split:02d}.txt"] = "".join(test).encode()
    return files


def kinetics_rows(subset: str, of_each: int) -> list[tuple[str, str, int, int]]:
    """Label, id, start and end of the clips of one subset, with one class that is not used."""
    letter = subset[0]
    return [
        (label, f"-{letter}{number}{index}_id", 10 * index, 10 * index + 10)
        for number, label in enumerate((*KINETICS_CLASSES, KINETICS_OTHER))
        for index in range(of_each)
    ]


def kinetics_csv(subset: str, of_each: int) -> bytes:
    """train.csv or val.csv."""
    lines = [
        f"{label},{name},{start},{end},{subset},0" for label, name, start, end
        in kinetics_rows(subset, of_each)
    ]  # fmt: skip
    return "\n".join([KINETICS_HEADER, *lines, ""]).encode()


def kinetics_videos(subset: str, of_each: int, videos: Sequence[bytes]) -> dict[str, bytes]:
    """The clips of one subset, named as in the mirror's archives."""
    content = dict(zip((*KINETICS_CLASSES, KINETICS_OTHER), (*videos, videos[0]), strict=True))
    return {
        f"./{name}_{start:06d}_{end:06d}.mp4": content[label]
        for label, name, start, end in kinetics_rows(subset, of_each)
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a tar archive, compressed with gzip."""
    with gzip.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_rar(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a RAR 4 archive whose files are stored without compression.

    From the published description of the format: a marker, a main header, and for each file a
    header with CRC, sizes, method 0x30 (store) and name, followed by the bytes.
    """
    parts = [b"Rar!\x1a\x07\x00", _rar_block(0x73, 0, struct.pack("<HI", 0, 0))]
    for name, content in files.items():
        encoded = name.replace("/", "\\").encode()
        size, crc = len(content), binascii.crc32(content)
        head = struct.pack("<IIBIIBBHI", size, size, 2, crc, 0x52DC9C00, 20, 0x30, len(encoded), 32)
        parts += [_rar_block(0x74, 0x8000, head + encoded), content]
    path.write_bytes(b"".join([*parts, _rar_block(0x7B, 0x4000, b"")]))
    return path


def _rar_block(kind: int, flags: int, body: bytes) -> bytes:
    """A header block; its first field is the lower half of the CRC of the rest."""
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", binascii.crc32(rest) & 0xFFFF) + rest
