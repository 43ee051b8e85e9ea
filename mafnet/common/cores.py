"""The number of cores that this process may use, which may be fewer than the machine has."""

import os
import sys
from math import ceil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """The cores that the affinity and the quota of the process's cgroup allow, at least 1.

    cgroup: where the control groups are mounted; a container sees its own at the top.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in {cgroup, *_own_groups(cgroup)}]
    return min([cores, *(ceil(quota) for quota in quotas if quota)])


def _own_groups(cgroup: Path) -> list[Path]:
    """The folders of the control group of this process and of all groups around it (version 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    paths = [Path(line[3:].lstrip("/")) for line in lines if line.startswith("0::")]
    return [cgroup / part for path in paths for part in (path, *path.parents)]


def _quota(folder: Path) -> float | None:
    """The cores that one control group allows; None without a limit. Versions 2 and 1."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu/cpu.cfs_quota_us").read_text()
            period = (folder / "cpu/cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


if __name__ == "__main__":  # the Makefile asks before there is an environment
    sys.stdout.write(f"{usable_cores()}\n")
