"""Component and index templates, aliases and stored scripts: bodies in, requests out."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.address import Address
from osform.core.diff import differences
from osform.core.request import Request
from osform.core.values import Unknown
from osform.kinds import KINDS, alias, component_template, consistency, index_template, stored_script
from osform.kinds.base import Body, Context, Last, Live, Send, Wanted

ASKED_TEMPLATE: dict[str, Any] = {
    "settings": {"number_of_shards": 1, "index": {"knn": True}},
    "mappings": {"dynamic": False, "properties": {"a": {"type": "object", "properties": {"b": {"type": "long"}}}}},
    "aliases": {"all": None, "some": {"routing": 1, "filter": {"term": {"b": 1}}}},
}
# As OpenSearch 3.6.0 gives it back.
STORED_TEMPLATE = {
    "settings": {"index": {"number_of_shards": "1", "knn": "true"}},
    "mappings": {"dynamic": False, "properties": {"a": {"properties": {"b": {"type": "long"}}}}},
    "aliases": {"all": {}, "some": {"filter": {"term": {"b": 1}}, "index_routing": "1", "search_routing": "1"}},
}
CONTEXT = Context(indices=frozenset({"photos", "texts"}), versions={"texts": 2})
OVER: Body = {"indices": ["photos", {"index": "texts", "filter": {"term": {"a": 1}}, "routing": 7}, {"index": "logs"}]}
SEARCH: Body = {"script": {"lang": "mustache", "source": {"query": {"match": {"a": "{{q}}"}}, "x": "ü"}}}


def said(kind: str, body: Any, name: str = "n") -> list[str]:
    found = KINDS[kind].check(name, body, Context())
    return [f"{'.'.join(map(str, finding.path))}: {finding.message}; {finding.hint}" for finding in found]


# --- templates


@pytest.mark.parametrize(
    ("kind", "more"), [("component_template", {}), ("index_template", {"index_patterns": ["a-*"]})]
)
def test_a_template_that_is_stored_as_asked_does_not_differ(kind: str, more: dict[str, Any]) -> None:
    asked = KINDS[kind].expand("n", {"template": ASKED_TEMPLATE, "version": 2, **more}, Context())
    answer = {f"{kind}s": [{"name": "n", kind: {"template": STORED_TEMPLATE, "version": 2, **more}}]}
    live = KINDS[kind].found([answer], {"n": Wanted(asked), "other": Wanted({})})
    assert list(live) == ["n"]
    assert differences(live["n"].body, asked) == ()


def test_a_template_is_put_whole_and_deleted_by_name() -> None:
    for kind in (component_template, index_template):
        put = [Send(Request("PUT", f"{kind.BASE}/n", {"version": 1}))]
        assert kind.create("n", {"version": 1}, {}) == put
        assert kind.update("n", {"version": 1}, Live({"version": 2}), Last()) == put
        delete = [Send(Request("DELETE", f"{kind.BASE}/n"))]
        assert kind.delete("n", Live({})) == delete


def test_an_index_template_may_have_one_pattern_and_nothing_else() -> None:
    assert index_template.expand("n", {"index_patterns": "a-*"}, Context()) == {"index_patterns": ["a-*"]}
    assert said("index_template", {"index_patterns": "a-*"}) == []


def test_an_index_template_needs_its_components_and_pipelines() -> None:
    body = {"composed_of": ["base"], "template": {"settings": {"index": {"default_pipeline": "clean"}}}}
    assert list(map(str, index_template.needs(body))) == ["component_template/base", "ingest_pipeline/clean"]
    assert list(index_template.needs({"composed_of": 5, "template": []})) == []


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("component_template", {}, "'template' is missing"),
        ("component_template", {"template": {"setting": {}}}, "template.setting: unknown key in a template"),
        ("component_template", {"template": {"settings": {"a": None}}}, "template.settings.a: nothing"),
        ("component_template", {"template": {"aliases": {"a": 5}}}, "template.aliases.a: a whole number (5)"),
        ("component_template", {"template": {"aliases": {"a": {"filer": 1}}}}, "did you mean filter?"),
        ("component_template", {"template": {"mappings": {"propertis": {}}}}, "template.mappings.propertis: unknown"),
        ("index_template", {}, "'index_patterns' is missing"),
        ("index_template", {"index_patterns": []}, "no pattern in it"),
        ("index_template", {"index_patterns": [5]}, "index_patterns.0: a whole number (5), expected text"),
        ("index_template", {"index_patterns": ["a"], "data_stream": {}}, "data streams are not managed"),
        ("index_template", {"index_patterns": ["a"], "template": {"settings": 5}}, "template.settings: a whole number"),
    ],
)
def test_what_is_wrong_with_a_template_is_found(kind: str, body: Any, words: str) -> None:
    (finding,) = said(kind, body)
    assert words in finding


# --- aliases


def test_an_alias_over_index_resources_is_put_on_the_physical_indices_behind_them() -> None:
    some = {"filter": {"term": {"a": 1}}, "index_routing": "7", "search_routing": "7"}
    assert alias.expand("all", OVER, CONTEXT) == {"indices": {"photos-v1": {}, "texts-v2": some, "logs": {}}}
    assert [str(need) for need in alias.needs(OVER)] == ["index/photos", "index/texts", "index/logs"]


def test_an_alias_moves_in_one_request() -> None:
    live = Live({"indices": {"a-v1": {}, "b-v1": {}}})
    asked: Body = {"indices": {"b-v1": {"is_write_index": True}, "c-v1": {}}}
    actions = [
        {"add": {"index": "b-v1", "alias": "all", "is_write_index": True}},
        {"add": {"index": "c-v1", "alias": "all"}},
        {"remove": {"index": "a-v1", "alias": "all"}},
    ]
    assert alias.update("all", asked, live, Last()) == [Send(Request("POST", "/_aliases", {"actions": actions}))]
    assert alias.create("all", asked, {}) == [Send(Request("POST", "/_aliases", {"actions": actions[:2]}))]


def test_an_alias_is_found_on_all_its_indices_and_taken_off_all_of_them() -> None:
    answer = {"a-v1": {"aliases": {"all": {}}}, "b-v1": {"aliases": {"all": {"is_hidden": True}, "b": {}}}, "c": {}}
    live = alias.found([answer], {"all": Wanted({}), "none": Wanted({})})
    assert live == {"all": Live({"indices": {"a-v1": {}, "b-v1": {"is_hidden": True}}})}
    (step,) = alias.delete("all", live["all"])
    assert isinstance(step, Send)
    assert step.request.body["actions"] == [{"remove": {"index": i, "alias": "all"}} for i in ("a-v1", "b-v1")]


def test_an_index_that_has_the_name_of_an_alias_is_in_its_way() -> None:
    live = alias.found([{"all": {"aliases": {}}}], {"all": Wanted({})})["all"]
    assert alias.refusal((), live) == "'all' is the name of an index on the cluster"
    assert alias.delete("all", live) == []


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        (None, "nothing, expected a list"),
        ([], "no index in it"),
        (["a", {"index": "a"}], "indices.1: a is there already"),
        (["n"], "'n' is the alias itself"),
        (["logs-*"], "a pattern would be looked up once"),
        ([5], "indices.0: a whole number (5), expected text or a mapping"),
        ([{"filter": {}}], "'index' is missing"),
        ([{"index": 5}], "indices.0.index: a whole number (5), expected text"),
        ([{"index": "a", "is_write_index": "yes"}], "expected true or false"),
        ([{"index": "a", "write": True}], "unknown key of an alias"),
        ([{"index": i, "is_write_index": True} for i in "ab"], "2 indices to write to"),
        (["a", {"index": "b", "is_hidden": True}], "hidden on some indices and not on others"),
    ],
)
def test_what_is_wrong_with_an_alias_is_found(indices: Any, words: str) -> None:
    (finding,) = said("alias", {"indices": indices})
    assert words in finding


def clashes(*addresses: str, **bodies: Body) -> list[str]:
    all_bodies: dict[Address, Body] = {Address.parse(address): bodies.get(address, {}) for address in addresses}
    return [f"{address}: {finding.message}" for address, finding in consistency.check(all_bodies, {})]


def test_an_alias_cannot_be_called_like_an_index_resource_or_what_is_behind_it() -> None:
    assert clashes("index/images", "alias/images") == ["alias/images: index/images is an alias of this name itself"]
    assert clashes("index/images", "alias/images-v2") == [
        "alias/images-v2: 'images-v2' is a name that osform gives to a version of index/images"
    ]


def test_an_alias_is_said_in_one_place() -> None:
    bodies: dict[Address, Body] = {
        Address("index", "a"): {"aliases": {"all": {}}},
        Address("alias", "all"): {"indices": ["a"]},
    }
    ((address, finding),) = consistency.check(bodies, {})
    assert (str(address), finding.path) == ("index/a", ("aliases", "all"))


# --- stored scripts


def test_a_script_is_stored_as_text_and_found_as_it_was_asked() -> None:
    asked = stored_script.expand("n", SEARCH, Context())
    assert asked["script"]["source"] == '{"query":{"match":{"a":"{{q}}"}},"x":"ü"}'
    stored = {**asked["script"], "options": {"content_type": "application/json; charset=UTF-8"}}
    live = stored_script.found([{"metadata": {"stored_scripts": {"n": stored, "m": {}}}}], {"n": Wanted(asked)})
    assert live == {"n": Live(asked)}
    assert stored_script.found([{}], {"n": Wanted(asked)}) == {}


def test_a_script_is_put_and_deleted_by_name() -> None:
    put = [Send(Request("PUT", "/_scripts/n", SEARCH))]
    assert stored_script.create("n", SEARCH, {}) == stored_script.update("n", SEARCH, Live({}), Last()) == put
    assert stored_script.delete("n", Live({})) == [Send(Request("DELETE", "/_scripts/n"))]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "'script' is missing"),
        ({"script": {"lang": "painless"}}, "'source' is missing"),
        ({"script": {"lang": "painless", "source": 5}}, "expected text or a mapping"),
        ({"script": {"lang": "m", "source": {"a": Unknown("${model/m.model_id}")}}}, "write the whole source as text"),
    ],
)
def test_what_is_wrong_with_a_script_is_found(body: Any, words: str) -> None:
    (finding,) = said("stored_script", body)
    assert words in finding
