"""Defaults that a file writes out, and values in other words: what the server doesn't show is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.diff import missing
from osform.core.request import Request
from osform.kinds import meaning
from osform.kinds.base import Live, Wanted


def wanted(**mapping: Any) -> dict[str, Wanted]:
    return {"i": Wanted({"mappings": mapping})}


def live(**mapping: Any) -> dict[str, Live]:
    return {"i": Live({"mappings": mapping}, {"index": "i-v1"})}


def lacking(asked: dict[str, Wanted], there: dict[str, Live], answers: Any = ()) -> list[str]:
    """What is still missing once the answers have been understood."""
    found = meaning.understood(answers, asked, there)["i"]
    return [".".join(map(str, each.path)) for each in missing(asked["i"].asked, found.whole)]


def told(**fields: Any) -> list[Any]:
    """What the server says of fields and their defaults."""
    said = {name.replace("__", "."): {"mapping": {name.rpartition("__")[2]: body}} for name, body in fields.items()}
    return [{"i-v1": {"mappings": said}}]


def test_nothing_is_asked_for_where_everything_is_shown_or_the_field_is_new() -> None:
    there = live(properties={"a": {"type": "keyword"}})
    for properties in ({"a": {"type": "keyword"}}, {"b": {"type": "keyword", "store": False}}):
        assert meaning.reads(wanted(properties=properties), there) == []


def test_the_fields_that_lack_something_are_asked_for_in_one_request() -> None:
    field = {"type": "keyword", "store": False, "fields": {"k": {"type": "text", "norms": True}}}
    shown = {"type": "keyword", "fields": {"k": {"type": "text"}}}
    (request,) = meaning.reads(wanted(properties={"a": field}), live(properties={"a": shown}))
    params = {"include_defaults": "true", "ignore_unavailable": "true"}
    assert request == Request("GET", "/i-v1/_mapping/field/a,a.k", params=params)


def test_of_many_fields_all_are_asked_for_and_of_many_indices_some_at_a_time() -> None:
    names = [f"i{number}" for number in range(500)]
    asked = {
        each: Wanted({"mappings": {"properties": {f"{each}-f": {"type": "long", "store": False}}}}) for each in names
    }
    there = {
        each: Live({"mappings": {"properties": {f"{each}-f": {"type": "long"}}}}, {"index": each}) for each in names
    }
    requests = meaning.reads(asked, there)
    assert len(requests) == 2
    assert all(each.path.endswith("/_mapping/field/*") and len(each.path) < 3000 for each in requests)


def test_a_default_that_is_written_out_is_there_where_the_server_says_so() -> None:
    asked = wanted(properties={"a": {"type": "keyword", "store": False, "doc_values": False}})
    answers = told(a={"type": "keyword", "store": False, "doc_values": True})
    assert lacking(asked, live(properties={"a": {"type": "keyword"}}), answers) == ["mappings.properties.a.doc_values"]


def test_a_field_inside_an_object_is_known_by_its_whole_name() -> None:
    asked = wanted(properties={"o": {"properties": {"a": {"type": "keyword", "store": False}}}})
    there = live(properties={"o": {"properties": {"a": {"type": "keyword"}}}})
    assert lacking(asked, there, told(o__a={"store": False})) == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"data_type": "byte"}, {"data_type": "BYTE"}),
        ({"null_value": "3"}, {"null_value": 3}),
        ({"coerce": "true"}, {"coerce": True}),
        ({"copy_to": "all"}, {"copy_to": ["all"]}),
        ({"copy_to": []}, {}),
    ],
)
def test_the_same_in_other_words_is_the_same(asked: Any, shown: Any) -> None:
    fields = {"a": {"type": "t", **asked}}, {"a": {"type": "t", **shown}}
    assert lacking(wanted(properties=fields[0]), live(properties=fields[1]), told(a={})) == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"null_value": "X"}, {"null_value": "x"}),
        ({"null_value": "3"}, {"null_value": 4}),
        ({"coerce": 1}, {"coerce": True}),
        ({"copy_to": "all"}, {"copy_to": ["all", "more"]}),
        ({"store": True}, {}),
    ],
)
def test_anything_else_is_not(asked: Any, shown: Any) -> None:
    fields = {"a": {"type": "t", **asked}}, {"a": {"type": "t", **shown}}
    found = lacking(wanted(properties=fields[0]), live(properties=fields[1]), told(a={"store": False}))
    assert found == [f"mappings.properties.a.{next(iter(asked))}"]


def test_what_no_request_tells_of_objects_and_of_the_mapping_is_known_by_its_silence() -> None:
    asked = wanted(
        _source={"enabled": True},
        _routing={"required": False},
        properties={"o": {"type": "object", "enabled": True}, "n": {"type": "nested", "include_in_root": False}},
    )
    there = live(properties={"o": {"type": "object"}, "n": {"type": "nested"}})
    assert meaning.reads(asked, there) == []
    assert lacking(asked, there) == []
    assert lacking(wanted(_source={"enabled": False}), there) == ["mappings._source.enabled"]


def test_an_object_with_fields_is_an_object() -> None:
    there = live(properties={"o": {"properties": {"a": {"type": "long"}}}, "n": {"type": "nested"}})
    assert lacking(wanted(properties={"o": {"type": "object"}}), there) == []
    assert lacking(wanted(properties={"n": {"type": "object"}}), there) == ["mappings.properties.n.type"]


def test_a_field_that_is_not_there_is_not_there() -> None:
    asked = wanted(properties={"o": {"properties": {"a": {"type": "keyword"}}, "enabled": True}})
    assert "mappings.properties.o.enabled" in lacking(asked, live(properties={}), told())
