"""Defaults that a mapping writes out: acknowledged by the server, and not given back by it."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.request import Request
from osform.files.writing import dump
from osform.flows.owning import Adoption
from osform.flows.stack import Stack
from tests.live.stacks import Files

PLAIN: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "fields": {"k": {"type": "keyword"}}},
    "word": {"type": "keyword"},
    "number": {"type": "integer"},
    "day": {"type": "date"},
    "yes": {"type": "boolean"},
    "object": {"properties": {"inner": {"type": "keyword"}}},
    "nested": {"type": "nested", "properties": {"inner": {"type": "long"}}},
    "place": {"type": "geo_point"},
    "raw": {"type": "binary"},
    "vector": {
        "type": "knn_vector",
        "dimension": 8,
        "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2"},
    },
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "text": {
        "store": False, "index": True, "norms": True, "index_options": "positions", "term_vector": "no",
        "fielddata": False, "analyzer": "default", "fields": {"k": {"type": "keyword", "doc_values": True}},
    },
    "word": {"store": False, "index": True, "doc_values": True, "ignore_above": 2147483647, "norms": False},
    "number": {"store": False, "index": True, "doc_values": True, "coerce": True, "ignore_malformed": False},
    "day": {"store": False, "format": "strict_date_optional_time||epoch_millis", "ignore_malformed": False},
    "yes": {"store": False, "index": True, "doc_values": True, "boost": 1},
    "object": {"enabled": True, "properties": {"inner": {"type": "keyword", "store": False, "copy_to": []}}},
    "nested": {"include_in_parent": False, "include_in_root": False},
    "place": {"ignore_malformed": False, "ignore_z_value": True, "doc_values": True},
    "raw": {"store": False, "doc_values": False},
    "vector": {"data_type": "float", "store": False},
}  # fmt: skip
# What is given back once it was written; crossed out, nothing tells whether it was the default.
SHOWN = ("coerce", "ignore_malformed", "ignore_z_value")
WRITTEN = {name: {**field, **DEFAULTS[name]} for name, field in PLAIN.items()}
WORDS: dict[str, dict[str, Any]] = {
    "all": {"type": "text"},
    "copied": {"type": "keyword", "copy_to": "all"},
    "number": {"type": "integer", "null_value": "3", "coerce": "false"},
    "vector": {**PLAIN["vector"], "data_type": "byte"},
}
EVERYTHING = Adoption(everything=True)
TOP = {"_source": {"enabled": True}, "_routing": {"required": False}, "date_detection": True}


def index(properties: Any, **mapping: Any) -> str:
    settings = {"index": {"knn": True, "number_of_replicas": 0}}
    return dump({"settings": settings, "mappings": {**mapping, "properties": properties}})


def physical(files: Files) -> list[str]:
    return list(files.cluster.send(Request("GET", f"/{files.name}/_alias")))


def test_an_index_with_its_defaults_written_out_is_made_and_stays(files: Files) -> None:
    files.write("index/NAME", index(WRITTEN, **TOP))
    files.apply()
    assert files.plan().empty


def test_what_the_server_says_in_other_words_is_what_was_asked(files: Files) -> None:
    files.write("index/NAME", index(WORDS))
    files.apply()
    assert files.plan().empty


def test_defaults_are_written_down_and_crossed_out_with_no_index_made_anew(files: Files) -> None:
    files.write("index/NAME", index(PLAIN))
    files.apply()
    files.cluster.send(Request("PUT", f"/{files.name}/_doc/1", {"word": "a"}, {"refresh": "true"}))
    hidden = {name: {key: each for key, each in field.items() if key not in SHOWN} for name, field in WRITTEN.items()}
    for text in (index(hidden, _source={"enabled": True}), index(PLAIN), index(WRITTEN, **TOP)):
        files.write("index/NAME", text)
        assert [(change.action, change.notes) for change in files.plan().changes] == [("update", ())]
        files.apply()
        assert files.plan().empty
        assert physical(files) == [f"{files.name}-v1"]


def test_what_is_live_exactly_as_asked_but_for_defaults_is_taken_over(files: Files) -> None:
    body = {"settings": {"index": {"knn": True, "number_of_replicas": 0}}, "mappings": {"properties": PLAIN}}
    files.cluster.send(Request("PUT", f"/{files.name}-v1", {**body, "aliases": {files.name: {}}}))
    files.write("index/NAME", index(WRITTEN, _source={"enabled": True}))
    (change,) = Stack.load(files.root).plan(files.cluster, adoption=EVERYTHING).changes
    assert (change.action, change.differences) == ("adopt", ())
    Stack.load(files.root).apply(files.cluster, adoption=EVERYTHING).check()
    assert files.plan().empty


@pytest.mark.parametrize("kind", ["component_template", "index_template"])
def test_a_template_with_defaults_written_out_is_made_and_stays(files: Files, kind: str) -> None:
    patterns = {"index_patterns": ["NAME-none-*"]} if kind == "index_template" else {}
    template = {"settings": {"index": {"knn": True}}, "mappings": {"properties": WRITTEN, **TOP}}
    files.write(f"{kind}/NAME", dump({**patterns, "template": template}))
    files.apply()
    assert files.plan().empty
