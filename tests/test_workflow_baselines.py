"""Simple baselines by the workflow: a late fusion trains its members first."""

import pandas as pd
import pytest

pytestmark = pytest.mark.workflow

STUDY = "results/tiny/studies/simple.csv"
CHANGE = {
    "model": {"seeds": [0]},
    "report": {"studies": {"simple": ["late_fusion", "logistic_regression"]}},
}


def test_study_of_the_simple_baselines(run):
    assert run.planned(STUDY, change=CHANGE)["train"] == 4
    run.run(STUDY, change=CHANGE)
    table = pd.read_csv(run.folder / STUDY)
    assert list(table["variant"]) == ["late_fusion", "logistic_regression"]
    assert table["accuracy"].between(0, 100).all()
    assert run.planned(STUDY, change=CHANGE) == {}
