"""A checkout in which the README's command submits jobs to Slurm."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from support.tiny_run import REPOSITORY, copy_checkout, make_data, start_process

PATIENCE_SECONDS = 900
TARGET = "results/mine/metrics.json"


def command_of_readme() -> list[str]:
    """The arguments of the README's command for Slurm."""
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    (command,) = [line for line in lines if line.startswith("    snakemake --workflow-profile")]
    return shlex.split(command)[1:]


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until a condition is true; returns the condition's value."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("the expected state was not reached")


class Cluster:
    """A checkout with the data set `mine`, in which Snakemake submits its jobs to Slurm."""

    def __init__(self, folder: Path) -> None:
        self.folder = copy_checkout(folder)
        make_data(folder)
        tiny = yaml.safe_load((REPOSITORY / "tests/tiny.yaml").read_text())["datasets"]["tiny"]
        config = folder / "config.yaml"
        entry = f"datasets:\n  mine: {json.dumps(tiny)}\n"
        config.write_text(config.read_text().replace("datasets:\n", entry, 1))

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start the README's command in the checkout."""
        return self._start([*command_of_readme(), *arguments])

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        """Run the README's command to its end; returns its output."""
        return self._end(self.start(*arguments), succeeds)

    def run_here(self) -> str:
        """Run without Slurm, on this machine."""
        return self._end(self._start(["--cores", "2", TARGET]))

    def _start(self, arguments: list[str]) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", *arguments]
        return start_process(command, self.folder / "output.log", cwd=self.folder)

    def _end(self, process: subprocess.Popen, succeeds: bool = True) -> str:
        status = process.wait(PATIENCE_SECONDS)
        output = (self.folder / "output.log").read_text()
        assert (status == 0) == succeeds, output
        return output

    def stop(self, process: subprocess.Popen, number: signal.Signals) -> None:
        """Send a signal to Snakemake and its processes on this machine, and wait for its end."""
        os.killpg(process.pid, number)
        assert process.wait(PATIENCE_SECONDS) != 0

    def delete(self, *names: str) -> None:
        """Delete existing files and folders in results/mine, to compute them again."""
        for name in names:
            path = self.folder / "results/mine" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @contextmanager
    def edited(self, rules: str, command: str, before: str) -> Iterator[None]:
        """Let a rule execute something before its command."""
        path = self.folder / "workflow/rules" / rules
        text = path.read_text()
        path.write_text(text.replace(f'"{command}', f'"{before} {command}', 1))
        yield
        path.write_text(text)

    def numbers(self) -> dict:
        """The metrics, without where and when they were computed."""
        metrics = json.loads((self.folder / TARGET).read_text())
        del metrics["provenance"]
        return metrics

    def log(self, name: str) -> str:
        """A job's log."""
        return (self.folder / "logs" / name).read_text()


def cards(rows: list[dict[str, str]]) -> list[str]:
    """The index of the GPU that Slurm gave to each of some running jobs; empty where none yet."""
    details = [
        subprocess.run(["scontrol", "--details", "show", "job", row["JobId"]],
                       capture_output=True, text=True, check=True).stdout
        for row in rows
    ]  # fmt: skip
    return ["".join(re.findall(r"GRES=gpu\S*\(IDX:(\d+)\)", text)) for text in details]
