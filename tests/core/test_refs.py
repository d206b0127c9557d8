"""References: what is one, what is text, and what a value becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.address import Address
from osform.core.refs import BadRef, EnvRef, OutputRef, Ref, VarRef, escaped, parse, references, resolve
from osform.core.values import Secret, Unknown
from tests.trees import TEXTS, trees

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
REFS = (
    st.builds(VarRef, NAMES)
    | st.builds(EnvRef, NAMES)
    | st.builds(
        OutputRef,
        st.builds(
            Address,
            st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True),
        ),
        NAMES,
    )
)
PLAIN = TEXTS.filter(lambda text: "$" not in text and "{" not in text)


def nothing(ref: Ref) -> Any:
    raise AssertionError(f"nobody refers to anything here, but {ref} was looked up")


@given(trees(PLAIN))
def test_a_tree_without_a_dollar_is_its_own_resolution(tree: Any) -> None:
    assert resolve(tree, nothing) == tree
    assert not list(references(tree))


@given(trees(TEXTS | st.text("${}a.", max_size=8), st.just("key")))
def test_escaping_is_undone_by_resolving_whatever_the_text(tree: Any) -> None:
    assert resolve(escaped(tree), nothing) == tree
    assert not list(references(escaped(tree)))


@given(REFS)
def test_a_reference_is_read_as_it_is_written(ref: Ref) -> None:
    assert parse(str(ref)) == [ref]


@given(st.lists(REFS | PLAIN.filter(bool), max_size=5))
def test_references_and_the_text_between_them_come_apart_in_order(pieces: list[Any]) -> None:
    read = parse("".join(map(str, pieces)))
    assert [piece for piece in read if not isinstance(piece, str)] == [p for p in pieces if not isinstance(p, str)]
    assert "".join(map(str, read)) == "".join(map(str, pieces))


@given(st.text("${}var./x_- \n", max_size=20))
def test_any_text_is_plain_or_a_reference_or_a_mistake_with_words(text: str) -> None:
    for piece in parse(text):
        assert not isinstance(piece, BadRef) or "expected ${var.NAME}" in piece.message


@given(REFS, trees())
def test_a_value_that_is_one_reference_keeps_the_type_of_what_it_refers_to(ref: Ref, value: Any) -> None:
    assert resolve({"a": [str(ref)]}, lambda _: value) == {"a": [value]}


@pytest.mark.parametrize(("value", "text"), [(3, "n: 3"), (0.5, "n: 0.5"), (True, "n: true"), ("x", "n: x")])
def test_inside_text_a_value_becomes_text_as_json_writes_it(value: Any, text: str) -> None:
    assert resolve("n: ${var.x}", lambda _: value) == text


@given(PLAIN.filter(bool), REFS)
def test_text_around_something_unknown_is_unknown_as_a_whole(text: str, ref: Ref) -> None:
    assert resolve(text + str(ref), lambda _: Unknown("later")) == Unknown(text + str(ref))


def test_text_around_a_secret_is_a_secret_that_knows_its_parts() -> None:
    found = resolve("Bearer ${env.KEY}", lambda _: Secret("${env.KEY}", "f1", "s3cret"))
    assert found == Secret("Bearer ${env.KEY}", "f1", "Bearer s3cret")
    assert found.parts == ("s3cret",)


def test_what_belongs_to_the_server_passes_through() -> None:
    passed = frozenset({"parameters"})
    text = '{"input": "${parameters.prompt}", "n": ${var.n}}'
    assert resolve(text, lambda _: 1, passed) == '{"input": "${parameters.prompt}", "n": 1}'
    assert [type(ref) for _, ref in references(text)] == [BadRef, VarRef]


def test_a_reference_in_a_key_is_a_mistake_at_that_key() -> None:
    ((path, ref),) = references({"a": {"${var.x}": 1}})
    assert path == ("a", "${var.x}")
    assert isinstance(ref, BadRef)
