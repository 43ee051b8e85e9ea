"""The plan of all stages. The workflow reads it at parse time, so it does not import torch."""

import os

from mafnet.common.gpus import count_cards
from mafnet.plan.results import ResultsPlan

EXTRACTION_THREADS = 8
MOST_EXTRACTION_THREADS = 16
"""Enough to decode as fast as one fast GPU computes. More threads would only use more memory."""


class Plan(ResultsPlan):
    """Paths and settings for the rules; settings are JSON texts, which Snakemake compares."""

    @property
    def gpus(self) -> int:
        """The number of GPUs of this machine that may be used."""
        return count_cards(os.environ)

    def extraction_threads(self, cores: int | None) -> int:
        """Threads of an extraction: the cores of this machine divided by its GPUs.

        Each GPU runs one extraction, and all run at the same time.
        cores: number of cores for all jobs; None if a cluster runs the jobs.
        """
        if not self.gpus or cores is None:
            return EXTRACTION_THREADS
        return min(MOST_EXTRACTION_THREADS, max(1, cores // self.gpus))
