"""What the workflow asks at parse time: settings, paths and shards, without Snakemake or torch."""

import os

from mafnet.common.gpus import count_cards
from mafnet.plan.results import ResultsAnswers

EXTRACTION_THREADS = 8
MOST_EXTRACTION_THREADS = 16
"""These decode as fast as one of today's fastest GPUs computes. More would only take memory."""


class Plan(ResultsAnswers):
    """Answers for the rules of all stages; settings are JSON texts, which Snakemake compares."""

    @property
    def gpus(self) -> int:
        """How many GPUs of this machine may be used."""
        return count_cards(os.environ)

    def extraction_threads(self, cores: int | None) -> int:
        """Threads of an extraction: the cores divided among the GPUs, whose jobs run side by side.

        cores: of this machine; None where a cluster runs the jobs.
        """
        if not self.gpus or cores is None:
            return EXTRACTION_THREADS
        return min(MOST_EXTRACTION_THREADS, max(1, cores // self.gpus))
