"""Credentials that are told by their names, wherever in a connector they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.kinds.telling import Credential, pieces


def found(key: str, text: str) -> dict[str, str]:
    return {each.word: each.value for each in pieces(key, text) if isinstance(each, Credential)}


@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "apikey", "subscription-key", "access_token",
                                  "token", "sig", "X-Amz-Signature", "code", "client_secret", "password",
                                  "api%5Fkey"])  # fmt: skip
def test_a_parameter_of_an_address_is_told_by_its_name(name: str) -> None:
    assert list(found("url", f"https://h.example/e?v=1&{name}=a%2Bb%3D&w=2#top").values()) == ["a%2Bb%3D"]


@pytest.mark.parametrize("name", ["v", "max_tokens", "keyword", "config", "keys", "model", "monkeys", "barcode"])
def test_a_parameter_of_another_name_stays(name: str) -> None:
    assert pieces("url", f"https://h.example/e?{name}=abc") == [f"https://h.example/e?{name}=abc"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://ana:pw@h.example/e", {"user": "ana", "password": "pw"}),
        ("https://sk_live_1@h.example", {"user": "sk_live_1"}),
        ("https://sk_live_1:@h.example", {"user": "sk_live_1"}),
        ("https://ana:p@ss:w@h.example/a@b", {"user": "ana", "password": "p@ss:w"}),
        ("https://h.example/a@b?to=c@d", {}),
    ],
)
def test_who_logs_in_with_an_address_and_with_what_are_two(address: str, expected: dict[str, str]) -> None:
    assert found("url", address) == expected


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "X-Functions-Key", "Ocp-Apim-Subscription-Key",
                                  "Cookie", "X-Auth-Token", "key", "client_secret"])  # fmt: skip
def test_a_field_whose_name_tells_is_one_as_a_whole(name: str) -> None:
    assert pieces(name, "Bearer abc") == [Credential(name, "Bearer abc")]


@pytest.mark.parametrize("name", ["Accept", "max_tokens", "response_key", "model", "region", "Content-Type"])
def test_a_field_of_another_name_is_none(name: str) -> None:
    assert found(name, "application/json") == {}


def test_a_member_of_json_as_text_is_told_by_its_name() -> None:
    body = r'{"input": ${parameters.input}, "api_key" : "a\"b", "n": {"password": "c"}, "token": "${parameters.t}"}'
    assert found("request_body", body) == {"api_key": r"a\"b", "password": "c"}


def test_an_address_in_a_member_or_in_another_address_is_looked_at_too() -> None:
    assert found("request_body", '{"callback": "https://h/?sig=abc", "key": "title"}') == {"sig": "abc"}
    assert found("url", "https://h/?to=https://g/?token=abc&v=1") == {"token": "abc"}


@pytest.mark.parametrize(
    "text", ["https://h/?key=${parameters.key}&v=1", "https://${parameters.user}:${credential.p}@h/"]
)
def test_what_the_server_fills_in_is_none(text: str) -> None:
    assert pieces("url", text) == [text]


@given(st.sampled_from(["url", "key", "request_body"]), st.text(alphabet='k"ey=?&:/@\\${} {}', max_size=40))
def test_the_pieces_together_are_the_text(key: str, text: str) -> None:
    cut = pieces(key, text)
    assert "".join(each.value if isinstance(each, Credential) else each for each in cut) == text
