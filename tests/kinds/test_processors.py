"""What is known of processors without a cluster, and what resources must agree on."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.address import Address
from osform.core.models import ModelLock, Probe
from osform.core.values import Unknown
from osform.kinds import consistency, ingest_pipeline, search_pipeline
from osform.kinds.base import Body, Context

M = Address("model", "m")
MODEL_ID = Unknown("${model/m.model_id}")


def said(kind: Any, body: Any) -> list[str]:
    return [f"{'.'.join(map(str, f.path))}: {f.message}; {f.hint}" for f in kind.check("n", body, Context())]


def weighted(*weights: Any, **more: Any) -> list[str]:
    options = {"normalization": more, "combination": {"parameters": {"weights": list(weights)}}}
    return said(search_pipeline, {"phase_results_processors": [{"normalization-processor": options}]})


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        ({"grok": {"field": "a"}}, "processors.0.grok: 'patterns' is missing"),
        ({"script": {"lang": "painless"}}, "processors.0.script: 'source' is missing"),
        ({"text_chunking": {"field_map": {}}}, "'algorithm' is missing"),
        ({"pipeline": {}}, "'name' is missing"),
    ],
)
def test_a_processor_without_what_the_server_demands_is_found(processor: Any, words: str) -> None:
    (finding,) = said(ingest_pipeline, {"processors": [processor]})
    assert words in finding


@pytest.mark.parametrize("processor", [{"script": {"id": "a"}}, {"remove": {"exclude_field": "a"}}, {"unheard_of": {}}])
def test_one_of_two_keys_is_enough_and_unknown_processors_are_the_server_s(processor: Any) -> None:
    assert said(ingest_pipeline, {"processors": [processor]}) == []


def test_weights_add_up_to_one_and_are_as_many_as_the_bounds() -> None:
    assert weighted(0.3, 0.7) == weighted(1, 0) == weighted(0.3333, 0.3333, 0.3333) == []
    assert "the weights add up to 1.2, expected 1" in weighted(0.5, 0.7)[0]
    assert "weights.0: 1.5, expected a weight between 0 and 1" in weighted(1.5, -0.5)[0]
    assert "weights.1: text ('0.7'), expected a number" in weighted(0.3, "0.7")[0]
    bounds = [{"mode": "clip", "min_score": 0.1}]
    assert "1 bounds, but 2 weights" in weighted(0.3, 0.7, parameters={"lower_bounds": bounds})[0]


def test_techniques_that_there_are_none_of_or_that_do_not_go_together_are_found() -> None:
    assert "did you mean min_max?" in weighted(1, technique="min_mx")[0]
    options = {"normalization": {"technique": "z_score"}, "combination": {"technique": "harmonic_mean"}}
    (finding,) = said(search_pipeline, {"phase_results_processors": [{"normalization-processor": options}]})
    assert "harmonic_mean of z-scores" in finding


def agreed(field: Body, **promised: Any) -> list[str]:
    embed = {"text_embedding": {"model_id": MODEL_ID, "field_map": {"a": "v"}}}
    bodies: dict[Address, Body] = {
        M: {"connector": "c1"},
        Address("ingest_pipeline", "p"): {"processors": [embed]},
        Address("index", "images"): {
            "settings": {"index": {"default_pipeline": "p"}},
            "mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 4, **field}}},
        },
    }
    found = consistency.check(bodies, {M: promised})
    return [f"{'.'.join(map(str, f.path))}: {f.message}; {f.hint}" for _, f in found]


def test_a_vector_is_compared_as_its_model_was_made_for() -> None:
    assert agreed({"method": {"space_type": "cosinesimil"}}, space_type="cosinesimil") == []
    assert agreed({"space_type": "cosinesimil"}, space_type="cosinesimil") == []
    assert agreed({}, space_type="cosinesimil") == agreed({"method": {"space_type": "l2"}}) == []
    assert agreed({"method": {"space_type": "l2"}}, space_type="cosinesimil") == [
        "mappings.properties.v.method.space_type: 'l2', but the vectors of model/m are compared by cosinesimil; "
        "write space_type: ${model/m.space_type}"
    ]


def test_vectors_of_length_one_may_be_compared_in_each_space_that_ranks_them_alike() -> None:
    unit, other = (
        ModelLock("m", "", 2, 9, "cosinesimil", (), (Probe("a", vector),)) for vector in ((0.6, 0.8), (1, 1))
    )
    l2 = {"method": {"space_type": "l2"}}
    assert agreed(l2, space_type="cosinesimil", spaces=unit.spaces) == []
    assert len(agreed(l2, space_type="cosinesimil", spaces=other.spaces)) == 1
    assert len(agreed({"space_type": "l1"}, space_type="cosinesimil", spaces=unit.spaces)) == 1


def test_what_a_model_does_not_say_can_never_be_known() -> None:
    (found,) = agreed({"dimension": Unknown("${model/m.dimension}")})
    assert "${model/m.dimension}: the model doesn't say its dimension" in found


def test_sparse_vectors_need_no_knn_vector() -> None:
    sparse = {"sparse_encoding": {"model_id": MODEL_ID, "field_map": {"a": "v"}}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): {"processors": [sparse]},
        Address("index", "i"): {
            "settings": {"default_pipeline": "p"},
            "mappings": {"properties": {"v": {"type": "rank_features"}}},
        },
    }
    assert list(consistency.check(bodies, {})) == []


def chunked(kind: str, field: Body) -> list[str]:
    """What is said of an index with this field, which a pipeline fills from the pieces of a text."""
    chunk = {"text_chunking": {"algorithm": {"delimiter": {}}, "field_map": {"text": "chunks"}}}
    fill = {kind: {"model_id": MODEL_ID, "field_map": {"chunks": "pieces"}}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): {"processors": [chunk, fill]},
        Address("index", "i"): {"settings": {"default_pipeline": "p"}, "mappings": {"properties": {"pieces": field}}},
    }
    found = consistency.check(bodies, {M: {"dimension": 4}})
    return [f"{'.'.join(map(str, f.path))}: {f.message}; {f.hint}" for _, f in found]


def test_each_piece_of_a_text_has_its_vector_in_an_object_of_its_own() -> None:
    vector: Body = {"type": "knn_vector", "dimension": 4}
    assert chunked("text_embedding", {"type": "nested", "properties": {"knn": vector}}) == []
    (wrong,) = chunked("text_embedding", {"type": "nested", "properties": {"knn": {**vector, "dimension": 5}}})
    assert wrong.startswith("mappings.properties.pieces.properties.knn.dimension: 5, but model/m gives 4")
    (flat,) = chunked("text_embedding", vector)
    assert "no knn_vector 'pieces.knn', which ingest_pipeline/p fills" in flat
    assert flat.endswith(
        "add pieces: {type: nested, properties: {knn: {type: knn_vector, dimension: ${model/m.dimension}}}}"
    )


def test_each_piece_of_a_text_has_its_weights_in_an_object_of_its_own() -> None:
    weights: Body = {"sparse_encoding": {"type": "rank_features"}}
    assert chunked("sparse_encoding", {"type": "nested", "properties": weights}) == []
    (flat,) = chunked("sparse_encoding", {"type": "rank_features"})
    assert "add pieces: {type: nested, properties: {sparse_encoding: {type: rank_features}}}" in flat


def test_a_question_is_embedded_by_the_model_of_the_documents() -> None:
    embed = {"text_embedding": {"model_id": MODEL_ID, "field_map": {}}}
    enrich = {"neural_query_enricher": {"default_model_id": Unknown("${model/other.model_id}")}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): {"processors": [embed]},
        Address("search_pipeline", "s"): {"request_processors": [enrich]},
        Address("index", "i"): {"settings": {"default_pipeline": "p", "search.default_pipeline": "s"}},
    }
    ((address, finding),) = consistency.check(bodies, {})
    assert (str(address), finding.message) == (
        "search_pipeline/s", "model/other, but index/i has vectors of model/m",
    )  # fmt: skip


def by_field(field: str, vector: Body, **promised: Any) -> list[str]:
    """What is said where model/other, which promises this, is to embed questions for a field of this mapping."""
    model = Address("model", "other")
    embed = {"text_embedding": {"model_id": MODEL_ID, "field_map": {"a": "of_text"}}}
    named = {"neural_field_default_id": {field: Unknown("${model/other.model_id}")}}
    bodies: dict[Address, Body] = {
        Address("ingest_pipeline", "p"): {"processors": [embed]},
        Address("search_pipeline", "s"): {"request_processors": [{"neural_query_enricher": named}]},
        Address("index", "i"): {
            "settings": {"search.default_pipeline": "s", **({"default_pipeline": "p"} if field == "of_text" else {})},
            "mappings": {"properties": {field: {"type": "knn_vector", **vector}}},
        },
    }
    return [
        f"{address} {'.'.join(map(str, f.path))}: {f.message}"
        for address, f in consistency.check(bodies, {model: promised})
    ]


def test_a_field_that_no_pipeline_fills_fits_the_model_that_is_asked_for_it() -> None:
    clip = {"dimension": 512, "space_type": "cosinesimil"}
    assert by_field("of_picture", {"dimension": 512, "space_type": "cosinesimil"}, **clip) == []
    assert by_field("of_picture", {"dimension": 384, "method": {"space_type": "l2"}}, **clip) == [
        "index/i mappings.properties.of_picture.dimension: 384, but model/other gives 512",
        "index/i mappings.properties.of_picture.method.space_type: 'l2', but the vectors of model/other are compared "
        "by cosinesimil",
    ]


def test_a_field_may_be_named_with_its_object_in_one_word_there_too() -> None:
    (found,) = by_field("o.of_picture", {"dimension": 384}, dimension=512)
    assert found == "index/i mappings.properties.o.properties.of_picture.dimension: 384, but model/other gives 512"


def test_a_field_that_a_pipeline_fills_is_asked_with_the_pipelines_model() -> None:
    (found,) = by_field("of_text", {"dimension": 384}, dimension=384)
    assert found == (
        "search_pipeline/s request_processors.0.neural_query_enricher.neural_field_default_id.of_text: model/other, "
        "but index/i has vectors of model/m in of_text"
    )


def asked(processor: str, documents: Body, questions: Body, **known: Any) -> list[str]:
    """What is said where model/other embeds questions to an index whose documents model/m embeds."""
    other = Address("model", "other")
    bodies: dict[Address, Body] = {
        M: documents,
        other: questions,
        Address("ingest_pipeline", "p"): {"processors": [{processor: {"model_id": MODEL_ID, "field_map": {}}}]},
        Address("search_pipeline", "s"): {
            "request_processors": [{"neural_query_enricher": {"default_model_id": Unknown("${model/other.model_id}")}}]
        },
        Address("index", "i"): {"settings": {"default_pipeline": "p", "search.default_pipeline": "s"}},
    }
    return [finding.message for _, finding in consistency.check(bodies, {M: {"dimension": 4}, other: known})]


def test_questions_to_weights_of_tokens_may_be_given_to_a_tokenizer() -> None:
    assert asked("sparse_encoding", {}, {"pretrained": "tokenizer"}) == []
    assert asked("sparse_encoding", {}, {}, function_name="SPARSE_ENCODING") == []
    assert len(asked("sparse_encoding", {}, {}, function_name="TEXT_EMBEDDING")) == 1


def test_questions_may_have_a_connector_of_their_own_to_a_model_that_wants_to_know_what_they_are() -> None:
    assert asked("text_embedding", {"connector": "a"}, {"connector": "b"}) == []
    assert asked("text_embedding", {"connector": "a"}, {"connector": "b"}, dimension=4) == []
    assert len(asked("text_embedding", {"connector": "a"}, {"connector": "b"}, dimension=5)) == 1
    assert len(asked("text_embedding", {"model": "m"}, {"connector": "b"}, dimension=4)) == 1


def functions(function_name: str, **bodies: Body) -> list[str]:
    """What is said where model/m of that function is referred to."""
    whole = {Address(*key.split("__")): body for key, body in bodies.items()} | {M: {"model": "m"}}
    found = consistency.check(whole, {M: {"function_name": function_name, "max_length": 9}})
    return [f"{address} {'.'.join(map(str, f.path))}: {f.message}; {f.hint}" for address, f in found]


def test_a_processor_needs_a_model_of_its_own_function() -> None:
    embed: Body = {"processors": [{"text_embedding": {"model_id": MODEL_ID, "field_map": {}}}]}
    rerank: Body = {"response_processors": [{"rerank": {"ml_opensearch": {"model_id": MODEL_ID}}}]}
    assert functions("TEXT_EMBEDDING", ingest_pipeline__p=embed) == []
    assert functions("TEXT_SIMILARITY", search_pipeline__p=rerank) == []
    assert functions("TEXT_SIMILARITY", ingest_pipeline__p=embed) == [
        "ingest_pipeline/p processors.0.text_embedding.model_id: model/m is a TEXT_SIMILARITY model, expected "
        "TEXT_EMBEDDING; name a model whose function_name is text_embedding"
    ]
    (found,) = functions("TEXT_EMBEDDING", search_pipeline__p=rerank)
    assert "model/m is a TEXT_EMBEDDING model, expected TEXT_SIMILARITY" in found


@pytest.mark.parametrize(("kind", "count"), [("rank_features", 0), ("sparse_vector", 0), ("knn_vector", 1)])
def test_weights_of_tokens_go_into_rank_features(kind: str, count: int) -> None:
    encode: Body = {"processors": [{"sparse_encoding": {"model_id": MODEL_ID, "field_map": {"a": "deep.w"}}}]}
    index: Body = {
        "settings": {"index": {"default_pipeline": "p"}},
        "mappings": {"properties": {"deep": {"properties": {"w": {"type": kind}}}}},
    }
    found = functions("SPARSE_ENCODING", ingest_pipeline__p=encode, index__i=index)
    assert len(found) == count
    assert all("no rank_features 'deep.w', which ingest_pipeline/p fills" in each for each in found)


def test_only_embeddings_have_a_dimension() -> None:
    index: Body = {"mappings": {"properties": {"v": {"dimension": Unknown("${model/m.dimension}")}}}}
    (found,) = functions("TEXT_SIMILARITY", index__i=index)
    assert "${model/m.dimension}: a TEXT_SIMILARITY model has no dimension" in found
