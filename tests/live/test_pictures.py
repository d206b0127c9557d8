"""Pictures on a real cluster: CLIP's text tower on the ML node, vectors of pictures beside the descriptions' own."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from osform.cluster.client import Cluster
from osform.cluster.deploy import deploy
from osform.cluster.models import delete, delete_group
from osform.cluster.predict import probe
from osform.cluster.register import register
from osform.core.events import silent
from osform.core.models import FORMATS, Format
from osform.core.request import Request
from osform.errors import VectorsAstray
from osform.export.jobs import Answer, Job
from osform.export.work import carry_out
from osform.flows.indexing_pictures import Indexed, Manner, index_pictures
from osform.flows.picture_inputs import Inputs
from osform.flows.searching_pictures import Seer, search
from osform.flows.stack import Stack
from osform.images.fetching import Web
from osform.kinds import ml
from osform.pictures.blending import BLENDS, Blend
from osform.ui import App, Settings
from osform.ui.folders import Folders
from tests import clips, unsplash
from tests.ui.browser import opened, serving

pytestmark = [
    pytest.mark.export,
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]
DIMENSION = 16
IN_THREADS = Manner(workers=0)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gallery:
    """An alias for pictures whose texts are embedded by the tiny CLIP in ``folder``."""

    cluster: Cluster
    alias: str
    folder: Path
    failures: Path

    def ingest(self, *names: Path | str, manner: Manner = IN_THREADS, **more: Any) -> Indexed:
        inputs = Inputs(tuple(map(str, names)), **more)
        web = Web(connections=8, tries=1, timeout=5, allow_private=True)
        return index_pictures(
            self.cluster, self.alias, inputs, model=str(self.folder), failures=self.failures, manner=manner, web=web
        )

    def documents(self) -> dict[str, dict[str, Any]]:
        """All of them by id."""
        body = {"size": 5000, "query": {"match_all": {}}}
        request = Request("POST", f"/{self.alias}/_search", body, {"search_pipeline": "_none"})
        return {hit["_id"]: hit["_source"] for hit in self.cluster.send(request)["hits"]["hits"]}


def registered(cluster: Cluster, group: str, source: Path, format: Format) -> tuple[str, Answer]:
    """The text tower of a folder: exported, uploaded, deployed."""
    bundle = source.with_suffix(f".{format}.zip")
    answer = carry_out(Job(str(source), format, "fp32", str(bundle), clips.TEXTS, make=True), silent)
    meta = {
        "name": "tiny-clip",
        "function_name": answer.function_name,
        "model_format": format.upper(),
        "model_group_id": group,
        "model_config": answer.model_config,
    }
    model_id = register(
        cluster, meta, bundle, model_id=None, remember=lambda _: None, report=silent, deadline_seconds=120
    )
    deploy(cluster, model_id)
    return model_id, answer


@pytest.fixture(scope="module")
def group(live_url: str) -> Iterator[str]:
    cluster = Cluster(live_url)
    setting = {
        "plugins.ml_commons.allow_registering_model_via_local_file": True,
    }
    cluster.send(Request("PUT", "/_cluster/settings", {"persistent": setting}))
    group_id = cluster.send(ml.register_group({"name": f"test-{uuid.uuid4().hex[:12]}"}))["model_group_id"]
    yield group_id
    delete_group(cluster, group_id)


@pytest.fixture(scope="module")
def tower(live_url: str, group: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A tiny CLIP, and its text tower on the cluster."""
    cluster = Cluster(live_url)
    folder = clips.build(tmp_path_factory.mktemp("clip") / "tiny")
    model_id, _ = registered(cluster, group, folder, "onnx")
    yield folder, model_id
    delete(cluster, model_id)


@pytest.fixture
def gallery(cluster: Cluster, tower: tuple[Path, str], tmp_path: Path) -> Iterator[Gallery]:
    folder, model_id = tower
    name = f"pics-{uuid.uuid4().hex[:8]}"
    make_gallery(cluster, name, model_id, DIMENSION)
    yield Gallery(cluster, name, folder, tmp_path / "failed.jsonl")
    cluster.send(Request("DELETE", f"/{name}-v1"))
    cluster.send(Request("DELETE", f"/_search/pipeline/{name}"))


def make_gallery(cluster: Cluster, name: str, model_id: str, dimension: int) -> None:
    enricher = {"neural_query_enricher": {"neural_field_default_id": {"picture_vector": model_id}}}
    cluster.send(Request("PUT", f"/_search/pipeline/{name}", {"request_processors": [enricher]}))
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    properties = {
        "image": {"type": "keyword"},
        "sha256": {"type": "keyword"},
        "photographer": {"type": "keyword"},
        "description": {"type": "text"},
        "picture_vector": {"type": "knn_vector", "dimension": dimension, "method": method},
    }
    index = {"knn": True, "number_of_replicas": 0, "search.default_pipeline": name}
    body = {"settings": {"index": index}, "mappings": {"properties": properties}, "aliases": {name: {}}}
    cluster.send(Request("PUT", f"/{name}-v1", body))


@pytest.mark.parametrize("format", [pytest.param(FORMATS[0], marks=pytest.mark.soak), FORMATS[1]])
def test_a_deployed_text_tower_answers_as_transformers(
    cluster: Cluster, group: str, tmp_path: Path, format: Format
) -> None:
    """At every length, the empty text and one of 200 tokens among them."""
    model_id, answer = registered(cluster, group, clips.build(tmp_path / "clip"), format)
    try:
        expected = tuple(zip(clips.TEXTS, answer.vectors, strict=True))
        least = probe(cluster, model_id, expected, least_cosine=0.9999)
    finally:
        delete(cluster, model_id)
    log.info("text tower, %s: least cosine %.7f", format, least)
    assert least >= 0.9999


def drawn(folder: Path, count: int, seed: int = 5) -> Path:
    from examples.drawn import draw

    folder.mkdir()
    for each in draw(count, seed):
        each.image.resize((64, 64)).save(folder / each.name)
    return folder


def test_pictures_are_indexed_once_and_found_by_text_picture_and_both(gallery: Gallery, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pictures", 12)
    (folder / "broken.png").write_bytes(b"\x89PNG no picture")
    done = gallery.ingest(folder)
    assert (done.indexed, done.failed) == (12, 1)
    assert "broken.png" in json.loads(gallery.failures.read_text())["image"]
    again = gallery.ingest(folder)
    assert (again.indexed, again.unchanged, again.skipped, again.failed) == (0, 12, 1, 0)

    seer, first = Seer(), min(folder.glob("drawn*"))
    by_picture = search(gallery.cluster, gallery.alias, picture=first.read_bytes(), size=3, seer=seer)
    assert by_picture.found.hits[0].source["image"] == str(first)
    assert len(search(gallery.cluster, gallery.alias, text="a boat", size=3).found.hits) == 3
    for blend in ("centred", "mean", "scores"):
        both = search(
            gallery.cluster, gallery.alias, text="blue", picture=first.read_bytes(), size=7, blend=blend, seer=seer
        )
        assert len(both.found.hits) == 7, blend


UNSPLASH = Manner(workers=0, id_column="photo_id", kept={"photographer_username": "photographer"})
PARAMS = {"q": "75", "fm": "jpg", "w": "200", "fit": "max"}


@pytest.mark.parametrize("rows", [100, pytest.param(1_000, marks=pytest.mark.soak)])
def test_unsplash_is_indexed_and_each_broken_picture_recorded(gallery: Gallery, tmp_path: Path, rows: int) -> None:
    with unsplash.serving() as site:
        table = unsplash.table(tmp_path / "photos.tsv000", site, rows)
        done = gallery.ingest(table, manner=UNSPLASH, params=PARAMS)
        broken = [number for number in range(rows) if unsplash.fate(number) != "fine"]
        asked = site.asked.total()
        again = gallery.ingest(table, manner=UNSPLASH, params=PARAMS)
        assert (again.indexed, again.unchanged, again.skipped) == (0, rows - len(broken), len(broken))
        assert (site.asked.total(), site.pages) == (asked, 0)  # a second run asks for nothing, and pages are for people
        parameters = {tuple(sorted(each)) for number, each in site.params.items() if number == 7}
    log.info("unsplash, %d rows: %d indexed, %d failed, second run %s", rows, done.indexed, done.failed, again)
    assert (done.pictures, done.indexed, done.failed) == (rows, rows - len(broken), len(broken))
    assert parameters == {(("fit", "max"), ("fm", "jpg"), ("ixid", "M3w7"), ("q", "75"), ("w", "200"))}
    recorded = [json.loads(line) for line in gallery.failures.read_text().splitlines()]
    assert {each["image"].partition("?")[0].rpartition("-")[2] for each in recorded} == set(map(str, broken))
    assert all(each["error"] for each in recorded)
    documents = gallery.documents()
    assert documents.keys() == {f"id{number:05}" for number in range(rows) if number not in broken}
    assert documents["id00007"]["photographer"] == "someone0"


@pytest.mark.soak
def test_a_load_of_pictures_that_was_killed_ends_as_if_it_had_not_been(
    gallery: Gallery, tower: tuple[Path, str], tmp_path: Path
) -> None:
    rows, name = 120, f"{gallery.alias}-killed"
    with unsplash.serving() as site:
        table = unsplash.table(tmp_path / "photos.tsv000", site, rows)
        gallery.ingest(table, manner=UNSPLASH, params=PARAMS)
        whole, site.asked = gallery.documents(), type(site.asked)()
        make_gallery(gallery.cluster, name, tower[1], DIMENSION)
        killed = Gallery(gallery.cluster, name, gallery.folder, tmp_path / "killed.jsonl")
        try:
            _kill_in_the_middle(killed, table, site, rows)
            before = len(killed.documents())
            done = killed.ingest(table, manner=UNSPLASH, params=PARAMS)
            log.info("killed with %d of %d in the index, the next run put in %d", before, len(whole), done.indexed)
            assert 0 < before < len(whole)
            _assert_same(killed.documents(), whole)
            assert len(killed.failures.read_text().splitlines()) == rows - len(whole)
        finally:
            gallery.cluster.send(Request("DELETE", f"/{name}-v1"))
            gallery.cluster.send(Request("DELETE", f"/_search/pipeline/{name}"))


def _kill_in_the_middle(gallery: Gallery, table: Path, site: unsplash.Site, rows: int) -> None:
    """Run the command itself, and kill it once the index holds some pictures."""
    command = [sys.executable, "-m", "osform", "pictures", "ingest", str(table), "--into", gallery.alias]
    command += ["--model", str(gallery.folder), "--failures", str(gallery.failures), "--id", "photo_id", "--batch", "8"]
    command += ["--keep", "photographer_username=photographer", "--url-params", "q=75&fm=jpg&w=200&fit=max"]
    command += ["--allow-private", "--workers", "0", "--connections", "2", "--cluster", gallery.cluster.url]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            gallery.cluster.send(Request("POST", f"/{gallery.alias}/_refresh"))
            count = gallery.cluster.send(Request("GET", f"/{gallery.alias}/_count"))["count"]
            if count >= 16:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
    gallery.cluster.send(Request("POST", f"/{gallery.alias}/_refresh"))


def _assert_same(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    assert found.keys() == expected.keys()
    for id, document in expected.items():
        other = dict(found[id])
        assert other.pop("picture_vector") == pytest.approx(document["picture_vector"], abs=1e-5)
        assert other == {key: value for key, value in document.items() if key != "picture_vector"}


def test_as_many_pictures_are_found_and_drawn_as_are_asked_for(gallery: Gallery, tmp_path: Path) -> None:
    from osform.flows.picture_files import cells_of
    from osform.pictures.grids import draw
    from tests.pictures.test_grids import red_cells

    names = [tmp_path / f"{number}.png" for number in range(60)]
    for number, name in enumerate(names):
        square = Image.new("RGB", (40, 40), (200, 0, 0))
        square.putpixel((0, 0), (number, number, number))
        square.save(name)
    assert gallery.ingest(*names).indexed == 60
    seer, picture = Seer(), names[7].read_bytes()
    asked: list[tuple[str | None, Blend]] = [(None, "centred"), *(("a boat", each) for each in BLENDS)]
    for count in (1, 3, 7, 50):
        found = search(gallery.cluster, gallery.alias, text="a boat", size=count).found
        assert len(found.hits) == count
        assert red_cells(draw(cells_of(found.hits, tmp_path), "a boat")) == count
        for text, blend in asked:
            answer = search(
                gallery.cluster, gallery.alias, text=text, picture=picture, size=count, blend=blend, seer=seer
            )
            assert len(answer.found.hits) == count, (text, blend)


def test_a_description_joins_the_picture_with_the_same_bytes(gallery: Gallery, tmp_path: Path) -> None:
    folder, captions = drawn(tmp_path / "pictures", 4), tmp_path / "captions.jsonl"
    gallery.ingest(folder)
    documents = gallery.documents()
    lines = [
        {"sha256": each["sha256"], "prompt": "", "description": f"no {n}"} for n, each in enumerate(documents.values())
    ]
    captions.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    done = index_pictures(
        gallery.cluster, gallery.alias, Inputs((str(folder),)), model=str(gallery.folder), failures=gallery.failures,
        captions=[captions], manner=IN_THREADS,
    )  # fmt: skip
    assert (done.indexed, done.described, done.unchanged) == (0, 3, 1)
    joined = gallery.documents()
    assert [joined[id].get("description") for id in documents] == ["no 0", "no 1", "no 2", None]
    assert all(joined[id]["picture_vector"] == each["picture_vector"] for id, each in documents.items())


def test_the_vectors_of_another_model_are_refused(gallery: Gallery, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pictures", 2)
    gallery.ingest(folder)
    other = clips.build(tmp_path / "other", seed=8)
    with pytest.raises(VectorsAstray, match="were seen by"):
        index_pictures(
            gallery.cluster, gallery.alias, Inputs((str(folder),)), model=str(other), failures=gallery.failures
        )


def test_the_page_finds_a_picture_that_is_dropped_and_a_text_beside_it_counts(gallery: Gallery, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pictures", 12)
    gallery.ingest(folder)
    mine = sorted(folder.glob("drawn*"))[3]
    settings = Settings(lambda: Stack.load(tmp_path), tmp_path, gallery.alias, Folders((folder.resolve(),)))
    with serving(App(gallery.cluster, settings)) as url, opened(url) as page:
        page.set_input_files("#file", mine)
        expect(page.locator("#picture h2")).to_contain_text("by picture")
        expect(page.locator("#picture .hit").first).to_contain_text(mine.name)
        expect(page.locator("#picture summary img").first).to_have_js_property("naturalWidth", 64)
        page.fill("#q", "a boat")
        page.keyboard.press("Enter")
        expect(page.locator("#picture h2")).to_contain_text("by both")
        page.get_by_role("link", name="without the picture").click()
        expect(page.locator("#picture h2")).to_contain_text("by text")
        expect(page.locator("#picture .hit")).to_have_count(10)
