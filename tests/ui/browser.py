"""A headless Chromium that a test drives, and that complains of whatever a page complains of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from osform.ui import App, Server
from tests.ui import chromium

DROP = """([base64, target]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "dropped.png", {type: "image/png"}));
  for (const name of ["dragover", "drop"])
    document.querySelector(target).dispatchEvent(
      new DragEvent(name, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""
"""A script that drops a picture, given as base64, on what a selector finds."""


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser. ``evil.example`` stands for this machine in it, as a page on the web may bring about."""
    expect.set_options(timeout=30_000)  # the machine may be busy with clusters
    with sync_playwright() as play:
        path = chromium.obtain(play.chromium.executable_path)
        browser = play.chromium.launch(
            executable_path=path, args=["--host-resolver-rules=MAP evil.example 127.0.0.1", "--disable-gpu"]
        )
        yield browser
        browser.close()


@dataclass
class Windows:
    """Opens pages in windows of their own; ``complaints`` are what their consoles said."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)

    def page(self, **options: Any) -> Page:
        """A page in a fresh window; ``options`` are Playwright's of a context."""
        context = self.browser.new_context(**options)
        self.opened.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._said)
        return page

    def _said(self, message: Any) -> None:
        # A page that says what is wrong has a status that says so too, which the console repeats.
        if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close all windows."""
        for context in self.opened:
            context.close()


@contextmanager
def opened(url: str) -> Iterator[Page]:
    """A page in a browser of its own, which must not complain."""
    with launched() as browser:
        windows = Windows(browser)
        page = windows.page()
        page.goto(url)
        yield page
        windows.close()
    assert windows.complaints == []


@contextmanager
def serving(app: App) -> Iterator[str]:
    """The address of pages that are served for as long as the block runs."""
    with Server(app) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.url
        server.shutdown()
