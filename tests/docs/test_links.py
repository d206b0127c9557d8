"""Links lead somewhere, pictures are used, and everything is listed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.docs.markdown import DOCS, ROOT, anchors, links, text

PICTURES = sorted((ROOT / "docs" / "images").glob("*.svg"))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(text(str(path))):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(text(str(target))), link


def test_the_index_lists_every_page() -> None:
    listed = {name.partition("#")[0] for name in links(text("docs/index.md"))}
    assert {each.name for each in DOCS if each.parent.name == "docs"} - {"index.md"} <= listed


def test_every_picture_is_shown_somewhere() -> None:
    shown = {Path(link).name for each in DOCS for link in links(text(str(each)))}
    assert {each.name for each in (ROOT / "docs" / "images").iterdir()} <= shown


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_complete_in_itself(picture: Path) -> None:
    svg = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert set(re.findall(r"https?://[^\"' )]+", svg)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_tables_have_as_many_cells_in_each_row(path: Path) -> None:
    for table in re.findall(r"(?:^\|.*\|\n)+", text(str(path)), flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in table.splitlines()}
        assert len(cells) == 1, table
