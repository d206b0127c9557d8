"""Files written for what somebody set up by hand, on a cluster in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.core.events import Event
from osform.core.request import Request
from osform.errors import ApplyFailed, InputError, RequestFailed, SpecError
from osform.flows.importing import Imported, import_live
from osform.flows.stack import Stack
from tests.flows.memory import Json, MemoryCluster

EMBED = {"text_embedding": {"model_id": "m1", "field_map": {"text": "vector"}}}


class ByHand(MemoryCluster):
    """Stands for a cluster on which nobody used osform; it has no models, and lists all that is there."""

    def answer(self, request: Request, words: list[str], body: Any) -> Any:
        if words == ["_all"]:
            return self.indices
        if words[0] in ("_component_template", "_cluster") or words[2:3] in (["models"], ["connectors"]):
            return self.settings if words[-1] == "settings" else {}
        return super().answer(request, words, body)

    def has(self, index: str, *aliases: str, **settings: str) -> None:
        own = {"index.number_of_shards": "1", "index.uuid": index, **settings}
        options: Json = {alias: {} for alias in aliases}
        self.indices[index] = {
            "aliases": options,
            "settings": own,
            "mappings": {"properties": {"text": {"type": "text"}}},
        }


@pytest.fixture
def cluster() -> ByHand:
    return ByHand()


def imported(cluster: MemoryCluster, folder: Path, address: str | None = None) -> Imported:
    done = import_live(cluster, folder / "provision", environ={}, address=address)
    done.check()
    assert Stack.load(folder / "provision", environ={}).plan(cluster).empty
    assert [each for each in cluster.sent if not each.startswith("POST /_plugins")] == []
    return done


def test_names_with_numbers_that_somebody_gave_by_hand_are_left_out_and_all_else_is_imported(
    cluster: ByHand, tmp_path: Path
) -> None:
    cluster.pipelines["_ingest"] = {
        "clean": {"processors": []},
        "clean-v2": {"processors": [{"trim": {"field": "text"}}]},
    }
    cluster.has("goods", **{"index.default_pipeline": "clean-v2"})
    cluster.has("goods-v2")
    done = imported(cluster, tmp_path)
    assert sorted(map(str, done.adopted)) == ["index/goods", "ingest_pipeline/clean"]
    assert [each.partition(" is left out: ")[0] for each in done.skipped] == [
        "ingest_pipeline/clean-v2",
        "index/goods-v2",
    ]
    written = yaml.safe_load((tmp_path / "provision" / "index" / "goods.yaml").read_text())
    assert written["settings"]["index"]["default_pipeline"] == "clean-v2"


def test_two_indices_with_numbers_behind_one_alias_are_one_that_is_imported_and_one_that_is_left_out(
    cluster: ByHand, tmp_path: Path
) -> None:
    cluster.has("goods-v1", "goods")
    cluster.has("goods-v2", "goods")
    done = imported(cluster, tmp_path)
    assert (list(map(str, done.adopted)), len(done.skipped)) == (["index/goods"], 1)


def test_what_does_not_fit_the_rest_is_left_out_with_the_reason(cluster: ByHand, tmp_path: Path) -> None:
    cluster.pipelines["_ingest"] = {"embed": {"processors": [EMBED]}}
    cluster.has("goods", **{"index.default_pipeline": "embed"})
    done = imported(cluster, tmp_path)
    assert list(map(str, done.adopted)) == ["ingest_pipeline/embed"]
    (sentence,) = done.skipped
    assert sentence.startswith("index/goods is left out: mappings.properties.vector: no knn_vector 'vector'")


def test_one_resource_that_does_not_fit_is_an_error(cluster: ByHand, tmp_path: Path) -> None:
    cluster.has("goods")
    cluster.has("goods-v2")
    imported(cluster, tmp_path, "index/goods")
    with pytest.raises(SpecError, match="'goods-v2' is a name that osform gives"):
        imported(cluster, tmp_path, "index/goods-v2")
    assert not (tmp_path / "provision" / "index" / "goods-v2.yaml").exists()


class CutOff(ByHand):
    """Stands for a cluster on which an import ends, in one way or another, when the ledger has its first resource."""

    end: BaseException = KeyboardInterrupt()

    def bulk(self, lines: list[Json]) -> Iterator[Json]:
        yield from super().bulk(lines)
        raise self.end


@pytest.mark.parametrize("end", [KeyboardInterrupt(), RequestFailed("POST /_bulk", 403, "forbidden", "no")])
def test_an_import_that_ends_half_way_leaves_files_of_what_it_took_over(end: BaseException, tmp_path: Path) -> None:
    cluster = CutOff()
    said: list[Event] = []
    cluster.end = end
    cluster.pipelines["_ingest"] = {"clean": {"processors": []}}
    (tmp_path / "provision").mkdir()
    (tmp_path / "provision" / "stack.yaml").write_text("name: mine\n")
    with pytest.raises((KeyboardInterrupt, ApplyFailed)):
        import_live(cluster, tmp_path / "provision", environ={}, report=said.append)
    plan = Stack.load(tmp_path / "provision", environ={}).plan(cluster)
    assert [change for change in plan.changes if change.action == "delete"] == []
    assert "the files stay" in str(said[-1])


def test_what_is_not_there_leaves_no_file_behind(cluster: ByHand, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at index/nope on the cluster"):
        import_live(cluster, tmp_path / "provision", environ={}, address="index/nope")
    assert list(tmp_path.rglob("*.yaml")) == []


@pytest.mark.parametrize("folder", ["2024", "null", "1e3"])
def test_a_folder_whose_name_yaml_reads_as_something_else_is_a_stack(
    folder: str, cluster: ByHand, tmp_path: Path
) -> None:
    cluster.has("goods")
    assert imported(cluster, tmp_path / folder).stack == folder
