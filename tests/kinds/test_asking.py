"""Questions that an index could never be asked, told from files alone; and silence where files don't say."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.address import Address
from osform.core.checks import Checks, Query
from osform.core.document import Document
from osform.kinds.asking import check
from osform.kinds.base import Body

TEXT, VECTOR = {"type": "text"}, {"type": "knn_vector", "dimension": 8}
FIELDS = {"title": TEXT, "title_vector": VECTOR, "meta": {"properties": {"note": TEXT}}}
PIPELINE = {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"title": "title_vector"}}}]}
TWO = {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"title": "title_vector", "body": "b"}}}]}


def index(dynamic: str = "true", pipeline: str | None = "p") -> Body:
    settings = {"index": {"default_pipeline": pipeline}} if pipeline else {}
    return {"settings": settings, "mappings": {"dynamic": dynamic, "properties": FIELDS}}


def told(query: Query, index: Body, **others: Any) -> list[str]:
    bodies = {Address("index", "pics"): index, Address("ingest_pipeline", "p"): others.get("p", PIPELINE)}
    bodies |= {Address("index_template", name): {} for name in others.get("templates", ())}
    asked = Checks("pics", (query,), {}, {}, Document("f", {}, {}))
    return [f"{each.path[-1]}: {each.message}; {each.hint}" for each in check(asked, bodies)]


def ask(**how: Any) -> Query:
    return Query("cats", {"a": 1}, 1, path=("queries", 0), **how)


@pytest.mark.parametrize("field", [None, "title", "title_vector"])
@pytest.mark.parametrize("mode", [None, "semantic", "hybrid", "lexical"])
def test_what_an_index_has_may_be_asked(mode: Any, field: str | None) -> None:
    assert told(ask(mode=mode, field=field), index("strict")) == []


def test_without_a_pipeline_nothing_is_found_by_meaning() -> None:
    (one,) = told(ask(mode="hybrid"), index(pipeline=None))
    assert one.startswith("mode: hybrid, but no pipeline of the index makes vectors from a text; write mode: lexical")
    assert told(ask(), index(pipeline=None)) == []


def test_a_field_without_vectors_is_told_with_the_nearest() -> None:
    assert told(ask(field="titel"), index()) == ["field: the index has no vectors for 'titel'; did you mean title?"]


def test_of_several_vector_fields_one_must_be_said() -> None:
    (one,) = told(ask(), index(), p=TWO)
    assert "the index has several vector fields: b (from body), title_vector (from title); say which" in one
    assert told(ask(field="body"), index(), p=TWO) == []


def test_words_are_searched_in_any_field_that_documents_may_bring_along() -> None:
    assert told(ask(mode="lexical", field="brought"), index()) == []
    (one,) = told(ask(mode="lexical", field="metanote"), index("strict"))
    assert one == "field: the index has no text field 'metanote'; did you mean meta.note?"


def test_nothing_is_said_where_something_outside_the_file_may_decide() -> None:
    assert told(ask(mode="semantic"), index(pipeline="somebody-elses")) == []
    assert told(ask(mode="semantic"), index(pipeline=None), templates=["t"]) == []
    assert told(ask(mode="semantic"), {"mappings": [], "settings": 5}) == []


def test_checks_of_an_index_with_mistakes_are_left_alone() -> None:
    assert list(check(Checks("pics", (ask(mode="semantic"),), {}, {}, Document("f", {}, {})), {})) == []
