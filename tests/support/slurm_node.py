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


def crash() -> None:
    """Kill slurmd and all processes of jobs, as a crash of the node does."""
    subprocess.run([SCRIPT, "crash", _folder()], check=True)


def boot() -> None:
    """Start slurmd again after a crash."""
    subprocess.run([SCRIPT, "boot", _folder()], check=True, preexec_fn=enable_sigint)


def _folder() -> Path:
    return Path("/etc/slurm/slurm.conf").resolve().parent


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


def rule_of(job: dict[str, str]) -> str:
    """The name of a job's rule or group; the comment begins with rule_{name}, also for a group."""
    return job["Comment"].removeprefix("rule_").split("_")[0]


def of_rule(name: str, after: int = 0) -> list[dict[str, str]]:
    """The jobs of a rule or group that were submitted after the job `after`, in order."""
    rows = sorted(jobs().items())
    return [row for number, row in rows if number > after and rule_of(row) == name]


def rules_of_jobs(after: int) -> list[str]:
    """The rules of all jobs that were submitted after the job `after`."""
    return [rule_of(row) for number, row in jobs().items() if number > after]


def waiting_or_running() -> list[str]:
    """The lines of squeue."""
    return subprocess.run(
        ["squeue", "--noheader"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
