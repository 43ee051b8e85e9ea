"""Downloads and unpacks the archives of a published data set."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from mafnet.common.download import obtain
from mafnet.common.errors import MafnetError
from mafnet.common.files import canonical_json, digest_of, read_json, replacing, write_json
from mafnet.common.resources import table
from mafnet.common.tables import write_table
from mafnet.dataset.archives.readers import Member
from mafnet.dataset.archives.unpack import unpack
from mafnet.dataset.lists import find_lists, missing_lists, read_lists
from mafnet.dataset.sources.base import Source

log = logging.getLogger(__name__)

ARCHIVE_ENDINGS = (".zip", ".rar", ".7z", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ADDRESS_LIST_ENDING = "_path.txt"
"""Files of a mirror that list the addresses of its archives, one per line (k400_train_path.txt)."""

RECORDS = ".unpacked"
"""Folder in the target with one record for each completely unpacked archive."""


def download(source: Source, folder: Path) -> list[Path]:
    """Download the archives and lists of a data set to a folder; existing files are verified."""
    rows = [row for row in table("downloads.tsv") if row["dataset"] == source.name]
    terms = dict.fromkeys(row["terms"] for row in rows)
    log.info("%s: %s", source.name, "; ".join(terms))
    return [obtain(folder / row["file"], [row["address"]], row["sha256"]) for row in rows]


def collect(source: Source, path: Path, lists: Path | None, target: Path) -> list[Member]:
    """Unpack only the needed videos and lists of a data set below `target`.

    path: an archive, or a folder of archives and of lists of their addresses.
    lists: folder or zip file of the lists, if they are neither beside nor in the archive.
    An archive that an earlier call completed is neither opened nor downloaded again.
    """
    texts = _texts(source, path, lists, target)
    wanted = _wanted(source, texts)
    members = []
    for archive in archives_of(path):
        members += _once(archive, target, wanted)
    for address in addresses_of(path):
        members += _from_address(address, target, wanted)
    if not members:
        raise MafnetError(
            f"{path}: contains no video of {source.name}; name its archive, or a folder "
            f"of archives ({', '.join(ARCHIVE_ENDINGS)}) or "
            f"of lists of addresses (*{ADDRESS_LIST_ENDING})"
        )
    log.info("%s: %d files in %s", source.name, len(members), target)
    return members


def archives_of(path: Path) -> list[Path]:
    """The archives below a folder, sorted; the path itself if it is an archive."""
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.name.endswith(ARCHIVE_ENDINGS) and not file.name.startswith(".")
    )


def addresses_of(path: Path) -> list[str]:
    """The addresses in a folder's lists of addresses."""
    lists = sorted(path.glob(f"[!.]*{ADDRESS_LIST_ENDING}")) if path.is_dir() else []
    return [
        line.strip() for file in lists for line in file.read_text().splitlines() if line.strip()
    ]


def write_listing(members: Sequence[Member], path: Path) -> None:
    """Write a table of the unpacked files, one row per file."""
    write_table(("file", "bytes"), sorted((file.name, file.size) for file in members), path)


def _texts(source: Source, path: Path, lists: Path | None, target: Path) -> dict[str, str]:
    """The lists that exist before unpacking. Lists beside the archives are copied to `target`."""
    if lists:
        return read_lists(source, lists)
    found = find_lists(source, path) if path.is_dir() else {}
    if missing_lists(source, found):
        return {}
    texts = read_lists(source, path)
    for key, text in texts.items():
        with replacing(target / "lists" / PurePosixPath(found[key]).name) as beside:
            beside.write_text(text, encoding="utf-8", newline="")
    return texts


def _wanted(source: Source, texts: dict[str, str]) -> Callable[[str], bool]:
    try:
        return source.wanted(texts)
    except KeyError as error:
        raise MafnetError(
            f"{source.name}: unpacking needs the list {error}; name the folder of the lists "
            "(config: datasets, `lists`)"
        ) from error


def _from_address(address: str, target: Path, wanted: Callable[[str], bool]) -> list[Member]:
    """Download one archive, unpack the needed files and delete it, because all need terabytes."""
    name = _record_name(address)
    done = _recorded(target, name, address)
    if done is not None:
        return done
    archive = obtain(target / RECORDS / name / PurePosixPath(address).name, [address])
    members = unpack(archive, target, wanted)
    _record(target, name, address, members)
    shutil.rmtree(archive.parent)
    return members


def _once(archive: Path, target: Path, wanted: Callable[[str], bool]) -> list[Member]:
    """Unpack an archive unless an earlier call completed it."""
    try:
        found = archive.stat()
    except OSError as error:
        raise MafnetError(f"{archive}: does not exist; name the archive or its folder") from error
    identity = canonical_json([found.st_size, found.st_mtime_ns])
    name = _record_name(str(archive.resolve()))
    done = _recorded(target, name, identity)
    if done is None:
        log.info("unpacking %s (%.1f MB)", archive, found.st_size / 1e6)
        done = unpack(archive, target, wanted)
        _record(target, name, identity, done)
    return done


def _record_name(path: str) -> str:
    """Unique name of a record: train and val of a mirror have archives with equal names."""
    return f"{PurePosixPath(path).name}-{digest_of(path)[:12]}"


def _recorded(target: Path, name: str, identity: str) -> list[Member] | None:
    """The files of a completely unpacked archive; None if incomplete or if files are missing."""
    path = target / RECORDS / f"{name}.json"
    if not path.exists():
        return None
    record = read_json(path)
    members = [Member(*entry) for entry in record["files"]]
    same = record["archive"] == identity
    return members if same and all(_exists(target, member) for member in members) else None


def _exists(target: Path, member: Member) -> bool:
    path = target / member.name
    return path.is_file() and path.stat().st_size == member.size


def _record(target: Path, name: str, identity: str, members: Sequence[Member]) -> None:
    files = [[member.name, member.size] for member in members]
    write_json({"archive": identity, "files": files}, target / RECORDS / f"{name}.json")
