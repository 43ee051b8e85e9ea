"""Randomly damaged lists of published data sets are read, or refused with one line.

The long run takes minutes: pytest -m slow tests/test_dataset_lists_fuzz.py
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mafnet.common.errors import MafnetError
from mafnet.dataset.sources import ave, kinetics, ucf51

SHORT, LONG = 300, 20_000

LISTS = {
    "ave": (
        "Category&VideoID&Quality&StartTime&EndTime\nBaby cry, infant cry&-ab_c&good&0&10\n"
        "Church bell&VWi2ENBuTbw&good&0&0\n",
        lambda text: ave.parse(text, "train"),
    ),
    "ucf51": (
        "Archery/v_Archery_g08_c01.avi 3\r\nHandstandPushups/v_HandStandPushups_g01_c02.avi\r\n",
        lambda text: ucf51.parse(text, "train"),
    ),
    "kinetics": (
        "label,youtube_id,time_start,time_end,split,is_cc\nbowling,-a1,3,13,train,0\n"
        '"singing",b_2,107,117,train,0\n',
        lambda text: kinetics.parse(text, "train", ["bowling", "singing"]),
    ),
}

pieces = st.text(max_size=6) | st.sampled_from(
    [
        "&",
        ",",
        '"',
        "\r",
        "\n",
        "\0",
        "inf",
        "nan",
        "1e999",
        "-1",
        "../",
        "\\",
        "\ufeff",
        "x" * 200_000,
    ]
)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), pieces), min_size=1, max_size=4)


def damaged(text, changes):
    for where, cut, put in changes:
        place = round(where * len(text))
        text = text[:place] + put + text[place + cut :]
    return text


def read(parse, text):
    try:
        return parse(text), ""
    except MafnetError as error:
        return [], str(error).strip()


def fuzz(name, examples):
    whole, parse = LISTS[name]
    assert len(parse(whole)) == 2

    @settings(max_examples=examples, deadline=None, database=None)
    @given(edits)
    def check(changes):
        samples, refusal = read(parse, damaged(whole, changes))
        assert "\n" not in refusal
        for sample in samples:
            assert all(
                isinstance(part, str) for part in (sample.sample, sample.video, sample.label)
            )
            assert sample.event is None or sample.event[0] < sample.event[1]

    check()


@pytest.mark.parametrize("name", LISTS)
def test_a_damaged_list_is_read_or_refused(name):
    fuzz(name, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_a_damaged_list_is_read_or_refused_long(name):
    fuzz(name, LONG)
