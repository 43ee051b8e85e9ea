"""`mafnet explore` in a headless browser: two networks, recordings, hostile names, screens."""

import numpy as np
import pytest
from support.browser import needs_chromium
from support.explore_page import (
    click_second,
    names,
    pages,
    ready,
    settled,
    time_of,
    until,
)
from support.explored import (
    CLASSES,
    IMAGE,
    SCRIPT,
    both_served,
    collection,
    made_results,
    parts_file,
    served,
)

from mafnet.report.explore.predicted_videos import predicted_videos
from mafnet.report.explore.viewer_folder import write_folder

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
