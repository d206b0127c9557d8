"""Indices as values: an alias, a physical index behind it, and what can be changed in place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.diff import ABSENT, Difference, differences
from osform.core.loading import LoadNote, note_of
from osform.core.request import Request
from osform.kinds import index, mappings
from osform.kinds.base import Context, Finding, Last, Live, Send, Wanted
from tests.trees import trees

BODY: dict[str, Any] = {
    "settings": {"index": {"knn": True, "number_of_replicas": 1, "default_pipeline": "describe"}},
    "mappings": {"properties": {"text": {"type": "text"}, "v": {"type": "knn_vector", "dimension": 4}}},
}
CONTEXT = Context(copies={"describe": ("describe-v1",)})
SETTINGS = {"index.knn": "true", "index.number_of_replicas": "1", "index.default_pipeline": "describe-v1"}
ASKED = {"index": "images-v1", "alias": "images", "settings": SETTINGS, "mappings": BODY["mappings"]}
STORED = {
    "images-v1": {
        "aliases": {"images": {}},
        "settings": {**SETTINGS, "index.uuid": "u", "index.creation_date": "1", "index.version.created": "3"},
        "mappings": BODY["mappings"],
    }
}
LIVE = Live(ASKED, {"index": "images-v1"})
FIELDS = st.dictionaries(
    st.sampled_from(["a", "b", "properties", "type"]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "object", "keyword"])},
        optional={"dynamic": st.booleans() | st.sampled_from(["strict", "false", True]), "properties": st.just({})},
    ),
)


def said(body: Any, name: str = "images") -> list[Finding]:
    return list(index.check(name, body, Context()))


def test_a_body_becomes_the_physical_index_with_flat_settings_and_its_own_copy_of_the_pipeline() -> None:
    assert index.expand("images", BODY, CONTEXT) == ASKED


def test_a_field_with_a_dot_in_its_name_is_one_inside_an_object() -> None:
    fields = {"a.b.c": {"type": "text"}, "a": {"properties": {"b.d": {"type": "long"}}}, "e": {"type": "date"}}
    b = {"properties": {"c": {"type": "text"}, "d": {"type": "long"}}}
    expanded = index.expand("images", {"mappings": {"properties": fields}}, Context())
    assert expanded["mappings"] == {"properties": {"a": {"properties": {"b": b}}, "e": {"type": "date"}}}


@pytest.mark.parametrize("name", [".", "a.", ".a", ""])
def test_a_name_that_no_field_can_have_stays_for_the_server_to_refuse(name: str) -> None:
    mapping = {"properties": {name: {"type": "text"}}}
    assert mappings.unfolded(mapping) == mapping


def test_where_objects_are_disabled_a_dot_is_a_letter() -> None:
    mapping = {"properties": {"o": {"disable_objects": True, "properties": {"a.b": {"type": "text"}}}}}
    assert mappings.unfolded(mapping) == mapping


def test_the_second_physical_index_has_the_second_copy() -> None:
    context = Context(copies={"describe": ("describe-v1", "describe-v2")}, versions={"images": 2})
    expanded = index.expand("images", BODY, context)
    assert (expanded["index"], expanded["settings"]["index.default_pipeline"]) == ("images-v2", "describe-v2")


def test_a_final_pipeline_that_has_copies_for_other_indices_alone_is_named_plainly() -> None:
    body = {"settings": {"final_pipeline": "describe"}}
    expanded = index.expand("images", body, Context(copies={"describe": ("describe-v2",)}))
    assert expanded["settings"] == {"index.final_pipeline": "describe"}


def test_index_and_alias_are_made_in_one_request() -> None:
    body = {"aliases": {"images": {}}, "settings": SETTINGS, "mappings": BODY["mappings"]}
    assert index.create("images", ASKED, {}) == [Send(Request("PUT", "/images-v1", body))]


def test_what_is_stored_is_found_behind_its_alias_without_what_changes_by_itself() -> None:
    for want in (Wanted(ASKED), Wanted({}), Wanted({}, {}, {"index": "images-v1"})):
        assert index.found([STORED], {"images": want}) == {"images": LIVE}


def test_an_index_under_the_plain_name_is_found_as_it_is() -> None:
    found = index.found([{"images": STORED["images-v1"] | {"aliases": {}}}], {"images": Wanted(ASKED)})
    assert found["images"].ids == {"index": "images"}
    assert "alias" not in found["images"].body


def test_names_beyond_what_a_request_line_holds_are_read_in_several() -> None:
    requests = index.reads({f"{'i' * 200}{n}": Wanted({}) for n in range(40)})
    assert len(requests) > 1
    assert all(len(request.path) < 3500 for request in requests)


def test_only_what_differs_is_sent() -> None:
    live = Live({**ASKED, "settings": {**SETTINGS, "index.number_of_replicas": "0"}}, LIVE.ids)
    assert index.update("images", ASKED, live, Last(ASKED, live.body)) == [
        Send(Request("PUT", "/images-v1/_settings", {"index.number_of_replicas": "1"}))
    ]
    assert index.update("images", ASKED, LIVE, Last(ASKED, ASKED)) == []


def test_a_setting_that_is_no_longer_asked_goes_back_to_the_server_s_default() -> None:
    before = {**ASKED, "settings": {**SETTINGS, "index.refresh_interval": "5s"}}
    assert index.update("images", ASKED, Live(before, LIVE.ids), Last(before, before)) == [
        Send(Request("PUT", "/images-v1/_settings", {"index.refresh_interval": None}))
    ]


def test_a_setting_that_somebody_made_is_taken_away_and_one_that_was_there_is_put_back() -> None:
    recorded = {**ASKED, "settings": {**SETTINGS, "index.a": "1"}}
    live = Live({**ASKED, "settings": {**SETTINGS, "index.a": "2", "index.b": "3"}}, LIVE.ids)
    (step,) = index.update("images", ASKED, live, Last(ASKED, recorded))
    assert isinstance(step, Send)
    assert step.request.body == {"index.a": "1", "index.b": None}


def test_what_a_mapping_no_longer_says_at_its_top_is_sent_as_the_default() -> None:
    last = Last({"mappings": {"dynamic": "strict"}}, {"mappings": {"dynamic": "strict", "date_detection": False}})
    there = {"dynamic": "strict", "date_detection": True, "numeric_detection": True}
    live = Live({"settings": {}, "mappings": there, "alias": "images"}, {"index": "images-v1"})
    asked = {"index": "images-v1", "alias": "images", "settings": {}, "mappings": {}}
    sent = {"dynamic": "true", "date_detection": False, "numeric_detection": False}
    assert index.update("images", asked, live, last) == [Send(Request("PUT", "/images-v1/_mapping", sent))]


def test_an_object_goes_with_what_it_says_of_itself() -> None:
    mapping = {"properties": {"o": {"dynamic": "false", "properties": {"a": {"type": "long"}}}}}
    live = Live({"mappings": mapping})
    assert index.refusal(differences({"mappings": mapping}, {"mappings": {"properties": {}}}), live) is None


def test_aliases_are_moved_in_one_request() -> None:
    live = Live({**ASKED, "aliases": {"old": {}}}, LIVE.ids)
    asked = {**ASKED, "aliases": {"new": {"is_hidden": True}}}
    actions = [
        {"add": {"index": "images-v1", "alias": "new", "is_hidden": True}},
        {"remove": {"index": "images-v1", "alias": "old"}},
    ]
    assert index.update("images", asked, live, Last(ASKED, live.body)) == [
        Send(Request("POST", "/_aliases", {"actions": actions}))
    ]


def test_the_physical_index_is_what_is_deleted() -> None:
    assert index.delete("images", LIVE) == [Send(Request("DELETE", "/images-v1"))]


def changed(path: str, before: Any, after: Any) -> str | None:
    """Why one leaf of the mapping, say, can't be changed in place."""
    live = Live(
        {"mappings": {"properties": {"text": {"type": "text", "analyzer": "english"}, "o": {"properties": {}}}}}
    )
    return index.refusal([Difference(tuple(path.split("/")), before, after)], live)


@pytest.mark.parametrize(
    ("path", "before", "after", "reason"),
    [
        ("settings/index.number_of_replicas", "1", "2", None),
        ("settings/index.number_of_shards", "1", "2", "index.number_of_shards is fixed when an index is made"),
        ("settings/index.number_of_shards", "1", ABSENT, None),
        ("settings/index.knn", ABSENT, "true", "index.knn is fixed when an index is made"),
        ("settings/index.sparse", ABSENT, "true", "index.sparse is fixed when an index is made"),
        ("settings/index.codec.compression_level", "3", ABSENT, None),
        ("settings/index.analysis.analyzer.a.type", ABSENT, "custom", "index.analysis.analyzer.a.type is fixed"),
        ("mappings/properties/new/type", ABSENT, "keyword", None),
        ("mappings/properties/o/properties/new/type", ABSENT, "keyword", None),
        ("mappings/properties/text/type", "text", "keyword", "type of the field text is fixed once the field exists"),
        ("mappings/properties/text/type", "text", ABSENT, None),
        ("mappings/properties/text/analyzer", "english", "german", "analyzer of the field text is fixed"),
        ("mappings/properties/text/analyzer", "english", ABSENT, "analyzer of the field text is fixed"),
        ("mappings/properties/text/method/parameters/m", 16, 32, "method.parameters.m of the field text is fixed"),
        ("mappings/properties/text/search_analyzer", "a", "b", None),
        ("mappings/properties/text/meta/unit", "1", "2", None),
        ("mappings/properties/o/dynamic", "false", ABSENT, "dynamic of the field o is fixed once the field exists"),
        (
            "mappings/properties/text/fields/raw/type",
            ABSENT,
            "keyword",
            "would not answer to the new sub-field text.raw",
        ),
        ("mappings/properties/text/fields/raw/type", "keyword", ABSENT, None),
        ("mappings/properties", ABSENT, {}, None),
        ("mappings/dynamic", "true", "strict", None),
        ("mappings/_source/enabled", True, False, "_source.enabled of a mapping is fixed"),
        ("mappings", {}, ABSENT, None),
        ("index", "images-v1", "images-v2", "another physical index is a replacement"),
        ("alias", ABSENT, "images", None),
    ],
)
def test_what_can_be_changed_in_place(path: str, before: Any, after: Any, reason: str | None) -> None:
    refusal = changed(path, before, after)
    assert (reason in refusal) if reason and refusal else refusal is reason


def test_a_field_that_is_no_longer_asked_stays_and_the_reader_is_told() -> None:
    live = Live({"mappings": {"properties": {"a": {"type": "text", "analyzer": "english"}}}})
    gone = differences({"mappings": live.body["mappings"]}, {"mappings": {"properties": {}}})
    assert index.refusal(gone, live) is None
    assert index.remarks(gone) == ["the field a stays in the mapping: OpenSearch can't take one away"]


def test_fields_that_documents_brought_are_no_drift_unless_the_mapping_is_closed() -> None:
    more = {"properties": {**BODY["mappings"]["properties"], "new": {"type": "long"}}}
    assert index.drift(ASKED, {**ASKED, "mappings": more}) == ()
    closed = {**ASKED, "mappings": {**BODY["mappings"], "dynamic": "strict"}}
    (found,) = index.drift(closed, {**closed, "mappings": {**more, "dynamic": "strict"}})
    assert found.path == ("mappings", "properties", "new", "type")


def test_an_object_that_documents_brought_fields_into_is_the_same_object() -> None:
    o, filled = {"type": "object"}, {"properties": {"new": {"type": "long"}}}
    recorded, live = ({**ASKED, "mappings": {"properties": {"o": each}}} for each in (o, filled))
    assert index.drift(recorded, live) == ()
    copied = mappings.with_fields_of(recorded["mappings"], live["mappings"])
    assert copied == {"properties": {"o": {**o, **filled}}}


def test_an_object_is_closed_as_what_is_around_it_unless_it_says_otherwise() -> None:
    filled = {"properties": {"new": {"type": "long"}}}
    for inner, count in (({}, 1), ({"dynamic": "true"}, 0), ({"dynamic": "strict"}, 1)):
        recorded, live = (
            {"mappings": {"dynamic": "strict", "properties": {"o": {**each, **inner}}}}
            for each in ({"type": "object"}, filled)
        )
        assert [each.path[-3:] for each in index.drift(recorded, live)] == [("properties", "new", "type")] * count


def test_an_object_gets_its_first_fields_in_place() -> None:
    before, after = {"type": "object"}, {"properties": {"a": {"type": "long"}}}
    live, asked = ({"mappings": {"properties": {"o": each}}} for each in (before, after))
    assert index.refusal(differences(live, asked), Live(live)) is None
    assert index.remarks(differences(live, asked)) == []


EXPANDING = {**SETTINGS, "index.auto_expand_replicas": "0-1"}


def test_replicas_that_the_server_counts_are_no_drift_and_are_not_put_back() -> None:
    recorded, live = ({**ASKED, "settings": {**EXPANDING, "index.number_of_replicas": n}} for n in ("0", "1"))
    assert index.drift(recorded, live) == ()
    asked = {**ASKED, "settings": {key: value for key, value in EXPANDING.items() if key != "index.number_of_replicas"}}
    there = Live({**live, "settings": {**live["settings"], "index.refresh_interval": "9s"}}, LIVE.ids)
    (step,) = index.update("images", asked, there, Last(asked, recorded))
    assert isinstance(step, Send)
    assert step.request.body == {"index.refresh_interval": None}


def test_replicas_that_somebody_let_the_server_count_are_drift() -> None:
    (found,) = index.drift(ASKED, {**ASKED, "settings": EXPANDING})
    assert found.path == ("settings", "index.auto_expand_replicas")


def test_replicas_are_counted_by_the_file_or_by_the_server() -> None:
    settings: dict[str, Any] = {"number_of_replicas": 1, "index": {"auto_expand_replicas": "0-1"}}
    (found,) = said({"settings": settings})
    assert found.message == "beside auto_expand_replicas: 0-1, by which the server counts them itself"
    assert found.path == ("settings", "number_of_replicas")  # as the file has it, so that its line is found
    assert said({"settings": {**settings, "index": {"auto_expand_replicas": False}}}) == []
    (nothing,) = said({"settings": {**settings, "index": {"auto_expand_replicas": None}}})
    assert nothing.message == "nothing, expected a value"


def test_a_field_that_is_missing_or_changed_is_drift() -> None:
    text = {"text": {"type": "text"}}
    (found,) = [d for d in index.drift(ASKED, {**ASKED, "mappings": {"properties": text}}) if d.path[-1] == "type"]
    assert found.path == ("mappings", "properties", "v", "type")


@given(FIELDS)
def test_a_normal_mapping_is_normal_already(fields: Any) -> None:
    once = mappings.normal({"properties": fields})
    assert mappings.normal(once) == once


@given(trees(keys=st.sampled_from(["properties", "type", "dynamic", "fields", "a"])))
def test_a_mapping_of_any_shape_is_normal_or_found_wrong_first(tree: Any) -> None:
    body = {"mappings": {"properties": {"a": tree}}}
    if not said(body):
        once = mappings.normal(body["mappings"])
        assert mappings.normal(once) == once


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"aliases": {"images": {}}}, "'images' is the resource's own name"),
        ({"aliases": {"x": 5}}, "a whole number (5), expected a mapping"),
        ({"mappings": {"property": {}}}, "unknown key in a mapping"),
        ({"mappings": {"properties": {"v": {"type": "knn_vector"}}}}, "a knn_vector without a dimension"),
        ({"mappings": {"properties": {"v": {}}}}, "neither a type nor properties"),
        ({"settings": {"a": None}}, "nothing, expected a value"),
    ],
)
def test_what_the_server_would_refuse_or_lose_is_found(body: Any, words: str) -> None:
    (finding,) = said(body)
    assert words in finding.message
    assert finding.hint


@pytest.mark.parametrize("name", ["Images", "_x", "-x", "a b", "a,b", "a/b", "x" * 241, "ü"])
def test_a_name_that_opensearch_refuses_is_found(name: str) -> None:
    assert "is no name for an index" in said({}, name)[0].message


def test_pipelines_that_are_named_plainly_are_needed() -> None:
    body = {"settings": {"default_pipeline": "a", "index.search.default_pipeline": "b", "final_pipeline": ["c"]}}
    assert list(map(str, index.needs(body))) == ["ingest_pipeline/a", "search_pipeline/b"]


@pytest.mark.parametrize("settings", [None, 5, [], "x"])
def test_settings_of_a_wrong_type_need_nothing(settings: Any) -> None:
    assert list(index.needs({"settings": settings})) == []


def test_an_alias_that_somebody_else_put_on_the_index_is_no_concern_of_ours() -> None:
    stored: Any = {"images-v1": {"aliases": {"images": {}, "mine": {}, "theirs": {}}, "settings": {}, "mappings": {}}}
    found = index.found([stored, None], {"images": Wanted({"index": "images-v1", "aliases": {"mine": {}}})})
    assert found["images"].body["aliases"] == {"mine": {}}


NOTE = LoadNote("me", 1000.0, {"index.number_of_replicas": "1", "index.refresh_interval": None},
                {"index.number_of_replicas": "0", "index.refresh_interval": "-1"})  # fmt: skip


def under_load() -> Live:
    settings = {**SETTINGS, "index.number_of_replicas": "0", "index.refresh_interval": "-1"}
    mapping = {**BODY["mappings"], "_meta": {"osform": {"load": NOTE.to_json()}}}
    stored = {"images-v1": {"aliases": {"images": {}}, "settings": settings, "mappings": mapping}}
    return index.found([stored, {}], {"images": Wanted(ASKED)})["images"]


def test_an_index_under_load_is_as_it_will_be_afterwards() -> None:
    live = under_load()
    assert live.body == ASKED
    assert live.load == NOTE
    assert index.as_left(live, now=1100.0) == live


def test_what_a_dead_load_left_is_drift_and_is_put_back() -> None:
    left = index.as_left(under_load(), now=9999.0)
    assert {str(each.path[1]) for each in index.drift(ASKED, left.body)} == {
        "index.number_of_replicas", "index.refresh_interval", "_meta",
    }  # fmt: skip
    assert index.update("images", ASKED, left, Last(ASKED, ASKED)) == [
        Send(Request("PUT", "/images-v1/_settings",
                     {"index.number_of_replicas": "1", "index.refresh_interval": None})),
        Send(Request("PUT", "/images-v1/_mapping", {**BODY["mappings"], "_meta": {}})),
    ]  # fmt: skip


def test_a_mapping_that_changes_under_load_keeps_the_note() -> None:
    asked = {**ASKED, "mappings": {"properties": {**BODY["mappings"]["properties"], "new": {"type": "keyword"}}}}
    (step,) = index.update("images", asked, under_load(), Last(ASKED, ASKED))
    assert isinstance(step, Send)
    assert note_of(step.request.body) == NOTE


def test_a_field_that_is_to_be_an_object_is_another_field() -> None:
    live, asked = (
        {"properties": {"f": {"type": "keyword"}}},
        {"properties": {"f": {"properties": {"g": {"type": "long"}}}}},
    )
    changed = differences({"mappings": live}, {"mappings": asked})
    refusal = index.refusal(changed, Live({"mappings": live}))
    assert refusal == "type of the field f is fixed once the field exists"
    assert index.remarks(changed) == []
