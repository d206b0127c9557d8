"""What is behind an alias, read from what a cluster answers."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.targets import Target, describe
from osform.core.embeddings import Embedding
from osform.errors import InputError, NotReady
from tests.proxy import Answer, Call, Proxy


def index(properties: dict[str, Any] | None = None, *, pipeline: str = "", **alias: Any) -> dict[str, Any]:
    settings = {"index.default_pipeline": pipeline} if pipeline else {}
    return {"aliases": {"pics": alias}, "mappings": {"properties": properties or {}}, "settings": settings}


def described(indices: dict[str, Any], pipelines: dict[str, Any] | None = None, name: str = "pics") -> Target:
    """What ``describe`` makes of these answers, and of 404 where there is none."""

    def server(call: Call) -> Answer:
        found = pipelines if call.path.startswith("/_ingest") else indices
        return Answer(200, found) if found else Answer(404, {"error": {"type": "not_found", "reason": "no"}})

    with Proxy("http://127.0.0.1:9", server) as proxy:
        cluster = Cluster(proxy.url)
        try:
            return describe(cluster, name)
        finally:
            cluster.close()


def embeds(field_map: dict[str, Any]) -> dict[str, Any]:
    return {
        "p": {
            "processors": [{"lowercase": {"field": "x"}}, {"text_embedding": {"model_id": "m", "field_map": field_map}}]
        }
    }


VECTOR = {"type": "knn_vector", "dimension": 3}


def test_text_vector_and_model_come_from_mapping_and_pipeline() -> None:
    properties = {"title": {"type": "text"}, "v": VECTOR, "n": {"type": "integer"}}
    target = described({"pics-v1": index(properties, pipeline="p")}, embeds({"title": "v"}))
    assert target.embeddings == (Embedding("title", "v", "m"),)
    assert (target.text_fields, target.vector_fields) == (("title",), ("v",))
    assert (target.write_index, target.is_alias) == ("pics-v1", True)


@pytest.mark.parametrize("field_map", [{"a": {"text": "v"}}, {"a.text": "v"}, {"a.text": "a.v"}])
def test_fields_inside_objects_have_dotted_names(field_map: dict[str, Any]) -> None:
    properties = {"a": {"properties": {"text": {"type": "text"}, "v": VECTOR}}}
    target = described({"pics-v1": index(properties, pipeline="p")}, embeds(field_map))
    assert target.embeddings == (Embedding("a.text", "a.v", "m"),)


def test_a_pipeline_that_is_gone_is_no_pipeline() -> None:
    assert described({"pics-v1": index({"v": VECTOR}, pipeline="p")}).embeddings == ()


def test_an_alias_of_two_indices_writes_to_the_one_that_says_so() -> None:
    assert described({"a": index(), "b": index(is_write_index=True)}).write_index == "b"
    assert described({"a": index(), "b": index()}).write_index is None


def test_an_index_is_no_alias() -> None:
    assert described({"pics": index()}).is_alias is False


def test_what_is_not_there_is_said_with_what_makes_it() -> None:
    with pytest.raises(NotReady, match="there is no alias 'pics'") as caught:
        described({})
    assert "osform apply" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", "*", "a,b", "_all", "-a", "a/b", "pics*"])
def test_a_pattern_is_not_a_name(name: str) -> None:
    with pytest.raises(InputError, match="is not the name of an alias"):
        described({"pics-v1": index()}, name=name)
