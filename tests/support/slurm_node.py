"""A real Slurm on this machine, for the tests that need it."""

import subprocess
from pathlib import Path

from support.tiny_run import enable_sigint

SCRIPT = Path(__file__).with_suffix(".sh")


def start(folder: Path) -> None:
    """Start munged, slurmctld and slurmd; OSError with the reason if they do not start."""
    done = subprocess.run(
        [SCRIPT, "start", folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False, preexec_fn=enable_sigint,
    )  # fmt: skip
    if done.returncode:
        stop(folder)
        raise OSError(done.stderr.strip())


def stop(folder: Path) -> None:
    """Kill all jobs, stop the daemons and remove the links in /etc/slurm."""
    subprocess.run([SCRIPT, "stop", folder], check=True)


def jobs() -> dict[int, dict[str, str]]:
    """All jobs by id, with the fields of `scontrol show job`."""
    text = subprocess.run(
        ["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True
    ).stdout
    rows = [
        dict(field.split("=", 1) for field in line.split() if "=" in field)
        for line in text.splitlines()
        if line.startswith("JobId=")
    ]
    return {int(row["JobId"]): row for row in rows}


def of_rule(name: str, after: int = 0) -> list[dict[str, str]]:
    """The jobs of a rule or group that were submitted after the job `after`, in order.

    The comment of a job is `rule_{name}`, also for a group.
    """
    return [
        row
        for number, row in sorted(jobs().items())
        if number > after and row["Comment"].startswith(f"rule_{name}")
    ]
