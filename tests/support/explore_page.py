"""The page of `mafnet explore` in a browser: opened, watched for requests, and asked."""

import time
from contextlib import contextmanager

from support.explored import CLIPS


@contextmanager
def pages(browser, addresses):
    """Opens pages and waits for their videos: `open_page(networks, width, address)`.

    At the end: AssertionError if there was any message or request to elsewhere. addresses: of the
    page of one network and of two.
    """
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
