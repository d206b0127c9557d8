"""Searches as values: which fields, which model, which pipeline; and what can't be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from osform.cluster.queries import NORMALIZATION, default_mode, embedding_of, search_request, words_of
from osform.cluster.targets import Target
from osform.core.embeddings import Embedding
from osform.errors import InputError

TITLE, BODY = Embedding("title", "title_vector", "m1"), Embedding("body", "body_vector", "m2")
ONE = Target("pics", ("pics-v1",), "pics-v1", ("other", "title"), ("title_vector",), (TITLE,), None)
TWO = replace(
    ONE, text_fields=("body", "title"), vector_fields=("body_vector", "title_vector"), embeddings=(BODY, TITLE)
)
WORDS = replace(ONE, vector_fields=(), embeddings=())


def test_the_default_mode_is_the_one_that_understands() -> None:
    assert default_mode(ONE, None) == "semantic"
    assert default_mode(replace(ONE, search_pipeline="p"), None) == "semantic"
    assert default_mode(ONE, "p") == "hybrid"
    assert default_mode(WORDS, None) == "lexical"


def test_a_lexical_search_is_a_match_on_the_text_that_is_embedded() -> None:
    request = search_request(ONE, "cats", "lexical", field=None, size=5, pipeline=None)
    assert request.path == "/pics/_search"
    assert request.body["query"] == {"match": {"title": {"query": "cats"}}}
    assert request.body["size"] == 5
    assert request.body["_source"] == {"excludes": ["title_vector"]}


def test_a_semantic_search_asks_the_model_of_the_ingest_pipeline() -> None:
    request = search_request(ONE, "cats", "semantic", field=None, size=5, pipeline=None)
    neural = {"title_vector": {"query_text": "cats", "model_id": "m1", "k": 100}}
    assert request.body["query"] == {"neural": neural}


def test_k_is_never_less_than_what_is_asked_for() -> None:
    request = search_request(ONE, "cats", "semantic", field=None, size=500, pipeline=None)
    assert request.body["query"]["neural"]["title_vector"]["k"] == 500


def test_a_hybrid_search_without_any_pipeline_brings_its_own() -> None:
    request = search_request(ONE, "cats", "hybrid", field=None, size=5, pipeline=None)
    assert [list(query) for query in request.body["query"]["hybrid"]["queries"]] == [["match"], ["neural"]]
    assert request.body["search_pipeline"] == NORMALIZATION


@pytest.mark.parametrize(("asked", "used"), [(None, "own"), ("mine", "mine")])
def test_a_hybrid_search_uses_the_pipeline_that_is_named_or_the_indexs_own(asked: str | None, used: str) -> None:
    target = replace(ONE, search_pipeline="own")
    request = search_request(target, "cats", "hybrid", field=None, size=5, pipeline=asked)
    assert (request.params, "search_pipeline" in request.body) == ({"search_pipeline": used}, False)


@pytest.mark.parametrize("field", ["body", "body_vector"])
def test_a_field_is_named_by_its_text_or_by_its_vector(field: str) -> None:
    assert embedding_of(TWO, field) == BODY
    assert words_of(TWO, field) == ("body",)


def test_several_vector_fields_are_listed_where_none_is_named() -> None:
    with pytest.raises(InputError) as caught:
        embedding_of(TWO, None)
    assert caught.value.message == (
        "pics has several vector fields: body_vector (from body), title_vector (from title)"
    )
    assert caught.value.hint == "say which: --field FIELD"


def test_several_text_fields_without_vectors_are_all_searched() -> None:
    request = search_request(WORDS, "cats", "lexical", field=None, size=5, pipeline=None)
    assert request.body["query"]["multi_match"]["fields"] == ["other", "title"]


def test_any_text_field_may_be_named_for_a_search_by_words() -> None:
    assert words_of(ONE, "other") == ("other",)


def test_what_has_no_vectors_cannot_be_searched_by_meaning() -> None:
    with pytest.raises(InputError, match="pics has no vector field"):
        embedding_of(WORDS, None)
    with pytest.raises(InputError, match="no ingest pipeline of pics makes title_vector"):
        embedding_of(replace(ONE, embeddings=()), None)
    with pytest.raises(InputError, match="pics has no vectors for 'other'"):
        embedding_of(ONE, "other")


def test_a_field_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InputError) as caught:
        words_of(ONE, "tilte")
    assert caught.value.hint == "--field is one of: other, title"
