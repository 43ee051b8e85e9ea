"""The page of `mafnet explore` in a headless browser: real playback, formats, filters."""

import pytest
from support.browser import needs_chromium
from support.explore_page import (
    click_second,
    cursor_of,
    names,
    pages,
    ready,
    settled,
    time_of,
    until,
)
from support.explored import (
    CLASSES,
    CLIPS,
    REPLACED,
    both_served,
    collection,
    made_results,
    served,
)

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_results(tmp_path_factory.mktemp("explore"))


@pytest.fixture(scope="module")
def addresses(made, tmp_path_factory):
    with both_served(made, tmp_path_factory.mktemp("copies")) as found:
        yield found


@pytest.fixture
def opened(browser, addresses):
    with pages(browser, addresses) as open_page:
        yield open_page


# Playback


def test_cursor_follows_the_video(opened):
    page = opened()
    assert cursor_of(page) == pytest.approx(0, abs=0.02)
    page.keyboard.press("Space")
    until(page, "player.currentTime > 1.2")
    page.keyboard.press("Space")
    assert page.evaluate("player.paused")
    settled(page)
    assert 1.2 < time_of(page) < CLIPS
    assert cursor_of(page) == pytest.approx(time_of(page), abs=0.02)
    assert page.locator("#now").inner_text().startswith(f"{time_of(page):.1f} s: visual ")
    page.keyboard.press("Space")
    until(page, "player.ended")
    settled(page)
    assert cursor_of(page) == pytest.approx(CLIPS, abs=0.1)  # AAC pads its last frame


def test_a_click_jumps_to_the_start_of_a_second(opened):
    page = opened()
    # Frame N of ten a second has luma 16 + N: the picture says which frame is shown.
    for second in (2, 0, 1):
        click_second(page, second)
        settled(page)
        assert time_of(page) == pytest.approx(second, abs=1e-3)
        assert cursor_of(page) == pytest.approx(second, abs=0.02)
        assert page.evaluate(LUMA) == pytest.approx(10 * second * 255 / 219, abs=4)
        shown = page.locator("#now").inner_text()
        assert shown == f"{second:.1f} s: visual {80 * SHARES[second]:.1f} %, audio " \
            f"{20 * SHARES[second]:.1f} %"  # fmt: skip


SHARES = (0.2, 0.3, 0.5)
LUMA = """() => { const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d");
    context.drawImage(player, 0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[0] }"""


def test_keys(opened):
    page = opened()
    for key, at in (("Right", 1), ("Right", 2), ("Left", 1), ("Left", 0), ("Left", 0)):
        page.keyboard.press(f"Arrow{key}")
        settled(page)
        assert time_of(page) == pytest.approx(at, abs=1e-3)
    for key, name in (("n", "s1"), ("n", "s2"), ("p", "s1"), ("p", "s0"), ("p", "s0")):
        page.keyboard.press(key)
        assert page.locator("#name").inner_text() == name
    assert page.locator("#list [aria-current]").inner_text().startswith("s0")
    page.locator("#text").fill("")
    page.locator("#text").press_sequentially("n p")  # a field keeps its keys
    assert page.locator("#text").input_value() == "n p"
    assert page.locator("#name").inner_text() == "s0"
    page.get_by_role("button", name="Next").press("Space")  # a button too
    assert page.locator("#name").inner_text() == "s1"
    assert page.evaluate("player.paused")


def test_every_control_is_reached_by_tab_and_visible(opened):
    page = opened()
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        one = page.evaluate("""() => { const one = document.activeElement;
            return [one.id || one.type || one.tagName, getComputedStyle(one).outlineStyle] }""")
        reached.add(one[0])
        assert one[1] == "solid" or one[0] in ("video", "BODY"), one
    assert reached >= {"video", "previous", "play", "next", "loop", "scrub", "text", "label",
                       "predicted", "outcome", "least", "most", "dominant", "order"}  # fmt: skip


def test_next_video_plays_on(opened):
    page = opened()
    page.keyboard.press("Space")
    until(page, "player.currentTime > 0.1")
    page.keyboard.press("n")
    until(page, "shownVideo.name === 's1' && player.currentTime > 0.1")


# Formats


def test_video_of_an_old_format_is_played_from_a_copy(opened):
    page = opened()
    page.locator("#list button").nth(5).click()
    ready(page)
    note = page.locator("#note").inner_text()
    assert note.startswith("Browsers do not play this format (avi, mpeg2video, mp2).")
    page.keyboard.press("Space")
    until(page, "player.currentTime > 0.3")


def test_file_that_the_browser_refuses_is_converted_on_demand(opened):
    page = opened()
    page.locator("#list button").nth(REPLACED).click()
    page.locator("#convert").click()
    ready(page)
    page.keyboard.press("Space")
    until(page, "player.currentTime > 0.3")


def test_missing_video_is_a_note(browser, made, tmp_path):
    video, aside = made.folder / "videos/v0.mp4", tmp_path / "v0.mp4"
    video.rename(aside)
    try:
        with served(collection(made, "first"), tmp_path) as port:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/secret/")
            assert page.locator("#note").inner_text() == "The file of the video is missing."
            assert page.locator("#video").is_hidden()
            page.keyboard.press("n")
            ready(page)
            page.close()
    finally:
        aside.rename(video)


# Filters


def test_filters(opened):
    page = opened()
    for control, value, expected in (
        ("Class", CLASSES[1], [1, 4]),
        ("Predicted", CLASSES[0], [1, 3]),
        ("Outcome", "wrong", [0, 1]),
        ("Outcome", "right", [2, 3, 4, 5]),
        ("Dominated by", "visual", [0, 2, 4]),
        ("Dominated by", "audio", [1, 3, 5]),
    ):
        page.get_by_label(control, exact=True).select_option(value)
        assert names(page) == [f"s{n}" for n in expected], control
        assert page.locator("#count").inner_text() == f"{len(expected)} of 6 videos"
        page.get_by_role("button", name="Show all").click()
        until(page, "at('count').textContent === '6 of 6 videos'")


def test_filters_are_combined_and_next_keeps_to_them(opened):
    page = opened()
    page.get_by_label("Outcome").select_option("right")
    page.get_by_label("Dominated by").select_option("audio")
    assert names(page) == ["s3", "s5"]
    page.locator("h1").click()
    for expected in ("s3", "s5", "s5"):
        page.get_by_role("button", name="Next").click()
        assert page.locator("#name").inner_text() == expected
    page.get_by_label("Name").fill("V3.MP4")
    assert names(page) == ["s3"]


def test_confidence(opened):
    page = opened()
    page.get_by_label("Confidence from (%)").fill("61")
    assert names(page) == []
    page.get_by_label("Confidence from (%)").fill("50")
    assert len(names(page)) == 6
    page.get_by_label("to (%)").fill("59.9")
    assert names(page) == []
