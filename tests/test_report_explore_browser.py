"""The page of `mafnet explore` in a headless browser that plays real videos."""

import time

import numpy as np
import pytest
from support.browser import CHROMIUM, OFFLINE, needs_chromium
from support.explored import (
    CLASSES,
    IMAGE,
    REPLACED,
    SCRIPT,
    collection,
    made_results,
    parts_file,
    served,
)

from mafnet.report.explore.predicted_videos import predicted_videos
from mafnet.report.explore.viewer_folder import write_folder

pytestmark = needs_chromium

CLIPS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_results(tmp_path_factory.mktemp("explore"))


@pytest.fixture(scope="module")
def addresses(made, tmp_path_factory):
    """The page of one run and of two, both served."""
    with (
        served(collection(made, "first"), tmp_path_factory.mktemp("copies")) as one,
        served(collection(made, "first", "second"), tmp_path_factory.mktemp("copies")) as two,
    ):
        yield [f"http://127.0.0.1:{port}/secret/" for port in (one, two)]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, addresses):
    """Opens the page and waits for its video; fails on any message or request to elsewhere."""
    contexts, heard = [], []

    def open_page(networks=1, width=1280, address="", **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        address = address or addresses[networks - 1]
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: foreign(asked.url, address) and heard.append(asked.url))
        page.goto(address)
        ready(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def foreign(url, address):
    """True for a request for anything but the page and its videos."""
    return not url.startswith((address.removesuffix("index.html"), "data:"))


def until(page, condition):
    """Wait until an expression is true. The policy of the page forbids playwright's own way."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def ready(page):
    """Wait until the first frame of the video is there."""
    until(page, "player.readyState >= 2")


def time_of(page):
    return page.evaluate("player.currentTime")


def cursor_of(page):
    """The place of the cursor on the timeline, in seconds."""
    return CLIPS * page.evaluate(
        """() => { const box = at("scrub").getBoundingClientRect();
        return (at("cursor").getBoundingClientRect().x + 1 - box.x) / box.width }"""
    )


def names(page):
    return page.locator("#list .name").all_inner_texts()


def click_second(page, second):
    box = page.locator("#scrub").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (second + 0.6) / CLIPS, box["y"] + 20)


def settled(page):
    """Wait until a jump has ended."""
    until(page, "!player.seeking")
    until(page, "Math.abs(parseFloat(scrub.ariaValueNow) - player.currentTime) < 0.06")


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


# Two networks


def test_two_networks_on_one_video(opened):
    page = opened(2)
    assert page.locator("#timeline .bars").count() == 4
    assert page.locator("#timeline .network").all_inner_texts() == ["first seed 0", "second seed 0"]
    assert page.locator("#verdict .wrong").count() == 1
    assert page.locator("#verdict .right").count() == 1
    compare = page.get_by_label("The two networks")
    for value, expected in (("same", [3, 4]), ("different", [0, 1, 2, 5]), ("first", [2, 5]),
                            ("second", [0, 1])):  # fmt: skip
        compare.select_option(value)
        assert names(page) == [f"s{n}" for n in expected]


def test_bars_have_one_scale(opened):
    page = opened(2)
    heights = page.evaluate("""Array.from(document.querySelectorAll(".fill"), one =>
        one.getBoundingClientRect().height)""")
    scores = page.evaluate("DATA.videos[0].findings.flatMap(found => found.attention.flat())")
    np.testing.assert_allclose(np.array(heights) / max(heights), np.array(scores) / max(scores),
                               atol=0.02)  # fmt: skip


def test_parts_of_a_recording(opened, made, tmp_path):
    shown = predicted_videos(parts_file(tmp_path / "parts.json", made), 1)
    with served(shown, tmp_path) as port:
        page = opened(address=f"http://127.0.0.1:{port}/secret/")
        assert page.locator("#timeline .part").count() == 2
        assert page.locator("#verdict").inner_text() == "2 parts of 3 seconds have a label."
        page.locator(".part-list button").nth(1).click()
        settled(page)
        assert time_of(page) == pytest.approx(1, abs=1e-3)
        assert page.locator("#now").inner_text() == f"1.0 s: {SCRIPT} 90.0 %"
        page.get_by_label("Predicted").select_option("a")
        assert len(names(page)) == 1
        page.get_by_label("Predicted").select_option("")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Next").click()
        assert page.locator("#verdict").inner_text().startswith("0 parts")
        page.close()


# Hostile names, other networks, small screens


def test_hostile_names_are_text(opened):
    page = opened(2)
    assert page.locator("[onerror], main script, img").count() == 0
    assert page.locator("body > script").count() == 2
    page.keyboard.press("n")
    text = page.inner_text("body")
    assert SCRIPT in text
    assert IMAGE in text
    assert page.get_by_label("Class", exact=True).locator("option").all_inner_texts() == [
        "all", *sorted(CLASSES),
    ]  # fmt: skip


def test_policy_blocks_scripts_and_requests(browser, addresses):
    page = browser.new_page()
    page.goto(addresses[0])
    page.evaluate(
        """() => new Promise(done => {
            window.refused = new Set();
            document.addEventListener("securitypolicyviolation", event => {
                refused.add(event.effectiveDirective);
                if (refused.size === 4) done();
            });
            document.body.insertAdjacentHTML("beforeend",
                '<img src="https://example.org/x.png"><video src="https://example.org/x.mp4">' +
                '<p onclick="window.ran = 1" id="trap">x</p>');
            at("trap").click();
            fetch("/secret/media/0").catch(() => {});
        })"""
    )
    assert page.evaluate("[...refused].sort()") == [
        "connect-src", "img-src", "media-src", "script-src-attr",
    ]  # fmt: skip
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_not_wider_than_the_window(opened, width):
    page = opened(2, width)
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.keyboard.press("n")
    click_second(page, 2)
    settled(page)
    assert time_of(page) == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize(("width", "colours"), [(390, "dark"), (1280, "light")])
def test_accessibility(opened, width, colours):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(opened(2, width, color_scheme=colours))
    assert found.violations_count == 0, found.generate_report()


def test_written_folder_works_without_a_server(opened, made, tmp_path):
    write_folder(collection(made, "first"), tmp_path / "page")
    page = opened(address=(tmp_path / "page/index.html").as_uri())
    click_second(page, 1)
    settled(page)
    page.keyboard.press("Space")
    until(page, "player.currentTime > 1.3")
    page.locator("#list button").nth(5).click()
    ready(page)
