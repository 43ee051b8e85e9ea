#!/usr/bin/env python3
"""A stand-in for the program conda, and a local channel of stand-ins for a real one.

The stand-in answers the commands that Snakemake calls, and records them in the file `calls`. An
environment has a Python of its own, with links to the packages of the Python that runs the tests,
without those of Snakemake and mafnet. Nothing is downloaded.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
import venv
from pathlib import Path

LEFT_OUT = ("snakemake", "mafnet", "_mafnet", "__editable__")
ACTIVATE = 'export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n'


def create(prefix: Path, packages: Path) -> None:
    """Make an environment with links to packages."""
    venv.create(prefix, symlinks=True)
    (made,) = prefix.glob("lib/python3.*/site-packages")
    for entry in packages.iterdir():
        if not entry.name.startswith(LEFT_OUT) and not (made / entry.name).exists():
            (made / entry.name).symlink_to(entry)


def main(arguments: list[str]) -> None:
    """Answer a command."""
    base = Path(__file__).parents[1]
    with (base / "calls").open("a") as file:
        file.write(" ".join(arguments) + "\n")
    match arguments:
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(base), "platform": "linux-64"}))  # noqa: T201
        case ["--version"]:
            print("conda 24.11.3")  # noqa: T201
        case ["config", *_]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))  # noqa: T201
        case ["env", "create", *options]:
            create(Path(options[-1]), Path((base / "packages").read_text()))


def stand_in(base: Path, packages: Path) -> dict[str, str]:
    """Install the stand-in in a folder; returns the environment variables to use it."""
    (base / "bin").mkdir(parents=True)
    (base / "packages").write_text(str(packages))
    (base / "bin/activate").write_text(ACTIVATE)
    program = base / "bin/conda"
    program.write_text(f"#!{sys.executable}\n" + Path(__file__).read_text())
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def local_channel(base: Path, packages: Path) -> dict[str, str]:
    """Make a channel in place of conda-forge; returns the environment variables to use it.

    Its Python starts one of an environment that `create` makes; its ffmpeg and pip are empty.
    """
    create(base / "python", packages)
    program = f'#!/bin/sh\nexec "{base}/python/bin/python" "$@"\n'
    made = [
        _package(base, "python", "3.11.99", {"bin/python": program}),
        _package(base, "ffmpeg", "9.0", {}),
        _package(base, "pip", "99.0", {}),
    ]
    for subdir, found in {"noarch": dict(made), "linux-64": {}}.items():
        index = {"info": {"subdir": subdir}, "packages": found, "packages.conda": {}}
        (base / "conda-forge" / subdir).mkdir(exist_ok=True)
        (base / "conda-forge" / subdir / "repodata.json").write_text(json.dumps(index))
    (base / "condarc").write_text(
        f"channel_alias: file://{base}\ndefault_channels: []\nchannel_priority: strict\n"
        f"pkgs_dirs: [{base}/packages]\n"
    )
    return {"CONDARC": str(base / "condarc"), "PIP_NO_INDEX": "1"}


def _package(base: Path, name: str, version: str, files: dict[str, str]) -> tuple[str, dict]:
    """Write a package; returns its file name and its row of repodata.json."""
    row = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [],
           "subdir": "noarch", "noarch": "generic"}  # fmt: skip
    paths = [
        {"_path": path, "path_type": "hardlink", "size_in_bytes": len(text),
         "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for path, text in files.items()
    ]  # fmt: skip
    info = {
        "info/index.json": json.dumps(row),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in files),
    }
    archive = base / f"conda-forge/noarch/{name}-{version}-0.tar.bz2"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:bz2") as file:
        for path, text in {**info, **files}.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), 0o755
            file.addfile(member, io.BytesIO(text.encode()))
    content = archive.read_bytes()
    digests = {kind: hashlib.new(kind, content).hexdigest() for kind in ("md5", "sha256")}
    return archive.name, row | digests | {"size": len(content)}


if __name__ == "__main__":
    main(sys.argv[1:])
