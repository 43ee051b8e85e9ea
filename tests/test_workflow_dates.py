"""Files dated in the future are named before the first job; Snakemake would delete results."""

import os
import time

from support.tiny_run import METRICS


def test_input_of_the_future_is_one_line_and_nothing_is_deleted(run):
    manifest = run.folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("2.mp4,high", "2.mp4,low"))
    tomorrow = time.time() + 86_400
    os.utime(manifest, (tomorrow, tomorrow))
    files = sorted(run.folder.glob("results/**/*"))
    output = run.run(METRICS, succeeds=False).stdout
    (line,) = [line for line in output.splitlines() if line.startswith("mafnet: ")]
    assert line.startswith("mafnet: manifest.csv: is dated in the future, ")
    assert line.endswith("then type: touch manifest.csv")
    assert sorted(run.folder.glob("results/**/*")) == files
