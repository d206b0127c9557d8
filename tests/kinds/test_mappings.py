"""What the ``_source`` of documents has, as a mapping says, and what a copy made from it would lack."""

from __future__ import annotations

from typing import Any

import pytest

from osform.kinds.mappings import kept, lost

FIELDS = {
    "text": {"type": "text"},
    "text_embedding": {"type": "knn_vector"},
    "photo": {"properties": {"hash": {"type": "keyword"}, "picture_embedding": {"type": "knn_vector"}}},
    "parts": {"type": "nested", "properties": {"knn": {"type": "knn_vector"}}},
    "embedding": {"type": "alias", "path": "text_embedding"},
}
MADE = {"text_embedding": "text", "parts": "chunks"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ({"excludes": ["text_embedding"]}, []),
        ({"excludes": "text_*"}, []),
        ({"excludes": ["parts"]}, []),
        ({"excludes": ["parts.knn", "*t_embedding"]}, []),
        ({"excludes": ["embedding"]}, []),
        ({"excludes": ["*_embedding"]}, ["photo.picture_embedding"]),
        ({"excludes": ["photo"]}, ["photo.hash", "photo.picture_embedding"]),
        ({"excludes": ["photo.*"]}, ["photo.hash", "photo.picture_embedding"]),
        ({"excludes": ["text*"]}, ["text"]),
        ({"excludes": ["chunks"]}, ["chunks"]),
        ({"includes": ["text", "photo", "chunks"]}, []),
        ({"includes": ["text", "chunks"]}, ["photo.hash", "photo.picture_embedding"]),
        ({"includes": [], "excludes": []}, []),
        ({"enabled": True}, []),
        ({}, []),
    ],
)
def test_a_copy_lacks_what_source_has_not_and_no_pipeline_makes_anew(source: Any, names: list[str]) -> None:
    assert lost({"_source": source, "properties": FIELDS}, MADE) == names


@pytest.mark.parametrize("off", [False, "false"])
def test_without_a_source_a_copy_lacks_everything(off: Any) -> None:
    mapping = {"_source": {"enabled": off}, "properties": FIELDS}
    assert not kept(mapping, "text")
    assert lost(mapping, MADE) == ["text", "photo.hash", "photo.picture_embedding", "chunks"]
