"""Runs the workflow as a user does: in its own folder, from a copy of the checkout."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone

REPOSITORY = Path(__file__).parents[2]
CHECKED_OUT = (
    "Snakefile", "config.yaml", "pyproject.toml", "envs", "mafnet", "profiles", "resources",
    "workflow",
)  # fmt: skip
METRICS = "results/tiny/metrics.json"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Workflow:
    """A folder in which Snakemake runs with tests/tiny.yaml.

    checkout: the copy of the repository whose Snakefile runs.
    python: the interpreter that runs Snakemake.
    """

    checkout: Path
    folder: Path
    python: str = sys.executable

    def command(self, *arguments: str, change: Mapping | None = None) -> list[str]:
        """The command line; `change` overrides settings of the data set `tiny`."""
        configs = [self.folder / "tiny.yaml"]
        if change is not None:
            configs.append(self.folder / "change.yaml")
            configs[-1].write_text(yaml.safe_dump({"datasets": {"tiny": dict(change)}}))
        fixed = ("--snakefile", self.checkout / "Snakefile", "--directory", self.folder)
        command = [self.python, "-m", "snakemake", *arguments, "--cores", "1", *fixed]
        return [*map(str, command), "--configfile", *map(str, configs)]

    def run(
        self, *arguments: str, change: Mapping | None = None, succeeds: bool = True
    ) -> subprocess.CompletedProcess:
        """Run Snakemake to its end; `stdout` of the result contains all its output."""
        result = subprocess.run(
            self.command(*arguments, change=change),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT,
            check=False,
        )  # fmt: skip
        assert (result.returncode == 0) == succeeds, result.stdout
        return result

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake as a terminal does; its output goes to started.log."""
        return start_process(self.command(*arguments), self.folder / "started.log")

    def planned(self, *targets: str, change: Mapping | None = None) -> dict[str, int]:
        """The number of jobs of each rule in a dry run, by default for the metrics."""
        text = self.run(*(targets or [METRICS]), "-n", "--quiet", "rules", change=change).stdout
        return planned_jobs(text)

    def log(self, rule_log: str) -> str:
        """The content of a job's log file."""
        return (self.folder / "logs" / rule_log).read_text()


def start_process(command: Sequence[str], log: Path, cwd: Path | None = None) -> subprocess.Popen:
    """Start a command as a terminal does: in its own process group, and with Ctrl-C enabled.

    log: file for the output.
    """
    with log.open("w") as file:
        return subprocess.Popen(
            command, cwd=cwd, stdout=file, stderr=file, env=ENVIRONMENT, process_group=0,
            preexec_fn=enable_sigint,
        )  # fmt: skip


def enable_sigint() -> None:
    """Give SIGINT its default action; a shell lets a command with `&` inherit it as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def planned_jobs(text: str) -> dict[str, int]:
    """The number of jobs of each rule in the output of a dry run."""
    if "Nothing to be done" in text:
        return {}
    stats = text[text.rindex("Job stats:") :].split("\n\n")[0]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE))
    assert jobs.pop("total", None), text
    return {rule: int(count) for rule, count in jobs.items()}


def copy_checkout(folder: Path) -> Path:
    """Copy the files of a user's checkout, so that tests may edit them."""
    folder.mkdir()
    for name in CHECKED_OUT:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def make_video(path: Path, number: int) -> Path:
    """A video of one second; frame rate and pitch differ for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ffmpeg(*counting_frames(1, 10 + number), *tone(1, 300 + 50 * number), *H264, *AAC, path)
    return path


def make_data(folder: Path) -> None:
    """Eight videos of two classes, and a manifest: 4 for train, 2 for val, 2 for test."""
    subsets = ("train", "train", "train", "train", "val", "val", "test", "test")
    lines = ["sample,video,label,subset"]
    for number, subset in enumerate(subsets):
        make_video(folder / f"videos/{number}.mp4", number)
        lines.append(f"s{number},{number}.mp4,{'low' if number % 2 else 'high'},{subset}")
    (folder / "manifest.csv").write_text("\n".join([*lines, ""]))


def add_video(folder: Path, source: int = 7, name: str = "added") -> None:
    """Append a test sample with its own video."""
    make_video(folder / f"videos/{name}.mp4", source + 1)
    with (folder / "manifest.csv").open("a") as file:
        file.write(f"{name},{name}.mp4,low,test\n")
