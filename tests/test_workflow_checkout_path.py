"""The folder of the checkout may have any name; no part of the name is run as a command."""

import shutil

from support.tiny_run import METRICS, Workflow

NAME = 'd$(touch X) `touch Y` {a} "q" it\'s $HOME %s'


def test_name_of_the_checkout_is_not_run(run, tmp_path):
    odd = tmp_path / NAME
    shutil.copytree(run.checkout, odd)
    (run.folder / METRICS).unlink()
    workflow = Workflow(odd, run.folder)
    workflow.run(METRICS)
    workflow.run("reports", "-n")
    assert (run.folder / METRICS).exists()
    assert not [path for path in tmp_path.rglob("*") if path.name in ("X", "Y")]
