"""What is indexed of pictures that the index has already, by an OpenSearch that a function stands for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.errors import InputError
from osform.flows.indexing_pictures import Indexed, Manner, index_pictures
from osform.flows.picture_inputs import Inputs
from tests import clips
from tests.caption.drawn import folder_of
from tests.proxy import Answer, Call, Proxy

pytestmark = pytest.mark.export


@dataclass
class Gallery:
    """An index with documents of pictures, whose vectors may be in any of ``vectors``."""

    vectors: tuple[str, ...]
    documents: dict[str, Any] = field(default_factory=dict)

    def __call__(self, call: Call) -> Answer:
        if call.path.startswith("/pics/_mapping/field/"):
            name = call.path.rpartition("/")[2]
            leaf = {"type": "knn_vector", "dimension": 16}
            return Answer(200, {"pics-v1": {"mappings": {name: {"mapping": {name: leaf}}}}})
        if call.path == "/pics-v1/_mget":
            return Answer(200, {"docs": [self.got(id, call.query) for id in call.json["ids"]]})
        if call.path.endswith("/_bulk"):
            return Answer(200, {"took": 1, "errors": False, "items": [*self.written(call.body)]})
        if call.path == "/pics/_search":
            return Answer(200, {"hits": {"hits": []}})
        if call.path.startswith("/osform-pictures") and call.method == "GET":
            return Answer(404, {"found": False})
        mapping = {"properties": {name: {"type": "knn_vector"} for name in self.vectors}}
        return Answer(200, {"pics-v1": {"aliases": {"pics": {}}, "settings": {"index.uuid": "u"}, "mappings": mapping}})

    def got(self, id: str, query: str) -> dict[str, Any]:
        source = self.documents.get(id)
        if source is None:
            return {"_id": id, "found": False}
        if "_source_includes" in query:
            source = {key: value for key, value in source.items() if key in query}
        return {"_id": id, "found": True, "_source": source, "_seq_no": 1, "_primary_term": 1}

    def written(self, body: bytes) -> Any:
        lines = [json.loads(line) for line in body.splitlines()]
        for header, source in zip(lines[::2], lines[1::2], strict=True):
            id = header["index"]["_id"]
            self.documents[id] = source
            yield {"index": {"_id": id, "_index": "pics-v1", "status": 200, "result": "created"}}


def ingest(gallery: Gallery, folder: Path, model: Path, vector: str) -> Indexed:
    with Proxy("http://127.0.0.1:9", gallery) as proxy:
        return index_pictures(
            Cluster(proxy.url), "pics", Inputs((str(folder),)), model=str(model), vector_field=vector,
            failures=folder.with_suffix(".failed.jsonl"), manner=Manner(workers=0),
        )  # fmt: skip


def test_a_second_field_for_vectors_is_filled_for_pictures_that_are_there(tmp_path: Path) -> None:
    folder, model, gallery = folder_of(tmp_path / "p", 3), clips.build(tmp_path / "clip"), Gallery(("one", "other"))
    done = [ingest(gallery, folder, model, name) for name in ("one", "other", "other")]
    assert [(each.indexed, each.unchanged) for each in done] == [(3, 0), (3, 0), (0, 3)]
    assert all(len(each["one"]) == len(each["other"]) == 16 for each in gallery.documents.values())


def test_a_name_that_is_no_text_is_indexed_with_escapes(tmp_path: Path) -> None:
    (path,) = folder_of(tmp_path / "p", 1).iterdir()
    path.rename(tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape"))
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.png\n")
    gallery = Gallery(("vector",))
    assert ingest(gallery, tmp_path / "list.txt", clips.build(tmp_path / "clip"), "vector").indexed == 1
    assert [each["image"] for each in gallery.documents.values()] == [r"caf\xe9.png"]


@pytest.mark.parametrize(
    ("how", "said"), [(Manner(id_column="idd"), "--id idd"), (Manner(kept={"titel": "titel"}), "--keep titel")]
)
def test_a_column_that_no_table_has_is_refused_before_anything_is_indexed(
    tmp_path: Path, how: Manner, said: str
) -> None:
    (path,) = folder_of(tmp_path / "p", 1).iterdir()
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "7", "title": "a cat", "image": str(path)}) + "\n")
    with pytest.raises(InputError, match=f"{said}: nothing stands in it"):
        index_pictures(
            Cluster("http://127.0.0.1:9"), "pics", Inputs((str(tmp_path / "t.jsonl"),)), model="none", manner=how,
            failures=tmp_path / "failed.jsonl",
        )  # fmt: skip
