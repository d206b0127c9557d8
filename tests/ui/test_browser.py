"""The page in a real Chromium: typed into, dropped on, filtered, copied from, and attacked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving import Quiet, listening
from tests.ui.browser import DROP, Windows, launched
from tests.ui.conftest import Serve, Served, png
from tests.ui.opensearch import EVIL, OpenSearch

pytestmark = pytest.mark.xdist_group("browser")
IMAGE = """(address) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done("seen");
  image.onerror = () => done("refused");
  image.src = address;
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with launched() as browser:
        yield browser


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Windows whose pages must not complain."""
    windows = Windows(browser)
    yield windows
    windows.close()
    assert windows.complaints == []


def searched(page: Page, served: Served, text: str = "cat") -> Page:
    """Type a text, and press Enter."""
    page.goto(served.url)
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#hybrid .hit")).to_have_count(3)
    return page


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.closest('.column,form').id + ' ' + document.activeElement.innerText")
    )


def test_a_text_is_typed_and_found_in_three_columns_with_pictures(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve())
    assert [page.locator(f"#{mode} .hit").count() for mode in ("lexical", "semantic", "hybrid")] == [3, 3, 3]
    assert page.locator("summary img").count() == 6
    for each in page.locator("summary img").all():
        each.scroll_into_view_if_needed()
        expect(each).to_have_js_property("naturalWidth", 64)
    assert page.locator("#lexical .score").first.inner_text() == "1.0000"


def test_keys_go_through_what_was_found_and_back(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve())
    page.keyboard.press("/")
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
        seen.append(focused(page).split()[0])
    assert seen == ["lexical", "lexical", "semantic", "semantic", "semantic"]
    expect(page.locator("#semantic .hit[open] pre")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "q"


def test_what_would_be_a_script_is_shown_as_text(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve(), EVIL)
    assert page.locator(".text", has_text="<script>").first.inner_text() == EVIL
    page.locator("#lexical .hit summary").nth(2).click()
    expect(page.locator("#lexical .hit[open] pre")).to_contain_text("onerror")
    assert page.title() == f"{EVIL} - osform"
    assert page.locator("main script, .hit b:not(.score), img[onerror]").count() == 0


def test_a_filter_is_set_and_taken_away(serve: Serve, windows: Windows) -> None:
    served = serve()
    page = searched(windows.page(), served)
    page.select_option("select[name=ff]", "place")
    page.fill("input[name=fv]", "home")
    page.keyboard.press("Enter")
    expect(page.locator(".hit")).to_have_count(3)
    assert page.locator(".chip").inner_text().startswith("place=home")
    assert all("{'term': {'place': 'home'}}" in str(each) for each in served.opensearch.searches[3:])
    page.locator(".chip a").click()
    expect(page.locator(".hit")).to_have_count(9)


def test_the_request_is_copied_as_it_was_sent(serve: Serve, windows: Windows) -> None:
    served = serve()
    page = searched(windows.page(permissions=["clipboard-read", "clipboard-write"]), served, 'a "cat" & <b>')
    page.locator("#semantic .request > summary").click()
    page.locator("#semantic .copy").first.click()
    expect(page.locator("#said")).to_have_text("copied")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert "neural" in copied["query"]
    assert copied in served.opensearch.searches


def test_a_picture_is_dropped(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve())
    page.evaluate(DROP, [base64.b64encode(png(9, 9, 9)).decode(), "body"])
    page.wait_for_url("**/?*picture=*")
    assert "q=cat" in page.url
    expect(page.locator("#asked img")).to_have_js_property("naturalWidth", 64)


def test_200_mb_are_refused_with_and_without_scripts(serve: Serve, windows: Windows, tmp_path: Path) -> None:
    with (tmp_path / "big.png").open("wb") as file:
        file.write(png(1, 1, 1))
        file.truncate(200 * 2**20)
    served = serve()
    page = windows.page()
    page.goto(served.url)
    page.set_input_files("#file", tmp_path / "big.png")
    expect(page.locator("#said")).to_contain_text("at most 20 MB")
    assert page.url == served.url
    plain = windows.page(java_script_enabled=False)
    plain.goto(served.url)
    plain.set_input_files("#file", tmp_path / "big.png")
    plain.click("#send")
    expect(plain.locator(".problem")).to_contain_text("200 MB is too much: at most 20 MB are taken")


def test_everything_works_before_a_slow_script_has_come(serve: Serve, windows: Windows) -> None:
    page = windows.page()
    held = threading.Event()
    page.route("**/page.js", lambda route: held.is_set() and route.continue_())
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    page.goto(serve().url, wait_until="commit")
    page.locator("#q").press_sequentially("cat")
    page.keyboard.press("Enter")
    expect(page.locator(".hit")).to_have_count(9)
    page.locator("#lexical .hit summary").first.click()
    expect(page.locator("#lexical .hit[open] pre")).to_be_visible()


def test_everything_works_without_a_script(serve: Serve, windows: Windows) -> None:
    page = windows.page(java_script_enabled=False)
    served = serve()
    page.goto(served.url)
    page.fill("#q", "cat")
    page.select_option("select[name=ff]", "place")
    page.fill("input[name=fv]", "home")
    page.keyboard.press("Enter")
    expect(page.locator(".hit")).to_have_count(3)
    page.locator("#lexical .request > summary").click()
    expect(page.locator("#body-lexical")).to_be_visible()
    assert not page.locator("#lexical .copy").first.is_visible()
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png(3, 3, 3)})
    page.click("#send")
    expect(page.locator("#asked img")).to_be_visible()


def test_no_window_is_too_narrow(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve(), "cat " * 40)
    for name, address in (("search", page.url), ("stack", page.url.partition("?")[0] + "stack")):
        page.goto(address)
        for width in (320, 700, 1600):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_columns_stand_side_by_side_where_there_is_room(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve())
    tops = "new Set([...document.querySelectorAll('.column')].map((each) => each.getBoundingClientRect().top)).size"
    for width, rows in ((320, 3), (700, 2), (1600, 1)):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate(tops) == rows


def test_there_is_light_and_dark(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(color_scheme="light"), serve())
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) == "rgb(13, 17, 23)"


def test_the_state_is_visited_from_the_search(serve: Serve, windows: Windows) -> None:
    page = searched(windows.page(), serve())
    page.get_by_role("link", name="Stack").click()
    expect(page.locator("#nodes td").first).to_have_text("data-1")
    expect(page.locator(".problem")).to_contain_text("there is no stack here")


def test_words_alone_are_one_column_and_a_sentence(serve: Serve, windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{serve(OpenSearch(vectors=False)).url}?q=cat")
    expect(page.locator(".column")).to_have_count(1)
    expect(page.locator(".note").first).to_contain_text("searched by its words alone")


def test_a_name_that_stands_for_this_machine_gets_no_page(serve: Serve, windows: Windows) -> None:
    page = windows.page()
    answer = page.goto(serve().url.replace("127.0.0.1", "evil.example"))
    assert answer is not None
    assert answer.status == 421
    assert "is not called" in page.inner_text("body")


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another page's server, on this machine too."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

    with listening(Handler) as url:
        yield f"{url}/"


def test_another_page_can_neither_post_nor_read_nor_frame(serve: Serve, browser: Browser, elsewhere: str) -> None:
    served, windows = serve(), Windows(browser)
    page = windows.page()
    page.goto(elsewhere)
    assert page.evaluate(f"fetch('{served.url}').then(() => 'read', () => 'refused')") == "refused"
    assert page.evaluate(IMAGE, f"{served.url}picture/0/cat.png") == "refused"
    page.evaluate(f"document.body.innerHTML = '<form method=post action={served.url}picture><button></form>'")
    with page.expect_navigation() as moved:
        page.click("button")
    assert moved.value.status == 403
    windows.close()
