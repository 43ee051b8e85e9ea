"""Two things that Snakemake lacks for cluster jobs: which are retried, and who records their files.

Both replace a method of Snakemake, as it has no hook there. `make test-slurm` tests both.
"""

import sys
from itertools import takewhile
from typing import TYPE_CHECKING

from mafnet.common.attempts import forget_errors, recorded_errors

if TYPE_CHECKING:
    from snakemake.jobs import AbstractJob
    from snakemake.persistence import PersistenceBase


def own_jobs() -> list[str]:
    """What a job's own Snakemake makes, such as `extract:dataset=mine,shard=0001`."""
    if "--target-jobs" not in sys.argv:
        return []
    following = sys.argv[sys.argv.index("--target-jobs") + 1 :]
    return list(takewhile(lambda word: not word.startswith("--"), following))


def retry_no_user_errors() -> None:
    """Let Snakemake retry only jobs that have recorded no error of the user; forget older records.

    Snakemake's `retries` knows no reasons. It asks a failed job for `restart_times`.
    """
    from snakemake.jobs import GroupJob, Job

    forget_errors()
    for kind in (Job, GroupJob):
        kind.restart_times = _unless_recorded(kind.restart_times)


def _unless_recorded(original: property) -> property:
    from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args

    def restart_times(job: "AbstractJob") -> int:
        made = encode_target_jobs_cli_args(job.get_target_spec())
        return 0 if any(recorded_errors(made)) else original.fget(job)

    return property(restart_times)


def record_in_job() -> None:
    """Let a job's own Snakemake record its files, as with --immediate-submit.

    Else only the Snakemake that submitted the job does. If that was killed, finished jobs would be
    repeated, because their files are marked as incomplete.
    """
    from snakemake.persistence import PersistenceBase

    original = PersistenceBase.finished

    async def finished(self: "PersistenceBase", job: "AbstractJob") -> None:
        settings = self.dag.workflow.remote_execution_settings
        settings.immediate_submit = True
        try:
            await original(self, job)
        finally:
            settings.immediate_submit = False

    PersistenceBase.finished = finished
