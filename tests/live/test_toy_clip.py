"""The toy CLIP on a real cluster: drawn pictures, half of them never seen, found by text, by picture, and by both."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.drawn import Picture
from examples.toys import TOY_CLIP
from examples.toys.measure_clip import (
    LEAST,
    Asked,
    by_both,
    by_picture,
    by_text,
    found,
    kinds_of_both,
    pictures_to_search,
    png,
    row,
    shares,
)
from osform.cluster.client import Cluster
from osform.cluster.models import delete, delete_group
from osform.cluster.picture_fields import PictureField
from osform.cluster.queries import run
from osform.cluster.targets import Target, describe
from osform.core.checks import Checks, Query
from osform.core.document import Document
from osform.core.request import Request
from osform.flows.evaluating import Side, side_by_side
from osform.flows.indexing_pictures import Manner, identity, index_pictures
from osform.flows.picture_inputs import Inputs
from osform.flows.searching_pictures import Seer, Wish, asked_of, request_for
from osform.images.pictures import Picture as Named
from osform.kinds import ml
from osform.pictures.blending import BLENDS, Blend
from tests.live.test_pictures import make_gallery, registered

pytestmark = [
    pytest.mark.export,
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
]
log = logging.getLogger(__name__)
DIMENSION = 128


@dataclass(frozen=True)
class Drawn:
    """Pictures in a folder and in an index; the toy sees them."""

    cluster: Cluster
    alias: str
    pictures: Sequence[Picture]
    files: Sequence[Path]
    seer: Seer
    target: Target
    field: PictureField

    def search(self, blend: Blend = "centred", weight: float = 0.5) -> Callable[[Asked], list[int]]:
        """As ``examples.toys.measure_clip`` asks, through the cluster; what the alias is was read once."""
        place = {str(path): number for number, path in enumerate(self.files)}

        def ask(asked: Asked) -> list[int]:
            picture = self.files[asked.picture].read_bytes() if asked.picture is not None else None
            wish = Wish(asked.text, picture, weight, blend)
            request, _ = request_for(self.cluster, self.target, self.field, wish, size=6, only=None, seer=self.seer)
            return [place[hit.source["image"]] for hit in run(self.cluster, request).hits]

        return ask


@pytest.fixture(scope="module")
def text_tower(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cluster = Cluster(live_url)
    setting = {
        "plugins.ml_commons.allow_registering_model_via_local_file": True,
    }
    cluster.send(Request("PUT", "/_cluster/settings", {"persistent": setting}))
    group = cluster.send(ml.register_group({"name": f"test-{uuid.uuid4().hex[:12]}"}))["model_group_id"]
    folder = tmp_path_factory.mktemp("toy") / "clip"
    folder.symlink_to(TOY_CLIP)
    model_id, _ = registered(cluster, group, folder, "onnx")
    yield model_id
    delete(cluster, model_id)
    delete_group(cluster, group)


@pytest.fixture(scope="module", params=[100, pytest.param(2_000, marks=pytest.mark.soak)])
def drawn(
    request: pytest.FixtureRequest, live_url: str, text_tower: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drawn]:
    cluster, folder = Cluster(live_url), tmp_path_factory.mktemp("drawn")
    pictures = pictures_to_search(request.param)
    files = [folder / f"{number:04}.png" for number in range(len(pictures))]
    for path, picture in zip(files, pictures, strict=True):
        path.write_bytes(png(picture))
    alias = f"drawn-{uuid.uuid4().hex[:8]}"
    make_gallery(cluster, alias, text_tower, DIMENSION)
    done = index_pictures(
        cluster, alias, Inputs((str(folder),)), model=str(TOY_CLIP), failures=folder / "failed.jsonl",
        manner=Manner(workers=0),
    )  # fmt: skip
    assert (done.indexed, done.failed) == (len(pictures), 0)
    target = describe(cluster, alias)
    yield Drawn(cluster, alias, pictures, files, Seer(), target, asked_of(cluster, target, None))
    cluster.send(Request("DELETE", f"/{alias}-v1"))
    cluster.send(Request("DELETE", f"/_search/pipeline/{alias}"))
    cluster.close()


def test_the_right_thing_in_the_right_colour_is_found(drawn: Drawn) -> None:
    whole = len(drawn.pictures) == 2_000
    questions = by_both(drawn.pictures, 300 if whole else 20)
    text = found(drawn.search(), by_text(drawn.pictures), drawn.pictures)
    picture = found(drawn.search(), by_picture(drawn.pictures, 300 if whole else 20), drawn.pictures)
    both = {blend: found(drawn.search(blend), questions, drawn.pictures) for blend in BLENDS}
    log.info("%d drawn pictures, found among the first five, and right ones of five:", len(drawn.pictures))
    for name, figures in (("text", text), ("picture", picture), *both.items()):
        log.info("  %-8s %.3f  %.3f", name, *figures)
    assert text[0] >= LEAST["text"]
    if not whole:  # of few pictures, fewer show the same
        return
    assert picture[0] >= LEAST["picture"]
    assert all(both[blend][0] >= LEAST["both"] for blend in ("centred", "scores"))
    assert both["centred"][1] > both["mean"][1]


@pytest.mark.soak
@pytest.mark.parametrize("drawn", [2_000], indirect=True)
def test_both_at_once_find_more_by_the_default_blend_than_by_the_plain_mean(drawn: Drawn) -> None:
    """Every blend at several weights: "like this one, but" in another colour, another thing, or elsewhere."""
    kinds = kinds_of_both(drawn.pictures, 100)
    log.info(row("both", "the text's share", *(f"{name} ({len(each)})" for name, each in kinds.items())))
    told = {}
    for blend, weight, found_of in shares(drawn.search, kinds, drawn.pictures):
        told[blend, weight] = found_of
        log.info(row(blend, f"{weight:g}", *found_of))
    assert told["centred", 0.5][0] >= LEAST["both"]
    for weight in (0.3, 0.4, 0.5):
        assert sum(told["centred", weight]) > sum(told["mean", weight]), weight


@pytest.mark.parametrize("drawn", [100], indirect=True)
def test_checks_ask_by_text_and_by_picture_old_beside_new(drawn: Drawn) -> None:
    """Recall of the drawn set as osform evaluate measures it, of two indices of the same pictures."""
    asked = [*by_text(drawn.pictures)[:10], *by_picture(drawn.pictures, 10)]
    queries = tuple(_query(drawn, each, number) for number, each in enumerate(asked))
    checks = Checks(drawn.alias, queries, {"recall_at_10": 0.6}, {}, Document("checks.yaml", {}, {}))
    old, new = side_by_side(drawn.cluster, checks, [Side(f"{drawn.alias}-v1", lenient=True), Side(drawn.alias)])
    for each in (old, new):
        recalls = [answer.recall for answer in each.answers]
        log.info("%s: recall@10 by text %.3f, by picture %.3f", each.index, *(
            sum(part) / len(part) for part in (recalls[:10], recalls[10:])))  # fmt: skip
        assert {answer.mode for answer in each.answers} == {"picture"}
        assert sum(recalls) / len(recalls) >= 0.6


def _query(drawn: Drawn, asked: Asked, number: int) -> Query:
    """Every picture of the right thing in the right colour is relevant."""
    right = [place for place, each in enumerate(drawn.pictures) if asked.answered_by(each)]
    grades = {identity(Named(str(drawn.files[place])), None): 1 for place in right}
    picture = str(drawn.files[asked.picture]) if asked.picture is not None else ""
    return Query(asked.text, grades, None, "picture", None, None, ("queries", number), picture)
