"""Secrets and unknowns: shown as what the file says, sent as what they are, and never the other way round."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.values import Secret, Unknown, concealed, leaves, redacted, revealed, scrubbed, secrets_in, veiled
from tests.trees import LEAVES, trees

KEY = Secret("${env.KEY}", "f1", 'pa"ss\\wörd')
BEARER = Secret("Bearer ${env.KEY}", "f1", 'Bearer pa"ss\\wörd', ('pa"ss\\wörd',))
WITH_SECRETS = trees(LEAVES | st.sampled_from([KEY, BEARER]))


@given(WITH_SECRETS)
def test_what_is_shown_has_no_secret_in_it(tree: Any) -> None:
    shown = json.dumps(concealed(tree), ensure_ascii=False)
    assert "ss\\\\wörd" not in shown
    assert "pa" not in repr(KEY)


@given(WITH_SECRETS)
def test_what_is_sent_has_the_secret_in_its_place_and_all_else_as_it_was(tree: Any) -> None:
    for (path, leaf), (path_sent, sent) in zip(leaves(tree), leaves(revealed(tree)), strict=True):
        assert path == path_sent
        assert sent == (leaf.value if isinstance(leaf, Secret) else leaf)


@given(WITH_SECRETS)
def test_a_read_back_is_recorded_without_what_was_secret_in_it(tree: Any) -> None:
    recorded = redacted(revealed(tree), secrets_in(tree))
    assert recorded == concealed(tree)


@pytest.mark.parametrize("value", ["secret", "env", "e", "*"])
def test_what_is_redacted_twice_is_as_it_was_redacted_once(value: str) -> None:
    secrets = (Secret("${env.KEY}", "f1", value),)
    once = redacted({"a": value, "b": f"a {value} in a text"}, secrets)
    assert redacted(once, secrets) == once
    assert once["a"] == str(secrets[0])


def test_an_unknown_can_not_be_sent() -> None:
    with pytest.raises(ValueError, match="not known yet"):
        revealed({"a": [Unknown("${model/m.model_id}")]})


@pytest.mark.parametrize("said", ["token Bearer {} refused", "no such key: {}", "in {}!"])
def test_a_message_that_repeats_a_part_of_a_secret_is_blotted(said: str) -> None:
    for form in (KEY.value, json.dumps(KEY.value)[1:-1], json.dumps(KEY.value, ensure_ascii=False)[1:-1]):
        told = scrubbed(said.format(form), (BEARER,))
        assert form not in told
        assert "(secret Bearer ${env.KEY})" in told


@given(st.text(), st.text(min_size=1))
def test_no_message_holds_a_secret_once_it_is_blotted_unless_its_own_name_does(text: str, value: str) -> None:
    told = scrubbed(text, (Secret("${env.X}", "f", value),))
    assert value not in told.replace("(secret ${env.X})", "") or value in "(secret ${env.X})"


IN_URL = Secret("https://h/?key=${env.KEY}&v=1", "f1", "https://h/?key=a%2Bb%3D&v=1", ("a%2Bb%3D",))


def test_a_text_with_a_part_of_a_secret_is_not_the_text_with_that_secret() -> None:
    moved = redacted("https://evil/?key=a%2Bb%3D&v=1", (IN_URL,))
    assert moved != redacted(IN_URL.value, (IN_URL,)) == str(IN_URL)
    assert "a%2Bb" not in moved
    assert "https://evil/" in moved
    assert "evil" not in veiled(moved, str(IN_URL)) != str(IN_URL)
    assert "old" not in veiled("https://evil/?key=old&v=1", moved)
    assert veiled(moved, moved) == moved


@pytest.mark.parametrize("form", ["a%2Bb%3D", "a+b=", "a%252Bb%253D", "a%2bb%3d"])
def test_a_secret_of_an_address_is_blotted_in_each_of_its_forms(form: str) -> None:
    assert form not in scrubbed(f"no such key: {form}", (IN_URL,))


def test_an_old_secret_that_is_still_live_is_not_shown() -> None:
    live = {"a": "old", "b": [{"c": "mine"}], "d": 1}
    remembered = {"a": "secret ${env.KEY} #f0", "b": [{"c": "secret ${env.KEY} #f0"}]}
    shown = veiled(live, remembered)
    assert "old" not in str(shown)
    assert "mine" not in str(shown)
    assert shown["d"] == 1


def test_a_secret_that_is_as_it_was_left_is_no_drift() -> None:
    recorded = {"a": str(KEY)}
    assert veiled(redacted({"a": KEY.value}, (KEY,)), recorded) == recorded
