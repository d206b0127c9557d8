"""Strict YAML: what is read, on which line it stands, and that nothing but a SpecError ever comes out."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import example, given
from hypothesis import strategies as st

from osform.core.values import leaves
from osform.errors import SpecError
from osform.files import yaml
from tests.trees import mappings, trees

# PyYAML writes as plain text what only YAML 1.2 reads as a number, 1e5 say; letters alone are text to both.
WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lo"]), max_size=8).filter(lambda text: text != "<<")
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | WORDS


def said(text: bytes | str) -> list[str]:
    """The mistakes that are found in a text."""
    with pytest.raises(SpecError) as raised:
        yaml.parse(text, "f")
    return [str(problem) for problem in raised.value.problems]


@given(trees(PLAIN, WORDS))
def test_what_pyyaml_writes_is_read_as_it_was(tree: Any) -> None:
    assert yaml.parse(pyyaml.dump(tree, Dumper=_Dumper, allow_unicode=True), "f").value == tree


@given(trees())
def test_json_is_yaml_and_is_read_as_it_was(tree: Any) -> None:
    assert yaml.parse(json.dumps(tree), "f").value == tree


@given(mappings(PLAIN, WORDS))
def test_the_line_of_a_value_is_the_line_that_holds_its_key(tree: Any) -> None:
    text = pyyaml.dump(tree, Dumper=_Dumper, allow_unicode=True, default_flow_style=False, width=2**31)
    document = yaml.parse(text, "f")
    for path, _ in leaves(tree):
        if path and isinstance(path[-1], str):
            line = text.split("\n")[document.lines[path] - 1]
            assert path[-1] in line or pyyaml.dump(path[-1]).split("\n")[0].strip("'\"") in line


@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea\x00:\x00")
def test_any_bytes_are_read_or_refused_with_words(data: bytes) -> None:
    _read_or_refused(data)


@given(st.text(max_size=60) | st.text("{}[]:,-#&*!|>'\"%@`?~<> \n\tab\\xuU0F.\ud800\x85\u2028\ufeff", max_size=40))
@example('a: "\\UFFFFFFFF"')
@example("%YAML " + "9" * 5000 + ".1\n---\na: 1")
@example("[" * 600)
@example("? [a]\n: b")
@example("- " * 600)
def test_any_text_is_read_or_refused_with_words(text: str) -> None:
    _read_or_refused(text)


def _read_or_refused(data: bytes | str) -> None:
    with suppress(SpecError):  # anything else is a traceback for the user
        json.dumps(yaml.parse(data, "f").value, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["no", "on", "2026-01-01", "0o17", "1_000", "12:30:45", "y", "0b1"])
def test_what_yaml_1_1_turned_into_something_else_stays_text(text: str) -> None:
    assert yaml.parse(f"a: {text}", "f").value == {"a": text}


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("0x1F", 31), ("1e3", 1000.0), ("true", True), ("~", None)])
def test_the_core_schema_has_numbers_truth_and_null(text: str, value: Any) -> None:
    assert yaml.parse(f"a: {text}", "f").value == {"a": value}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert yaml.parse("1: a\ntrue: b\nnull: c\n", "f").value == {"1": "a", "true": "b", "null": "c"}


def test_line_ends_and_a_byte_order_mark_of_windows_change_nothing() -> None:
    document = yaml.parse(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n", "f")
    assert (document.value, document.lines["b", "c"]) == ({"a": 1, "b": {"c": 2}}, 3)


@pytest.mark.parametrize("text", ["a:\n\tb: 1", "a: 1\n\tb: 2", "a:\n  - b\n\t- c\n", "a:\r\n\tb: 1\r\n"])
def test_a_tab_is_called_a_tab_on_its_own_line(text: str) -> None:
    line = next(n for n, each in enumerate(text.split("\n"), start=1) if "\t" in each)
    assert said(text) == [f"f:{line}: a tab, expected spaces; indent with spaces"]


def test_two_halves_of_a_character_are_joined_and_one_half_is_refused() -> None:
    assert yaml.parse('a: "\\ud83d\\ude00"', "f").value == {"a": "😀"}
    assert "half a character" in said('a: "\\ud83d"')[0]


def test_numbers_that_json_has_no_room_for_are_refused() -> None:
    assert len(said(f"a: 18446744073709551616\nb: .inf\nc: .nan\nd: 1e999\ne: {'9' * 6000}\n")) == 5


def test_mistakes_in_one_file_are_told_together() -> None:
    assert [each.split(":")[1] for each in said("a: 1\na: 2\nb: .inf\n<<: {c: 1}\n? [d]\n: 1\n")] == list("2345")


def test_what_is_too_long_or_too_deep_is_refused_before_it_hurts(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_bytes(b"a: " + b"x" * yaml.MOST_BYTES)
    with pytest.raises(SpecError, match="4,000,003 bytes, expected at most 4,000,000"):
        yaml.load(tmp_path / "long.yaml")
    assert "nested deeper than 100 levels" in said("[" * 150 + "]" * 150)[0]


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("pipe.yaml", "", "none.yaml"):
        with pytest.raises(SpecError, match=r"not a file|can't be read"):
            yaml.load(tmp_path / name)


class _Dumper(pyyaml.SafeDumper):
    """PyYAML's dumper without aliases, which osform refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


PIECES = [
    "a",
    "1",
    "\n",
    "  ",
    "- ",
    ": ",
    ":",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    " #",
    "#",
    "|",
    "|-",
    ">",
    "\\",
    "é",
    "😀",
    "...",
    "\ufe0f",
    ': "' + "- QUJD" * 500 + '"',
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@example("a: ># b\n")
@example("- - [{a: 'b', \"c\": d}]\n- |\n  e\n")
def test_the_fast_parser_reads_what_it_takes_as_the_slow_one_does(text: str) -> None:
    fast = yaml._composed_fast(text)
    if fast is not None:
        assert _tree(fast) == _tree(yaml._composed_slowly(text, "f"))


def _tree(node: Any) -> Any:
    if isinstance(node, tuple):
        return tuple(map(_tree, node))
    inner = [_tree(item) for item in node.value] if isinstance(node, pyyaml.CollectionNode) else node.value
    return node.tag, node.start_mark.line, inner


def test_nesting_without_end_is_refused_and_ends_nobody() -> None:
    assert "nested" in said("- " * 3_000)[0]
