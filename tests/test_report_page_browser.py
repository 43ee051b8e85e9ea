"""The pages in a headless browser: their content and behaviour, also with hostile names."""

from dataclasses import replace

import numpy as np
import pytest
from support.browser import needs_chromium
from support.made_page import Results, write_sounds

from mafnet.report.page.content import page_content
from mafnet.report.page.render import write_page
from mafnet.video.media import Media
from mafnet.video.status import Status

pytestmark = needs_chromium

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>.mp4'
CLASSES = [SCRIPT, "dog {{ 7 * 7 }}", "' onmouseover='alert(1)"]
FIGURES = ("curves", "confusion", "timeline", "study-tried", "examples")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A report whose labels, files, errors and settings are hostile."""
    made = Results(tmp_path_factory.mktemp("page"), CLASSES, 12, videos={1: IMAGE}, clips=10)
    right, off = made.labels, (made.labels + 1) % 3
    for seed in (0, 1):
        made.run("main", seed, np.where(np.arange(12) < 2 + seed, off, right))
        made.run("worse", seed, np.where(np.arange(12) < 6, off, right))
        made.run("worst", seed, off)
    made.make_videos([0, 1])
    made.failed.append(Media("x.mp4", status=Status.DAMAGED, error="</style></script>" + SCRIPT))
    path = made.study("tried", ["worse", "main", "worst"], "main")
    sources = made.sources("main", [path], [made.figure(name, "text") for name in FIGURES])
    sources.settings["video"]["note"] = "</td>" + SCRIPT
    sources = replace(sources, sounds=write_sounds(made))
    output = made.home / "report.html"
    write_page(page_content(sources, output, workers=1), output)
    return output


@pytest.fixture
def opened(browser, page_file):
    """Opens the page: `opened(width=..., color_scheme=...)`; fails on any message or request."""
    contexts, heard = [], []

    def open_page(width=1280, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: heard.append(request.url) if foreign(request) else None)
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def foreign(request):
    """True for a request for anything outside the page."""
    return not request.url.startswith("data:") and not request.url.endswith("/report.html")


def column(page, table, number):
    """The shown texts of a table's column."""
    return page.locator(f"{table} tbody tr:visible > :nth-child({number})").all_inner_texts()


def test_opens_and_shows_every_figure_and_frame(opened):
    page = opened()
    assert page.title() == "main on made"
    widths = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
    assert len(widths) == len(FIGURES) + 2 * 10  # two videos of ten seconds
    assert min(widths) > 0
    for name in FIGURES:
        assert page.locator(f"#figure-{name} img").is_visible()
        assert len(page.locator(f"#figure-{name} figcaption").inner_text()) > 40


@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_not_wider_than_the_window(opened, width):
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_wide_figures_say_that_they_scroll(opened):
    said = """Array.from(document.querySelectorAll(".figure, .wide .scroll"), one =>
        [one.scrollWidth > one.clientWidth, getComputedStyle(one, "::before").content])"""
    found = opened(390).evaluate(said)
    assert len(found) == len(FIGURES) + 6  # and the cards
    assert all("scroll sideways" in hint for scrolls, hint in found if scrolls)
    assert any(scrolls for scrolls, _ in found)
    assert {hint for _, hint in opened(1280).evaluate(said)} == {"none"}


def test_seconds_of_cards_line_up(opened):
    """In each card alike, with frames or without."""
    starts = opened().evaluate("""Array.from(document.querySelectorAll(".scene"), card =>
        Array.from(card.querySelectorAll("thead th"), cell =>
            Math.round(cell.getBoundingClientRect().x - card.getBoundingClientRect().x)))""")
    assert len(starts) > 2
    assert len(starts[0]) == 10
    assert all(one == starts[0] for one in starts)


def test_metrics_need_no_scrolling_on_a_phone(opened):
    box = opened(390).get_by_role("group", name="Metrics", exact=True)
    assert box.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert box.evaluate("one => one.scrollHeight <= one.clientHeight")
    # Of the nine metrics, top-5 accuracy is undefined for so few classes.
    assert len(box.locator("td.num").all_inner_texts()) == 2 * 8


def test_tables_sort_as_numbers_by_mouse_and_keyboard(opened):
    page = opened()
    table = "#study-tried table"
    assert column(page, table, 1) == ["worse", "main", "worst"]
    heading = page.locator(f"{table} th", has_text="Accuracy")
    heading.locator("button").click()
    assert column(page, table, 1) == ["main", "worse", "worst"]
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert column(page, table, 1) == ["worst", "worse", "main"]
    assert heading.get_attribute("aria-sort") == "ascending"
    difference = page.locator(f"{table} th", has_text="To main")
    for names in (["worse", "worst", "main"], ["worst", "worse", "main"]):
        difference.locator("button").press("Space")
        assert column(page, table, 1) == names  # main has no difference to itself, so it is last
    assert heading.get_attribute("aria-sort") is None
    name = page.locator(f"{table} th", has_text="Variant")
    name.locator("button").click()
    assert column(page, table, 1) == ["main", "worse", "worst"]


def test_sample_names_sort_by_their_numbers(opened):
    page = opened()
    page.locator("#sample-table th", has_text="Sample").locator("button").click()
    assert column(page, "#sample-table", 1) == [f"s{number}" for number in range(12)]


def test_samples_are_filtered(opened):
    page = opened()
    assert page.locator("#filter-count").inner_text() == "12 of 12 shown"
    page.get_by_label("Outcome").select_option("wrong")
    assert sorted(column(page, "#sample-table", 1)) == ["s0", "s1"]
    page.get_by_label("Outcome").select_option("mixed")
    assert column(page, "#sample-table", 1) == ["s2"]
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Filter").fill("ONMOUSEOVER v11")
    assert column(page, "#sample-table", 1) == ["s11"]
    assert page.locator("#filter-count").inner_text() == "1 of 12 shown"
    page.get_by_label("Filter").fill("nothing like it")
    assert column(page, "#sample-table", 1) == []


def test_class_opens_by_its_link_and_by_keyboard(opened):
    page = opened()
    drilled = page.locator("#class-1")
    assert not drilled.is_visible()
    page.locator("#classes table").first.get_by_role("link", name="dog").click()
    assert drilled.is_visible()
    assert "s1" in drilled.inner_text()
    summary = page.locator("#classes .drill summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#class-0").is_visible()


def test_page_is_complete_without_its_script(opened):
    page = opened(java_script_enabled=False)
    assert len(column(page, "#sample-table", 1)) == 12
    assert not page.locator(".filter").is_visible()
    assert page.locator("th button").count() == 0
    page.locator("#classes table").first.get_by_role("link", name="dog").click()
    assert page.locator("#class-1").is_visible()


def test_hostile_names_are_shown_as_text(opened):
    page = opened()
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.locator("script").count() == 1
    assert page.locator("[onerror], [onmouseover], img:not([src^='data:'])").count() == 0
    text = page.inner_text("body")
    for name in (*CLASSES, IMAGE, "</style></script>" + SCRIPT, "</td>" + SCRIPT):
        assert name in text


def test_policy_blocks_scripts_and_images(browser, page_file):
    """A second protection in case a name is not escaped."""
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.evaluate(
        """() => new Promise(done => {
            window.refused = [];
            document.addEventListener("securitypolicyviolation", event => {
                window.refused.push(event.effectiveDirective);
                if (window.refused.length === 3) done();
            });
            const add = html => document.body.insertAdjacentHTML("beforeend", html);
            add('<img src="https://example.org/x.png">');
            add('<p onclick="window.ran = 1" id="trap">x</p>');
            document.getElementById("trap").click();
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            document.body.append(script);
        })"""
    )
    assert set(page.evaluate("window.refused")) == {
        "img-src", "script-src-attr", "script-src-elem",
    }  # fmt: skip
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_accessibility(opened, color_scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(width, color_scheme=color_scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
