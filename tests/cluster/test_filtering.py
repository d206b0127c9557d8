"""Filters as queries on the fields of an index."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.filtering import filter_query
from osform.cluster.targets import Target
from osform.core.filters import Filter
from osform.errors import InputError

TYPES = {
    "title": "text",
    "title.keyword": "keyword",
    "notes": "text",
    "place": "keyword",
    "width": "long",
    "v": "knn_vector",
}
PICS = Target("pics", ("pics-v1",), "pics-v1", ("notes", "title"), ("v",), (), None, TYPES)


def query(*texts: str) -> Any:
    return filter_query(PICS, map(Filter.parse, texts))


def test_no_filter_is_no_query() -> None:
    assert query() is None


def test_one_filter_is_one_clause() -> None:
    assert query("place=home") == {"term": {"place": "home"}}
    assert query("width>=1000") == {"range": {"width": {"gte": "1000"}}}


def test_values_of_one_field_are_alternatives_and_fields_come_together() -> None:
    assert query("place=home", "width<9", "place=street") == {
        "bool": {"filter": [{"terms": {"place": ["home", "street"]}}, {"range": {"width": {"lt": "9"}}}]}
    }


def test_what_must_not_be_is_excluded() -> None:
    assert query("place!=home") == {"bool": {"must_not": [{"term": {"place": "home"}}]}}


def test_a_text_is_compared_as_a_whole_where_the_mapping_has_that_form() -> None:
    assert query("title=a cat") == {"term": {"title.keyword": "a cat"}}
    assert query("notes=a cat") == {"match_phrase": {"notes": "a cat"}}


def test_a_field_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="pics has no field 'plase'") as caught:
        query("plase=home")
    assert caught.value.hint == "did you mean place?"


@pytest.mark.parametrize("text", ["title>a", "v=1"])
def test_what_cannot_be_compared_so_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="can't compare"):
        query(text)
