"""The requests of the ML Commons API, read as values."""

from osform.core.request import Request
from osform.kinds import ml


def test_a_model_is_deployed_undeployed_read_and_deleted_under_its_id() -> None:
    assert ml.deploy("m1") == Request("POST", "/_plugins/_ml/models/m1/_deploy")
    assert ml.undeploy("m1") == Request("POST", "/_plugins/_ml/models/m1/_undeploy")
    assert ml.get_model("m1") == Request("GET", "/_plugins/_ml/models/m1")
    assert ml.delete("m1") == Request("DELETE", "/_plugins/_ml/models/m1")


def test_the_function_comes_before_the_configuration_that_it_decides_how_to_parse() -> None:
    request = ml.register_meta({"model_config": {}, "description": "d", "function_name": "TEXT_EMBEDDING", "name": "n"})
    assert list(request.body) == ["name", "function_name", "description", "model_config"]


def test_a_chunk_is_sent_as_raw_bytes_under_its_number() -> None:
    assert ml.chunk("m1", 3, b"zip") == Request("POST", "/_plugins/_ml/models/m1/upload_chunk/3", b"zip")


def test_chunks_are_searched_by_model_without_their_bytes() -> None:
    body = ml.chunks("m1", 9).body
    assert body["query"]["bool"]["filter"] == [{"term": {"model_id": "m1"}}, {"exists": {"field": "chunk_number"}}]
    assert (body["_source"], body["size"]) == (["chunk_number"], 9)


def test_models_are_listed_without_chunks_and_page_by_page() -> None:
    first, second = ml.all_models(size=2), ml.all_models(size=2, after=[17])
    assert first.body["query"] == {"bool": {"must_not": [{"exists": {"field": "chunk_number"}}]}}
    assert second.body == {**first.body, "search_after": [17]}


def test_a_half_registered_model_is_found_by_the_hash_of_its_bytes() -> None:
    query = ml.models_by_hash("abc").body["query"]["bool"]
    assert query["filter"] == [{"term": {"model_content_hash_value": "abc"}}]
    assert query["must_not"] == [{"exists": {"field": "chunk_number"}}]


def test_fields_are_changed_in_place() -> None:
    assert ml.put_model("m1", {"description": "d"}) == Request("PUT", "/_plugins/_ml/models/m1", {"description": "d"})


def test_a_prediction_asks_for_the_pooled_vector_alone() -> None:
    request = ml.predict("m1", ["a", ""])
    assert request.path == "/_plugins/_ml/_predict/text_embedding/m1"
    assert request.body == {
        "text_docs": ["a", ""],
        "return_number": True,
        "target_response": ["sentence_embedding"],
    }


def test_nodes_are_asked_for_some_models_or_for_all() -> None:
    assert ml.profile(["a", "b"]) == Request("GET", "/_plugins/_ml/profile/models/a,b")
    assert ml.profile() == Request("GET", "/_plugins/_ml/profile/models")


def test_a_task_is_read_by_its_id() -> None:
    assert ml.task("t1") == Request("GET", "/_plugins/_ml/tasks/t1")


def test_groups_are_registered_changed_found_by_name_and_deleted() -> None:
    assert ml.register_group({"name": "g"}) == Request("POST", "/_plugins/_ml/model_groups/_register", {"name": "g"})
    assert ml.put_group("g1", {"description": "d"}).path == "/_plugins/_ml/model_groups/g1"
    assert ml.groups_named("g").body["query"] == {"term": {"name.keyword": "g"}}
    assert ml.delete_group("g1") == Request("DELETE", "/_plugins/_ml/model_groups/g1")


def test_an_identifier_cannot_leave_its_place_in_the_path() -> None:
    assert ml.get_model("a/../b?c").path == "/_plugins/_ml/models/a%2F..%2Fb%3Fc"
