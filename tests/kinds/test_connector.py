"""Connectors, and the models that osform doesn't package: bodies in, requests out."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.refs import references
from osform.core.request import Request
from osform.core.values import Secret, Unknown, concealed, revealed
from osform.kinds import connector, ml, model
from osform.kinds.base import (
    AskModel,
    Context,
    CreateConnector,
    DeployModel,
    Last,
    Live,
    RegisterThere,
    RemoveConnector,
    Send,
    UpdateConnector,
    Wanted,
)

KEY = Secret("${env.KEY}", "f1", "sesame")
BODY: dict[str, Any] = {
    "description": "d",
    "version": 1,
    "protocol": "http",
    "parameters": {"model": "m", "n": 3, "flag": True, "list": ["a", 1]},
    "credential": {"key": KEY},
    "actions": [{
        "action_type": "predict", "method": "POST", "url": "http://127.0.0.1:9/embed",
        "headers": {"Authorization": "Bearer ${credential.key}"}, "request_body": '{"input": ${parameters.input}}',
    }],
    "client_config": {"max_connection": 10},
}  # fmt: skip
# As OpenSearch 3.6.0 gives it back.
STORED: dict[str, Any] = {
    "name": "embed",
    "version": "1",
    "description": "d",
    "protocol": "http",
    "parameters": {"flag": "true", "model": "m", "n": "3", "list": '["a",1]'},
    "actions": [{**BODY["actions"][0], "action_type": "PREDICT"}],
    "client_config": {"max_connection": 10, "read_timeout": 30},
    "created_time": 17,
    "last_updated_time": 18,
}
CONFIG = {"model_type": "bert", "embedding_dimension": 4, "framework_type": "sentence_transformers"}
REMOTE = {
    "connector": "c1",
    "group": "g1",
    "model_config": {"model_type": "x", "embedding_dimension": 4},
    "probe": "a cat",
}
BY_URL = {
    "url": "http://127.0.0.1/m.zip", "model_content_hash_value": "ab", "format": "onnx", "group": "g1",
    "model_config": CONFIG,
}  # fmt: skip
PRETRAINED = {"pretrained": "amazon/tiny", "version": "1.0.1", "format": "torch_script", "group": "g1"}


def hits(**sources: Any) -> dict[str, Any]:
    return {"hits": {"hits": [{"_id": key, "_source": source} for key, source in sources.items()]}}


def live_of(asked: Any) -> Live:
    return connector.found([hits(c1=STORED)], {"embed": Wanted(asked, {}, {"connector_id": "c1"})})["embed"]


def said(kind: Any, body: Any) -> list[str]:
    return [f"{'.'.join(map(str, f.path))}: {f.message}; {f.hint}" for f in kind.check("n", body, Context())]


def test_a_connector_that_is_stored_as_asked_lacks_nothing_its_credential_being_taken_on_trust() -> None:
    asked = connector.expand("embed", BODY, Context())
    assert missing(revealed(asked), live_of(revealed(asked)).body) == ()
    assert connector.found([hits(c1=STORED)], {"embed": Wanted(asked)}) == {}


def test_another_credential_is_a_difference_of_fingerprints_and_never_drift() -> None:
    asked = connector.expand("embed", BODY, Context())
    rotated = connector.expand("embed", {**BODY, "credential": {"key": Secret("${env.KEY}", "f2", "other")}}, Context())
    (found,) = differences(concealed(asked), concealed(rotated))
    assert (found.path, found.after) == (("credential", "key"), "secret ${env.KEY} #f2")
    assert connector.drift(concealed(live_of(asked).body), live_of(rotated).body) == ()


def test_what_ml_commons_fills_in_passes_through() -> None:
    assert list(references(BODY["actions"], connector.PASSED)) == []


def test_a_connector_is_made_once_changed_whole_and_removed_by_its_id() -> None:
    live = Live({}, {"connector_id": "c1"})
    assert connector.create("n", {"name": "n"}, {}) == [CreateConnector(ml.create_connector({"name": "n"}))]
    put = Request("PUT", "/_plugins/_ml/connectors/c1", {"name": "n"})
    assert connector.update("n", {"name": "n"}, live, Last()) == [UpdateConnector(put)]
    assert connector.delete("n", live) == [RemoveConnector("c1")]


TAG = {ml.TAG: ml.tag("4f3a")}


def test_what_carries_the_tag_is_found_without_an_id_and_the_rest_of_it_is_a_stray() -> None:
    tagged = {**STORED, "description": TAG[ml.TAG]}
    stored = [hits(c1=tagged, c2=tagged, c3=STORED)]
    cut_off = connector.found(stored, {"n": Wanted({}, {}, TAG)})["n"]
    assert (cut_off.ids, cut_off.strays) == ({"connector_id": "c1"}, ("c2",))
    finished = connector.found(stored, {"n": Wanted({}, {}, {**TAG, "connector_id": "c3"})})["n"]
    assert (finished.ids, finished.strays) == ({"connector_id": "c3"}, ("c1", "c2"))
    assert connector.found(stored, {"n": Wanted({}, {}, {ml.TAG: ml.tag("of another")})}) == {}


def test_a_tag_gives_way_to_the_description_that_is_asked_or_to_none() -> None:
    live = Live({"description": ml.tag("4f3a")}, {"connector_id": "c1"})
    for asked in ({"name": "n"}, {"name": "n", "description": "d"}):
        (step,) = connector.update("n", asked, live, Last())
        assert isinstance(step, UpdateConnector)
        assert step.request.body["description"] == asked.get("description", "")


def test_what_was_never_finished_may_be_made_anew_and_what_was_may_not() -> None:
    assert connector.expendable(Live({"description": ml.tag("4f3a")}))
    assert not connector.expendable(Live({"description": "d"}))


def test_of_models_with_one_tag_the_first_is_the_resource_and_the_others_are_strays() -> None:
    tagged = {"name": "n", "description": TAG[ml.TAG], "model_state": "REGISTERING"}
    stored = hits(m2={**tagged, "model_version": "2"}, m1={**tagged, "model_version": "1"})
    found = model.found([stored, {}], {"n": Wanted({}, {}, TAG)})["n"]
    assert (found.ids, found.strays) == ({"model_id": "m1"}, ("m2",))


def test_a_field_that_is_no_longer_asked_stays_and_the_reader_is_told() -> None:
    first, *_ = connector.remarks([Difference(("parameters", "n"), "3", ABSENT)])
    assert first == "parameters.n stays: OpenSearch can't delete fields from a connector"
    assert connector.refusal([Difference(("protocol",), "http", "aws_sigv4")], Live({}))
    assert connector.refusal([Difference(("description",), "a", "b")], Live({})) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"credential": {"key": "sesame"}}, "credential.key: a credential in a file; write key: ${env.NAME}"),
        ({"actions": [5]}, "actions.0: a whole number (5), expected a mapping"),
        ({"actions": [{"action_type": "predict", "method": "POST"}]}, "'url' is missing"),
        ({"parameters": {"a": None}}, "parameters.a: nothing"),
        ({"parameters": {"a": [Unknown("${model/m.model_id}")]}}, "write the whole parameter as text"),
        ({"version": []}, "version: a list, expected a whole number or text"),
    ],
)
def test_what_is_wrong_with_a_connector_is_found(change: Any, words: str) -> None:
    (finding,) = said(connector, BODY | change)
    assert words in finding


def test_a_role_is_no_credential_to_hide() -> None:
    assert said(connector, BODY | {"credential": {"roleArn": "arn:aws:iam::1:role/a"}}) == []


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (
            REMOTE,
            {
                "name": "n", "function_name": "REMOTE", "connector_id": "c1",
                "model_config": {"model_type": "x", "embedding_dimension": 4},
            },
        ),
        (PRETRAINED, {"name": "amazon/tiny", "version": "1.0.1", "model_format": "TORCH_SCRIPT"}),
        (
            BY_URL,
            {
                "name": "n", "function_name": "TEXT_EMBEDDING", "model_format": "ONNX",
                "model_content_hash_value": "ab", "url": "http://127.0.0.1/m.zip",
                "model_config": {**CONFIG, "framework_type": "SENTENCE_TRANSFORMERS"},
            },
        ),
    ],
)  # fmt: skip
def test_a_model_that_the_server_brings_is_registered_there_and_deployed(body: Any, sent: Any) -> None:
    assert said(model, body) == []
    register, deploy, *rest = model.create("n", model.expand("n", body, Context()), {})
    assert register == RegisterThere({**sent, "model_group_id": "g1"})
    assert deploy == DeployModel()
    assert rest == ([AskModel("a cat")] if "probe" in body else [])


def test_a_model_that_the_server_brings_says_itself_what_its_vectors_are() -> None:
    config = {**CONFIG, "additional_config": {"space_type": "l2"}}
    assert model.known("n", {**BY_URL, "model_config": config}, Context()) == {
        "dimension": 4, "space_type": "l2", "sha256": "ab",
    }  # fmt: skip
    assert model.known("n", PRETRAINED, Context()) == {}


def test_a_remote_model_that_is_stored_as_asked_does_not_differ() -> None:
    asked = model.expand("n", REMOTE, Context())
    stored = {
        "name": "n", "algorithm": "REMOTE", "connector_id": "c1", "model_group_id": "g1", "model_state": "DEPLOYED",
        "model_config": {"model_type": "x", "embedding_dimension": 4}, "model_version": "1",
    }  # fmt: skip
    profile = {"nodes": {"n1": {"models": {"m1": {"model_state": "DEPLOYED"}}}}}
    live = model.found([hits(m1=stored), profile], {"n": Wanted(asked, {}, {"model_id": "m1"})})["n"]
    assert differences(asked, live.body) == ()


def test_another_address_of_the_same_bytes_is_the_same_model() -> None:
    assert model.refusal([Difference(("url",), "a", "b"), Difference(("probe",), "a", "b")], Live({})) is None
    refusal = model.refusal([Difference(("connector_id",), "c1", "c2")], Live({}))
    assert refusal is not None
    assert "another connector_id makes it another model" in refusal


def test_fields_of_a_model_that_are_no_longer_asked_are_blank_or_stay_and_the_reader_is_told() -> None:
    gone = [Difference((key,), "d", ABSENT) for key in ("description", "is_enabled", "interface")]
    gone += [Difference(("rate_limiter", "limit"), "4", ABSENT)]
    assert model.remarks(gone) == [
        f"{key} stays: OpenSearch can't take it away from a model" for key in ("interface", "rate_limiter")
    ]
    there = {"name": "amazon/tiny", "description": "d", "is_enabled": False, "deployed": True}
    asked = model.expand("n", PRETRAINED, Context())
    steps = model.update("n", asked, Live(there, {"model_id": "m1"}), Last(there, there))
    assert steps == [
        Send(ml.put_model("m1", {"description": "", "is_enabled": True})),
        DeployModel(),
    ]


def test_a_description_that_somebody_gave_a_connector_by_hand_is_as_it_was_before() -> None:
    asked = {key: value for key, value in connector.expand("embed", BODY, Context()).items() if key != "description"}
    live = Live({**asked, "description": "mine now"}, {"connector_id": "c1"})
    (never,) = connector.update("embed", asked, live, Last(asked, asked))
    (before,) = connector.update("embed", asked, live, Last(asked, {**asked, "description": "d"}))
    assert never == UpdateConnector(ml.put_connector("c1", {**asked, "description": ""}))
    assert before == UpdateConnector(ml.put_connector("c1", {**asked, "description": "d"}))
    assert not any("description" in each for each in connector.remarks([Difference(("description",), "d", ABSENT)]))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"group": "g1"}, "no model in it; add one of model: FOLDER"),
        ({**REMOTE, "format": "onnx"}, "format: a model with connector has no format"),
        ({**PRETRAINED, "name": "mine"}, "name: a pretrained model is called as the server knows it"),
        ({key: value for key, value in PRETRAINED.items() if key != "version"}, "'version' is missing"),
        ({**PRETRAINED, "version": 1}, "version: a whole number (1), expected text; put it into quotes"),
        ({**BY_URL, "format": "zip"}, "format: 'zip', expected torch_script or onnx"),
        (
            {**BY_URL, "model_config": {**CONFIG, "embedding_dimension": "4"}},
            "model_config.embedding_dimension: text ('4')",
        ),
        ({**REMOTE, "model_config": {}}, "model_config: 'model_type' is missing"),
        ({**REMOTE, "probe": 5}, "probe: a whole number (5), expected text or a mapping"),
    ],
)
def test_what_is_wrong_with_a_model_of_another_source_is_found(body: Any, words: str) -> None:
    (finding,) = said(model, body)
    assert words in finding


def test_one_whose_address_has_a_secret_is_found_again_by_what_it_is() -> None:
    url = "http://127.0.0.1:9/embed?key="
    secret = Secret(f"{url}${{env.KEY}}", "f1", f"{url}sesame", ("sesame",))
    asked = connector.expand("embed", {**BODY, "actions": [{**BODY["actions"][0], "url": secret}]}, Context())
    stored = [{"_id": f"c{n}", "_source": {**STORED, "actions": [{**STORED["actions"][0], "url": f"{url}{key}"}]}}
              for n, key in enumerate(("another", "sesame"))]  # fmt: skip
    live = connector.found([{"hits": {"hits": stored}}], {"embed": Wanted(asked, adopt=frozenset())})
    assert live["embed"].ids == {"connector_id": "c1"}
