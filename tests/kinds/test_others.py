"""Cluster settings, model groups, models and pipelines: bodies in, requests out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences
from osform.core.models import Bundle, ModelLock, ModelSpec, PackagedModel, PackageSource
from osform.core.request import Request
from osform.core.values import Unknown
from osform.kinds import cluster_settings, consistency, ingest_pipeline, ml, model, model_group, search_pipeline
from osform.kinds.base import (
    Body,
    Context,
    CreateGroup,
    DeployModel,
    Kind,
    Last,
    Live,
    ProbeModel,
    RegisterModel,
    RemoveGroup,
    RemoveModel,
    Send,
    Wanted,
)

ML_LOCAL = "plugins.ml_commons.allow_registering_model_via_local_file"
CONFIG = {"model_type": "bert", "framework_type": "sentence_transformers", "pooling_mode": "CLS", "normalize": False}
BUNDLE = Bundle("onnx", "fp32", "ab" * 32, 90, "TEXT_EMBEDDING", CONFIG, 1.0, 1.0)
LOCK = ModelLock("tiny", "cd" * 32, 384, 256, "cosinesimil", (BUNDLE,), ())
SPEC = ModelSpec("tiny", "models/tiny", PackageSource("tiny", ""), (("onnx", "fp32"),), {}, ("a",))
CONTEXT = Context(models={"tiny": PackagedModel(SPEC, LOCK)})
MINILM = {"model": "tiny", "format": "onnx", "group": "g1", "description": "small", "rate_limiter": {"limit": 4}}
STORED = {
    "name": "minilm",
    "description": "small",
    "rate_limiter": {"limit": "4"},
    "algorithm": "TEXT_EMBEDDING",
    "model_format": "ONNX",
    "model_group_id": "g1",
    "model_content_hash_value": "ab" * 32,
    "model_content_size_in_bytes": 90,
    "model_config": {"model_type": "bert", "framework_type": "SENTENCE_TRANSFORMERS", "pooling_mode": "CLS"},
    "model_state": "DEPLOYED",
    "model_version": "1",
    "created_time": 17,
}
EMBED = {"text_embedding": {"model_id": "m1", "field_map": {"text": "text_vector"}}}


def said(kind: Kind, body: Any, context: Context = CONTEXT) -> list[str]:
    return [f"{'.'.join(map(str, finding.path))}: {finding.message}" for finding in kind.check("n", body, context)]


def hits(**sources: Any) -> dict[str, Any]:
    return {"hits": {"hits": [{"_id": key, "_source": source} for key, source in sources.items()]}}


# --- cluster settings


def test_a_part_without_a_setting_asks_for_nothing() -> None:
    body = {"persistent": {"a": 1}, "transient": {"b": {"c": {}}}}
    assert cluster_settings.expand("ml", body, Context()) == {"persistent": {"a": "1"}}


def test_settings_are_set_in_one_request_as_flat_keys_and_text() -> None:
    asked = cluster_settings.expand("ml", {"persistent": {"plugins": {"ml_commons": {"a": True}}, "b.c": 2}}, Context())
    put = Request("PUT", "/_cluster/settings", {"persistent": {"plugins.ml_commons.a": "true", "b.c": "2"}})
    assert cluster_settings.create("ml", asked, {}) == [Send(put)]


def test_of_the_cluster_s_settings_only_those_of_the_resource_are_its_own() -> None:
    answer = {"persistent": {"mine": "1", "was.mine": "2", "other": "3"}, "transient": {"mine": "4"}}
    want = Wanted({"persistent": {"mine": "1"}}, {"persistent": {"was.mine": "2"}})
    live = cluster_settings.found([answer], {"ml": want})["ml"]
    assert live.body == {"persistent": {"mine": "1", "was.mine": "2"}}


def test_a_setting_that_is_no_longer_asked_is_unset_and_others_are_let_alone() -> None:
    live, last = Live({"persistent": {"a": "1", "b": "2"}}), Last({"persistent": {"a": "1", "b": "2"}})
    (step,) = cluster_settings.update("ml", {"persistent": {"a": "3"}}, live, last)
    assert step == Send(Request("PUT", "/_cluster/settings", {"persistent": {"a": "3", "b": None}}))
    assert cluster_settings.delete("ml", live) == [
        Send(Request("PUT", "/_cluster/settings", {"persistent": {"a": None, "b": None}}))
    ]


@pytest.mark.parametrize("body", [{}, {"persistent": {}}, {"persistent": {"a": {}}}, {"persistent": {"a": None}}])
def test_settings_that_set_nothing_are_found(body: Any) -> None:
    assert said(cluster_settings, body)


# --- model groups


def test_a_group_is_called_like_its_file_and_registered() -> None:
    asked = model_group.expand("encoders", {"description": "d"}, Context())
    assert asked == {"name": "encoders", "description": "d"}
    assert model_group.create("encoders", asked, {}) == [CreateGroup(ml.register_group(asked))]


def test_a_group_is_found_by_its_id_and_else_by_its_name() -> None:
    answer = hits(g1={"name": "old"}, g2={"name": "encoders", "access": "public", "owner": {}})
    by_id = model_group.found([answer], {"e": Wanted({"name": "encoders"}, {}, {"model_group_id": "g1"})})
    by_name = model_group.found([answer], {"e": Wanted({"name": "encoders"})})
    assert by_id == {"e": Live({"name": "old"}, {"model_group_id": "g1"})}
    assert by_name == {"e": Live({"name": "encoders", "access_mode": "public"}, {"model_group_id": "g2"})}


def test_a_group_is_changed_in_place_and_removed_by_its_id() -> None:
    live = Live({"name": "encoders"}, {"model_group_id": "g1"})
    put = Send(Request("PUT", "/_plugins/_ml/model_groups/g1", {"name": "encoders", "description": "d"}))
    assert model_group.update("e", {"name": "encoders", "description": "d"}, live, Last()) == [put]
    assert model_group.delete("e", live) == [RemoveGroup("g1")]
    assert model_group.outputs("e", live) == {"model_group_id": "g1"}


def test_a_description_that_is_taken_out_of_a_group_stays_and_the_reader_is_told() -> None:
    gone = [Difference(("description",), "d", ABSENT)]
    assert model_group.remarks(gone) == ["description stays: OpenSearch can't take it away from a model group"]
    assert model_group.expand("e", {"description": ""}, Context()) == {"name": "e"}
    live = Live({"name": "e", "description": "by hand"}, {"model_group_id": "g1"})
    (put,) = model_group.update("e", {"name": "e"}, live, Last({"name": "e"}, {"name": "e", "description": "d"}))
    assert put == Send(ml.put_group("g1", {"name": "e", "description": "d"}))


# --- models


def test_a_model_s_body_is_what_its_lock_promises() -> None:
    asked = model.expand("minilm", MINILM, CONTEXT)
    assert asked["model_config"] == STORED["model_config"]
    assert (asked["model_content_hash_value"], asked["model_format"], asked["deployed"]) == ("ab" * 32, "ONNX", True)
    assert model.known("minilm", MINILM, CONTEXT) == {
        "dimension": 384,
        "max_length": 256,
        "space_type": "cosinesimil",
        "spaces": {"cosinesimil"},
        "sha256": "ab" * 32,
        "function_name": "TEXT_EMBEDDING",
    }


def test_a_model_is_registered_deployed_and_asked() -> None:
    register, *rest = model.create("minilm", model.expand("minilm", MINILM, CONTEXT), {})
    assert isinstance(register, RegisterModel)
    assert (register.sha256, register.model) == ("ab" * 32, "tiny")
    assert not {"model", "deployed"} & register.meta.keys()
    assert rest == [DeployModel(), ProbeModel("tiny", BUNDLE.sha256)]


def test_a_model_that_is_to_be_disabled_answers_nobody_and_is_not_asked() -> None:
    _, *rest = model.create("minilm", model.expand("minilm", {**MINILM, "is_enabled": False}, CONTEXT), {})
    assert rest == [DeployModel()]


def test_a_model_that_is_stored_as_asked_and_served_does_not_differ() -> None:
    asked = model.expand("minilm", MINILM, CONTEXT)
    profile = {"nodes": {"n1": {"models": {"m1": {"model_state": "DEPLOYED"}}}}}
    live = model.found([hits(m1=STORED), profile], {"minilm": Wanted(asked, {}, {"model_id": "m1"})})["minilm"]
    assert differences(asked, live.body) == ()
    assert model.outputs("minilm", live) == {"model_id": "m1"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("REGISTERED", True),
        ("DEPLOYING", True),
        ("UNDEPLOYED", True),
        ("PARTIALLY_DEPLOYED", "PARTIALLY_DEPLOYED"),
    ],
)
def test_a_model_that_nodes_serve_is_deployed_though_the_search_is_a_second_behind(found: str, said: object) -> None:
    profile = {"nodes": {"n1": {"models": {"m1": {"model_state": "DEPLOYED"}}}}}
    want = Wanted({"model": "tiny"}, {}, {"model_id": "m1"})
    answers = [hits(m1={**STORED, "model_state": found}), profile]
    assert model.found(answers, {"minilm": want})["minilm"].body["deployed"] == said
    unserved = model.found([answers[0], {}], {"minilm": want})["minilm"]
    assert unserved.body["deployed"] == found


def test_a_model_that_no_node_serves_or_that_nobody_remembers() -> None:
    want = Wanted({"model": "tiny"}, {}, {"model_id": "m1"})
    assert model.found([hits(m1=STORED), {}], {"minilm": want})["minilm"].body["deployed"] == "on no node"
    assert model.found([hits(m1=STORED), {}], {"minilm": replace(want, ids={})}) == {}


def test_a_description_is_changed_in_place_and_the_bytes_are_not() -> None:
    asked = model.expand("minilm", MINILM | {"description": "smaller"}, CONTEXT)
    live = Live(model.expand("minilm", MINILM, CONTEXT), {"model_id": "m1"})
    put = Send(Request("PUT", "/_plugins/_ml/models/m1", {"description": "smaller"}))
    assert model.update("minilm", asked, live, Last()) == [put, DeployModel(), ProbeModel("tiny", BUNDLE.sha256)]
    assert model.refusal(differences(live.body, asked), live) is None
    refusal = model.refusal([Difference(("model_content_hash_value",), "a", "b")], live)
    assert refusal is not None
    assert refusal.startswith("another model_content_hash_value makes it another model")
    assert model.delete("minilm", live) == [RemoveModel("m1")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "tinny"}, "there is no models/tinny"),
        ({"format": "torch_script"}, "torch_script fp32 of tiny was never exported; there is onnx fp32"),
        ({"format": "onxx"}, "'onxx', expected torch_script or onnx"),
        ({"group": 5}, "a whole number (5), expected text"),
        ({"interface": {"input": "{"}}, "expected a JSON schema"),
    ],
)
def test_what_is_wrong_with_a_model_is_found(change: dict[str, Any], words: str) -> None:
    (finding,) = said(model, MINILM | change)
    assert words in finding


def test_a_model_that_was_never_exported_is_found_and_one_with_mistakes_is_no_second_mistake() -> None:
    assert "never exported" in said(model, MINILM, Context({"tiny": PackagedModel(SPEC, None)}))[0]
    assert said(model, MINILM, Context(unreadable=frozenset({"tiny"}))) == []


# --- pipelines


@pytest.mark.parametrize("kind", [ingest_pipeline, search_pipeline])
def test_a_pipeline_is_put_found_and_deleted_by_name(kind: Any) -> None:
    body: Body = {"description": "d", "processors": [EMBED]}
    live = Live(body)
    put = Send(Request("PUT", f"{kind.BASE}/p", body))
    assert kind.create("p", body, {}) == [put]
    assert kind.update("p", body, live, Last()) == [put]
    assert kind.delete("p", live) == [Send(Request("DELETE", f"{kind.BASE}/p"))]
    assert kind.found([{"p": body, "q": {}}], {"p": Wanted(body), "r": Wanted({})}) == {"p": live}


def test_an_embedding_pipeline_is_stored_once_more_for_each_physical_index() -> None:
    ids = {"copies": "p-v1,p-v2"}
    body: Body = {"processors": [EMBED]}
    puts = [Send(Request("PUT", f"/_ingest/pipeline/{name}", body)) for name in ("p", "p-v1", "p-v2")]
    assert ingest_pipeline.create("p", body, ids) == puts
    live = ingest_pipeline.found([{"p": body, "p-v1": body}], {"p": Wanted(body, {}, ids)})["p"]
    assert live.body["copies"] == {"p-v2": "missing"}
    assert [step.request.path for step in ingest_pipeline.delete("p", live) if isinstance(step, Send)] == [
        "/_ingest/pipeline/p-v1",
        "/_ingest/pipeline/p-v2",
        "/_ingest/pipeline/p",
    ]


def test_pipelines_that_a_pipeline_calls_are_needed() -> None:
    body: Body = {"processors": [{"pipeline": {"name": "clean"}}, {"set": {}}, 5, {"pipeline": 6}]}
    assert list(ingest_pipeline.needs(body)) == [Address("ingest_pipeline", "clean")]
    assert list(ingest_pipeline.needs({"processors": None})) == []


# --- what resources must agree on


def agreed(target: str, dimension: Any, name: str = "images") -> list[str]:
    pipeline = {
        "processors": [{"text_embedding": {"model_id": Unknown("${model/m.model_id}"), "field_map": {"a": target}}}]
    }
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): pipeline,
        Address("index", "images"): {},
        Address("index", name): {
            "settings": {"index": {"default_pipeline": "p"}},
            "mappings": {"properties": {"v": {"type": "knn_vector", "dimension": dimension}}},
        },
    }
    known = {Address("model", "m"): {"dimension": 384}}
    return [f"{finding.message}; {finding.hint}" for _, finding in consistency.check(bodies, known)]


def test_model_pipeline_and_mapping_agree() -> None:
    assert agreed("v", 384) == []
    assert agreed("v", 768) == ["768, but model/m gives 384; write ${model/m.dimension}"]
    assert agreed("w", 384) == [
        "no knn_vector 'w', which ingest_pipeline/p fills; add w: {type: knn_vector, dimension: ${model/m.dimension}}"
    ]


def test_a_vector_may_be_named_with_its_object_in_one_word() -> None:
    pipeline: Body = {"processors": [{"text_embedding": {"model_id": "x", "field_map": {"a": "o.v"}}}]}
    fields = {"o.v": {"type": "knn_vector", "dimension": 4}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): pipeline,
        Address("index", "i"): {"settings": {"default_pipeline": "p"}, "mappings": {"properties": fields}},
    }
    assert list(consistency.check(bodies, {})) == []


def test_a_vector_may_be_in_a_template_of_the_index() -> None:
    embed = {"text_embedding": {"model_id": "x", "field_map": {"a": "v"}}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): {"processors": [embed]},
        Address("index", "i"): {"settings": {"default_pipeline": "p"}, "mappings": {"properties": {}}},
        Address("index_template", "t"): {"index_patterns": ["i-*"]},
    }
    assert list(consistency.check(bodies, {})) == []
    assert (
        len(list(consistency.check({**bodies, Address("index_template", "t"): {"index_patterns": ["j-*"]}}, {}))) == 1
    )


def test_a_name_that_a_version_of_another_index_will_have_is_found() -> None:
    assert agreed("v", 384, "images-v3") == [
        "'images-v3' is a name that osform gives to a version of index/images; rename the file"
    ]


def test_templates_of_one_priority_that_an_index_could_match_both_of_are_found() -> None:
    one: Body = {"index_patterns": ["logs-*"], "priority": 3}
    other: Body = {"index_patterns": ["x", "*-b"], "priority": 3}
    both = {Address("index_template", "one"): one, Address("index_template", "other"): other}
    (found,) = consistency.check(both, {})
    assert (str(found[0]), found[1].path) == ("index_template/other", ("index_patterns",))
    assert found[1].message == "'*-b' and 'logs-*' of index_template/one are of one priority, 3"
    assert list(consistency.check({**both, Address("index_template", "other"): {**other, "priority": 4}}, {})) == []
