"""Plans as Markdown and HTML: nothing that a user wrote gets out of its place, and the size is kept."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from osform.cli.plan_html import html
from osform.cli.plan_markdown import MOST_BYTES, markdown
from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.plan import Create, Delete, Effect, Plan, Update
from osform.core.values import Secret
from osform.errors import Place

HOSTILE = st.sampled_from([
    "```", "</details>", "<script>alert(1)</script>", "\n\n# heading", "|", "\\|", "[a](b)", "@somebody", "<!--", "`",
    "~~~", "<img src=x>", "**b**", "&lt;", "\r\n", "\u2028", "  ```\n", "![x](y)", "--", "https://example.org",
])  # fmt: skip
TEXTS = st.lists(HOSTILE | st.text(max_size=4), max_size=5).map("".join).filter(lambda text: "\ud800" not in text)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    name = Address("index", draw(TEXTS))
    found = (Difference((draw(TEXTS),), draw(TEXTS), draw(TEXTS), Place(draw(TEXTS), 3)),)
    notes = (draw(TEXTS),)
    change = Update(address=name, reason="changed", differences=found, notes=notes, effects=(Effect(name, name),))
    return Plan(draw(TEXTS), draw(TEXTS), (change,), warnings=(draw(TEXTS),))


@given(plans())
def test_no_text_of_a_user_means_anything_in_markdown(plan: Plan) -> None:
    plain = Plan("s", "e", (Update(address=Address("index", "a"), reason="changed", notes=("n",)),), warnings=("w",))
    assert _shape(markdown(plan)) == _shape(markdown(plain))


def _shape(text: str) -> list[Any]:
    """The blocks and elements of a Markdown text, its words apart."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    shape: list[Any] = [(each.type, each.tag) for each in tokens]
    inner = [(i.type, i.tag) for each in tokens for i in each.children or [] if i.type != "text"]
    return (
        shape + inner + re.findall("<[a-z/!]+", "".join(each.content for each in tokens if each.type == "html_block"))
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)


@given(plans())
def test_no_text_of_a_user_is_an_element_of_the_page(plan: Plan) -> None:
    tags = _Tags()
    tags.feed(html(plan))
    assert set(tags.seen) <= {
        "html", "head", "meta", "title", "style", "body", "h1", "span", "p", "br", "code", "details", "summary", "div",
        "table", "thead", "tr", "th", "tbody", "td",
    }  # fmt: skip
    assert tags.seen.count("details") == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 400), st.integers(1, 200))
def test_markdown_keeps_to_what_a_pull_request_takes(resources: int, values: int, length: int) -> None:
    found = tuple(Difference((f"key{n}",), "é" * length, "ü" * length) for n in range(values))
    many = tuple(
        Update(address=Address("index", f"i{n}"), reason="changed", differences=found) for n in range(resources)
    )
    text = markdown(Plan("s", "e", many[: 200_000 // max(1, values)]))
    assert len(text.encode()) <= MOST_BYTES
    assert text.count("<details>") == text.count("</details>")


def test_what_is_left_out_is_said() -> None:
    found = tuple(Difference((f"key{n}",), ABSENT, "x" * 90) for n in range(2000))
    text = markdown(Plan("s", "e", (Create(address=Address("index", "a"), reason="new", differences=found),) * 2))
    assert "more lines" in text
    assert "left out for want of room" in text


def test_a_deletion_and_a_creation_show_one_side_each() -> None:
    made = Create(address=Address("index", "a"), reason="new", differences=(Difference(("x",), ABSENT, 1),))
    gone = Delete(address=Address("index", "b"), reason="removed", differences=(Difference(("y",), 2, ABSENT),))
    text = markdown(Plan("s", "e", (made, gone)))
    assert "\n+ x: 1\n" in text
    assert "\n- y: 2\n" in text
    assert "(nothing)" not in text


def test_no_page_shows_a_secret() -> None:
    found = (Difference(("key",), ABSENT, Secret("${env.KEY}", "f1", "s3cret")),)
    plan = Plan("s", "e", (Create(address=Address("index", "a"), reason="new", differences=found),))
    for text in (markdown(plan), html(plan)):
        assert "s3cret" not in text
        assert "secret ${env.KEY} #f1" in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = html(Plan("s", "e", ()))
    assert not re.search(r"src=|href=|url\(|<script|<link", text)
    assert "prefers-color-scheme: dark" in text
