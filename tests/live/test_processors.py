"""What osform demands of processors is what the server demands: with it a pipeline is taken, without it refused."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.request import Request
from osform.errors import RequestFailed
from osform.kinds import ingest_pipeline, processors, search_pipeline
from osform.kinds.base import Context
from tests.live.stacks import Files

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


def whole(kind: str, demands: tuple[str, ...]) -> dict[str, Any]:
    return {each.split("|")[0]: SAMPLES[each.split("|")[0]] for each in demands} | MORE.get(kind, {})


def refusal(files: Files, path: str, body: Any) -> str:
    try:
        files.cluster.send(Request("PUT", path, body))
    except RequestFailed as error:
        return error.reason
    files.cluster.send(Request("DELETE", path))
    return ""


@pytest.mark.parametrize("kind", processors.INGEST)
def test_an_ingest_processor_is_taken_with_its_keys_and_refused_without_one(files: Files, kind: str) -> None:
    options = whole(kind, processors.INGEST[kind])
    path = f"{ingest_pipeline.BASE}/{files.name}"
    assert refusal(files, path, {"processors": [{kind: options}]}) == ""
    for demand in processors.INGEST[kind]:
        less = {key: value for key, value in options.items() if key != demand.split("|")[0]}
        assert refusal(files, path, {"processors": [{kind: less}]}), demand


@pytest.mark.parametrize("kind", processors.SEARCH)
def test_a_search_processor_is_taken_with_its_keys_and_refused_without_one(files: Files, kind: str) -> None:
    options, place = whole(kind, processors.SEARCH[kind]), PLACES.get(kind, "response_processors")
    path = f"{search_pipeline.BASE}/{files.name}"
    assert refusal(files, path, {place: [{kind: options}]}) == ""
    for demand in processors.SEARCH[kind]:
        less = {key: value for key, value in options.items() if key != demand.split("|")[0]}
        assert refusal(files, path, {place: [{kind: less}]}), demand


@pytest.mark.parametrize("weights", [[0.5, 0.7], [1.5, -0.5]])
def test_weights_that_osform_refuses_are_refused_by_the_server(files: Files, weights: list[float]) -> None:
    combination = {"technique": "arithmetic_mean", "parameters": {"weights": weights}}
    body = {"phase_results_processors": [{"normalization-processor": {"combination": combination}}]}
    assert list(search_pipeline.check(files.name, body, Context()))
    assert refusal(files, f"{search_pipeline.BASE}/{files.name}", body)
