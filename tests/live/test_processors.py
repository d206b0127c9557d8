"""What osform demands of processors is what the server demands: with it a pipeline is taken, without it refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.errors import RequestFailed
from osform.kinds import ingest_pipeline, processors, search_pipeline
from osform.kinds.base import Context

SAMPLES: dict[str, Any] = {
    "field": "a", "value": 1, "type": "integer", "source_field": "a", "target_field": "b", "target_fields": ["b"],
    "formats": ["yyyy"], "date_rounding": "y", "pattern": "%{b}", "message": "no", "patterns": ["%{WORD:w}"],
    "processor": {"lowercase": {"field": "_ingest._value"}}, "replacement": "-", "separator": ",", "field_split": " ",
    "value_split": "=", "name": "other", "field_pattern": "a*", "source": "ctx.a = 1", "sample_factor": 2.0,
    "model_id": "m", "field_map": {"a": "b"}, "embedding": "v", "query": {"match_all": {}},
    "algorithm": {"fixed_token_length": {"token_limit": 10}},
}  # fmt: skip
MORE: dict[str, dict[str, Any]] = {
    "ml_inference": {"input_map": [{"x": "a"}], "output_map": [{"b": "y"}]},
    "set": {"value": 1},
    "gsub": {"pattern": "a"},
    "dot_expander": {"field": "a.b"},
    "text_image_embedding": {"field_map": {"text": "a"}},
}
PLACES = {"filter_query": "request_processors", "script": "request_processors", "oversample": "request_processors"}


@pytest.fixture
def name() -> str:
    """A pipeline that is not there."""
    return f"test-{uuid.uuid4().hex[:12]}"


def whole(kind: str, demands: tuple[str, ...]) -> dict[str, Any]:
    return {each.split("|")[0]: SAMPLES[each.split("|")[0]] for each in demands} | MORE.get(kind, {})


def refusal(cluster: Cluster, path: str, body: Any) -> str:
    """Why the server refuses a pipeline; nothing where it takes it."""
    try:
        cluster.send(Request("PUT", path, body))
    except RequestFailed as error:
        return error.reason
    cluster.send(Request("DELETE", path))
    return ""


def by_place(options: dict[str, Any]) -> dict[str, Any]:
    """The body of a search pipeline with these processors."""
    body: dict[str, Any] = {}
    for kind, each in options.items():
        body.setdefault(PLACES.get(kind, "response_processors"), []).append({kind: each})
    return body


# All of them in one pipeline: each that is taken is a change of the cluster's state, and each refusal is none.
def test_ingest_processors_are_taken_with_their_keys(cluster: Cluster, name: str) -> None:
    every = [{kind: whole(kind, demands)} for kind, demands in processors.INGEST.items()]
    assert refusal(cluster, f"{ingest_pipeline.BASE}/{name}", {"processors": every}) == ""


def test_search_processors_are_taken_with_their_keys(cluster: Cluster, name: str) -> None:
    every = {kind: whole(kind, demands) for kind, demands in processors.SEARCH.items()}
    assert refusal(cluster, f"{search_pipeline.BASE}/{name}", by_place(every)) == ""


@pytest.mark.parametrize("kind", [kind for kind, demands in processors.INGEST.items() if demands])
def test_an_ingest_processor_is_refused_without_one_of_its_keys(cluster: Cluster, name: str, kind: str) -> None:
    options = whole(kind, processors.INGEST[kind])
    for demand in processors.INGEST[kind]:
        less = {key: value for key, value in options.items() if key != demand.split("|")[0]}
        assert refusal(cluster, f"{ingest_pipeline.BASE}/{name}", {"processors": [{kind: less}]}), demand


@pytest.mark.parametrize("kind", [kind for kind, demands in processors.SEARCH.items() if demands])
def test_a_search_processor_is_refused_without_one_of_its_keys(cluster: Cluster, name: str, kind: str) -> None:
    options = whole(kind, processors.SEARCH[kind])
    for demand in processors.SEARCH[kind]:
        less = {key: value for key, value in options.items() if key != demand.split("|")[0]}
        assert refusal(cluster, f"{search_pipeline.BASE}/{name}", by_place({kind: less})), demand


@pytest.mark.parametrize("weights", [[0.5, 0.7], [1.5, -0.5]])
def test_weights_that_osform_refuses_are_refused_by_the_server(
    cluster: Cluster, name: str, weights: list[float]
) -> None:
    combination = {"technique": "arithmetic_mean", "parameters": {"weights": weights}}
    body = {"phase_results_processors": [{"normalization-processor": {"combination": combination}}]}
    assert list(search_pipeline.check(name, body, Context()))
    assert refusal(cluster, f"{search_pipeline.BASE}/{name}", body)
