"""Make docs/images/ui-*.png anew: the page over drawn pictures, in a headless Chromium.

    OSFORM_CLUSTER=http://127.0.0.1:9200 .venv/bin/python -m docs.make_screenshots

The cluster should be one that `make demo` has run on: the stack of this repository is applied in a copy, with drawn
pictures and what is true of them in its index `images` besides the photos; they are deleted again at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from examples.drawn import draw
from osform.cluster.client import Cluster
from osform.core.request import Request
from tests.ui import chromium

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
QUESTION = "a home at night"


def osform(folder: Path, *words: str) -> None:
    """Run a command in the copy of the stack."""
    subprocess.run([sys.executable, "-m", "osform", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def laid_out(folder: Path) -> list[str]:
    """Copy the stack, apply it and index drawn pictures; returns their ids."""
    for part in ("provision", "templates", "models"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "pictures").mkdir()
    rows = []
    for each in draw(60, 5):
        each.image.save(folder / "pictures" / each.name)
        row = {
            "id": f"drawn-{each.name}",
            "image": each.name,
            "image_description": each.truth.caption,
            "place": "drawn",
        }
        rows.append(row)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    osform(folder, "apply", "--yes")
    osform(folder, "ingest", "rows.jsonl", "--into", "images")
    return [row["id"] for row in rows]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The page, at its address."""
    command = [sys.executable, "-m", "osform", "ui", "--port", "0", "--index", "images", "--pictures", "pictures"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def shoot(page: Page, name: str, width: int, height: int) -> None:
    """One picture of the window."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png")
    click.echo(f"docs/images/{name}.png")


def shown(page: Page, url: str) -> None:
    """All pictures, one after the other."""
    page.goto(url)
    page.fill("#q", QUESTION)
    page.select_option("select[name=ff]", "place")
    page.fill("input[name=fv]", "drawn")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    page.reload()  # the first question after an apply is slow
    shoot(page, "ui-search", 1200, 760)
    page.emulate_media(color_scheme="dark")
    shoot(page, "ui-narrow", 390, 760)
    page.goto(f"{url}stack")
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("#nodes")
    shoot(page, "ui-stack", 1200, 760)


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(os.environ["OSFORM_CLUSTER"])
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as play:
        folder = Path(temporary)
        ids = laid_out(folder)
        browser = play.chromium.launch(executable_path=chromium.obtain(play.chromium.executable_path))
        with served(folder) as url:
            shown(browser.new_page(), url)
        browser.close()
        cluster.send(Request("POST", "/images/_delete_by_query", {"query": {"ids": {"values": ids}}}))
    cluster.close()


if __name__ == "__main__":
    main()
