"""Files in the repository that are generated from the code are those that the code makes."""

from mafnet.plan.generate import COMMAND, FILES, stale


def test_generated_files_are_current():
    assert FILES
    assert stale() == [], f"run: {COMMAND}"
