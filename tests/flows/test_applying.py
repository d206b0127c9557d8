"""Plans carried out on a cluster in memory: what was asked is there, and nothing is left to do."""

from __future__ import annotations

import copy
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osform.core.events import Note, Warned
from osform.core.plan import Plan
from osform.core.request import Request
from osform.errors import ApplyFailed, NotReady, PlanRefused
from osform.flows.planning import make_plan
from tests.flows.memory import MemoryCluster
from tests.flows.stacks import BODIES, Bodies, apply, look, plan, shown, spec

SMALL = st.sampled_from(["a", "b", "c"])
SETS = st.lists(st.builds(lambda value: {"set": {"field": "f", "value": value}}, SMALL), max_size=2)
FIELDS = st.dictionaries(SMALL, st.just({"type": "keyword"}), max_size=3)
VALUES = {
    "cluster_settings/ml": st.dictionaries(SMALL, SMALL, min_size=1).map(lambda body: {"persistent": body}),
    "model_group/encoders": SMALL.map(lambda text: {"description": text}),
    "ingest_pipeline/clean": st.fixed_dictionaries({"processors": SETS}, optional={"description": SMALL}),
    "search_pipeline/hybrid": st.fixed_dictionaries({}, optional={"description": SMALL}),
    "index/images": st.fixed_dictionaries(
        {"mappings": FIELDS.map(lambda fields: {"properties": fields})},
        optional={
            "settings": st.dictionaries(st.sampled_from(["number_of_replicas", "refresh_interval"]), SMALL),
            "aliases": st.dictionaries(SMALL, st.just({})),
        },
    ),
}
STACKS: st.SearchStrategy[Bodies] = st.fixed_dictionaries({}, optional=VALUES)


@given(STACKS, STACKS)
@settings(max_examples=60)
def test_once_a_plan_is_carried_out_there_is_nothing_to_do(first: Bodies, second: Bodies) -> None:
    cluster = MemoryCluster()
    for bodies in (first, second):
        apply(cluster, spec(bodies), force=True)[0].check()
        assert plan(cluster, spec(bodies)).empty


@given(STACKS, STACKS)
@settings(max_examples=60)
def test_a_plan_has_the_resources_that_differ_and_no_others(first: Bodies, second: Bodies) -> None:
    cluster = MemoryCluster()
    apply(cluster, spec(first))[0].check()
    differing = {name for name in {**first, **second} if _asked(first, name) != _asked(second, name)}
    assert {name for name, _, _ in shown(plan(cluster, spec(second)))} == differing


def _asked(bodies: Bodies, name: str) -> Any:
    """A body without what asks for nothing."""
    return {key: item for key, item in bodies[name].items() if item} if name in bodies else None


@given(STACKS, st.randoms())
@settings(max_examples=40)
def test_the_order_of_the_files_changes_neither_the_plan_nor_its_checksum(bodies: Bodies, random: Any) -> None:
    shuffled = dict(random.sample(list(bodies.items()), len(bodies)))
    one, other = (plan(MemoryCluster(), spec(each)) for each in (bodies, shuffled))
    assert one == other
    assert one.checksum == other.checksum


@given(STACKS)
@settings(max_examples=40)
def test_what_was_applied_and_then_removed_leaves_nothing_behind(bodies: Bodies) -> None:
    cluster = MemoryCluster()
    apply(cluster, spec(bodies))[0].check()
    apply(cluster, spec({}), force=True)[0].check()
    assert (cluster.indices, cluster.groups, cluster.settings["persistent"]) == ({}, {}, {})
    assert cluster.pipelines == {"_ingest": {}, "_search": {}}
    assert [source["type"] for source in cluster.documents.values()] in ([], ["key"])


@pytest.fixture
def cluster() -> MemoryCluster:
    """A cluster that has the whole stack."""
    cluster = MemoryCluster()
    apply(cluster, spec(BODIES))[0].check()
    cluster.sent.clear()
    return cluster


def edited(**changes: Any) -> Bodies:
    bodies = copy.deepcopy(dict(BODIES))
    return bodies | {name.replace("__", "/"): body for name, body in changes.items()}


def test_a_plan_changes_nothing(cluster: MemoryCluster) -> None:
    before = copy.deepcopy(vars(cluster))
    plan(cluster, spec(edited(search_pipeline__hybrid={"description": "words"})))
    assert vars(cluster) == before


def test_one_edit_is_one_request(cluster: MemoryCluster) -> None:
    stack = spec(edited(search_pipeline__hybrid={"description": "words"}))
    assert shown(plan(cluster, stack)) == [("search_pipeline/hybrid", "update", "changed")]
    apply(cluster, stack)[0].check()
    assert cluster.sent == ["PUT /_search/pipeline/hybrid"]


def test_what_is_made_is_made_after_what_it_needs() -> None:
    cluster = MemoryCluster()
    outcome, events = apply(cluster, spec(BODIES))
    assert cluster.sent[0] == "PUT /_cluster/settings"
    assert cluster.sent[-1] == "PUT /images-v1"
    assert len(outcome.applied) == len(BODIES)
    assert Note("create index/images") in events


class Paired(MemoryCluster):
    """One that stores a pipeline only while another one is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2)

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.method == "PUT" and "/pipeline/" in request.path:
            self.both.wait(10)
        return super().send(request, timeout=timeout)


def test_what_does_not_need_each_other_is_made_at_the_same_time() -> None:
    bodies = {"ingest_pipeline/a": {"processors": []}, "search_pipeline/b": {"description": "b"}}
    apply(Paired(), spec(bodies))[0].check()


def test_a_field_that_is_lost_on_its_way_fails_the_apply_with_its_name(cluster: MemoryCluster) -> None:
    cluster.drops = "description"
    stack = spec(edited(search_pipeline__hybrid={"description": "words", "version": 3}))
    with pytest.raises(ApplyFailed) as raised:
        apply(cluster, stack)[0].check()
    assert "provision/search_pipeline/hybrid.yaml:1 description: asked 'words', stored nothing" in raised.value.message
    assert shown(plan(cluster, stack)) == [("search_pipeline/hybrid", "update", "changed")]
    cluster.drops = ""
    apply(cluster, stack)[0].check()
    assert plan(cluster, stack).empty


def test_what_needs_something_that_failed_is_not_tried_and_all_else_is() -> None:
    cluster = MemoryCluster()
    cluster.refuses = "/_ingest/pipeline/clean"
    outcome, _ = apply(cluster, spec(BODIES))
    assert [str(address) for address in outcome.failed] == ["ingest_pipeline/clean"]
    assert [str(address) for address in outcome.skipped] == ["index/images"]
    assert len(outcome.applied) == 3
    with pytest.raises(ApplyFailed, match="index/images: not tried, since it needs what failed"):
        outcome.check()


def test_a_server_that_repeats_a_secret_does_not_bring_it_out() -> None:
    cluster = MemoryCluster()
    cluster.refuses = "/_ingest/pipeline/clean"
    body = {"processors": [{"script": {"params": {"auth": "Bearer ${env.KEY}"}}}]}
    outcome, events = apply(cluster, spec({"ingest_pipeline/clean": body}), {"KEY": "s3cret"})
    (error,) = outcome.failed.values()
    warnings = [event.text for event in events if isinstance(event, Warned)]
    assert "(secret Bearer ${env.KEY})" in error.message
    assert warnings
    assert "s3cret" not in f"{error} {error.args} {vars(error)} {error.__cause__} {warnings} {cluster.documents}"


def test_neither_the_ledger_nor_a_plan_holds_a_secret_that_was_sent() -> None:
    cluster = MemoryCluster()
    body = {"processors": [{"script": {"params": {"auth": "Bearer ${env.KEY}"}}}]}
    stack = spec({"ingest_pipeline/clean": body})
    apply(cluster, stack, {"KEY": "s3cret"})[0].check()
    assert cluster.pipelines["_ingest"]["clean"]["processors"][0]["script"]["params"]["auth"] == "Bearer s3cret"
    assert "s3cret" not in str(cluster.documents)
    assert plan(cluster, stack, {"KEY": "s3cret"}).empty
    assert "s3cret" not in str(plan(cluster, stack, {"KEY": "other"}).to_json())


def refused(cluster: MemoryCluster, bodies: Bodies, **how: Any) -> str:
    with pytest.raises(PlanRefused) as raised:
        apply(cluster, spec(bodies), **how)
    assert cluster.sent == []
    return str(raised.value)


def test_documents_are_not_deleted_without_saying_so(cluster: MemoryCluster) -> None:
    cluster.counts["images-v1"] = 1200
    rest = {name: body for name, body in BODIES.items() if name != "index/images"}
    assert "index/images has 1,200 documents" in refused(cluster, rest)
    apply(cluster, spec(rest), force=True)[0].check()
    assert cluster.indices == {}


def test_an_index_of_which_a_shard_is_on_no_node_is_not_taken_for_an_empty_one(cluster: MemoryCluster) -> None:
    cluster.shards = {"total": 2, "successful": 1, "failed": 0}
    rest = {name: body for name, body in BODIES.items() if name != "index/images"}
    with pytest.raises(NotReady, match="images-v1: 1 of its shards are on no node"):
        apply(cluster, spec(rest))
    edited = spec({**BODIES, "index/images": {**BODIES["index/images"], "settings": {"number_of_shards": 3}}})
    survey = look(cluster, edited)
    make_plan(survey)
    assert list(map(str, survey.moves)) == ["index/images"]
    apply(cluster, spec(rest), force=True)[0].check()
    assert cluster.indices == {}


def test_what_is_protected_is_not_deleted_even_by_force() -> None:
    cluster = MemoryCluster()
    apply(cluster, spec(BODIES, protect=frozenset({"index/images"})))[0].check()
    cluster.sent.clear()
    rest = {name: body for name, body in BODIES.items() if name != "index/images"}
    assert "protected, and no longer in the files: index/images" in refused(cluster, rest, force=True)


def test_protection_that_comes_or_goes_is_a_change_of_the_ledger_alone(cluster: MemoryCluster) -> None:
    protected = spec(BODIES, protect=frozenset({"index/images"}))
    (change,) = plan(cluster, protected).changes
    assert [str(difference) for difference in change.differences] == ["osform.protect: False -> True"]
    cluster.sent.clear()
    apply(cluster, protected)[0].check()
    rest = {name: body for name, body in BODIES.items() if name != "index/images"}
    assert "protected, and no longer in the files: index/images" in refused(cluster, rest)
    apply(cluster, spec(BODIES))[0].check()
    assert cluster.sent == []
    apply(cluster, spec(rest))[0].check()
    assert cluster.indices == {}


class Local(MemoryCluster):
    """One of ``osform cluster up``, whose k-NN plugin has no native libraries; its nodes say so."""

    def answer(self, request: Any, words: list[str], body: Any) -> Any:
        if words[0] == "_nodes":
            return {"nodes": {"n": {"name": "data", "roles": ["data"], "attributes": {"osform_local": "true"}}}}
        return super().answer(request, words, body)


@pytest.mark.parametrize("address", ["index/v", "index_template/v"])
@pytest.mark.parametrize(
    ("method", "engine"),
    [({"engine": "faiss"}, "faiss"), ({}, "none named, which is faiss"), ({"engine": "lucene"}, "")],
)
def test_the_local_cluster_is_sent_no_engine_that_would_end_its_node(address: str, method: Any, engine: str) -> None:
    cluster = Local()
    mapping = {"properties": {"v": {"type": "knn_vector", "dimension": 3, "method": {"name": "hnsw", **method}}}}
    template = {"index_patterns": ["v-*"], "priority": 1, "template": {"mappings": mapping}}
    bodies = {address: {"mappings": mapping} if address == "index/v" else template}
    if engine:
        assert f"mappings.properties.v: engine {engine}" in refused(cluster, bodies, force=True)
    else:
        apply(cluster, spec(bodies))[0].check()


def test_many_deletions_at_once_are_not_made_without_saying_so() -> None:
    cluster = MemoryCluster()
    many = {f"search_pipeline/p{n}": {"description": str(n)} for n in range(10)}
    apply(cluster, spec(many))[0].check()
    cluster.sent.clear()
    assert "4 of 10 resources would be deleted" in refused(cluster, dict(list(many.items())[:6]))
    assert len(apply(cluster, spec(dict(list(many.items())[:7])))[0].applied) == 3


def test_what_another_stack_made_is_refused_with_its_name(cluster: MemoryCluster) -> None:
    with pytest.raises(PlanRefused, match=r"belongs to the stack photos \(default\)"):
        plan(cluster, spec({"search_pipeline/hybrid": {}}, name="other"))


class Cut(BaseException):
    """The program ended here."""


@given(STACKS, STACKS, st.integers(0, 30))
@settings(max_examples=60)
def test_an_apply_that_was_cut_off_anywhere_is_completed_by_the_next(first: Bodies, second: Bodies, after: int) -> None:
    cluster = MemoryCluster()
    apply(cluster, spec(first))[0].check()
    _cut_off(cluster, second, after)
    apply(cluster, spec(second), force=True)[0].check()
    assert plan(cluster, spec(second)).empty
    _check_the_same(cluster, second)


def _cut_off(cluster: MemoryCluster, bodies: Bodies, after: int) -> None:
    """Apply, and end after so many requests; the one that is cut off has arrived, its answer has not."""
    left = iter(range(after))

    class Dying(MemoryCluster):
        """The same cluster, over a wire that is cut."""

        def __init__(self) -> None:
            vars(self).update(vars(cluster))

        def send(self, request: Any, *, timeout: float | None = None) -> Any:
            answer = super().send(request, timeout=timeout)
            if request.method != "GET" and "_search" not in request.path.split("/")[-1] and next(left, None) is None:
                raise Cut
            return answer

    with suppress(Cut):
        apply(Dying(), spec(bodies), force=True)


def _check_the_same(cluster: MemoryCluster, bodies: Bodies) -> None:
    """The cluster is as if nothing had ever been cut off, but for fields, which no mapping loses."""
    fresh = MemoryCluster()
    apply(fresh, spec(bodies))[0].check()
    assert cluster.settings == fresh.settings
    assert cluster.pipelines == fresh.pipelines
    assert [index["aliases"] for index in cluster.indices.values()] == [i["aliases"] for i in fresh.indices.values()]
    assert [_settings(index) for index in cluster.indices.values()] == [_settings(i) for i in fresh.indices.values()]


def _settings(index: Any) -> Any:
    return index["settings"]


def test_the_plan_that_is_shown_is_the_value_that_is_carried_out(cluster: MemoryCluster) -> None:
    survey = look(cluster, spec(edited(search_pipeline__hybrid={"description": "words"})))
    made = make_plan(survey)
    assert isinstance(made, Plan)
    assert make_plan(survey) == made


def test_aliases_change_places_between_indices_that_are_made_anew_at_the_same_time(cluster: MemoryCluster) -> None:
    def bodies(shards: int, first: str, second: str) -> Bodies:
        indices = {f"index/{name}": {"settings": {"number_of_shards": shards}} for name in ("a", "b")}
        return {**indices, "alias/x": {"indices": [first]}, "alias/y": {"indices": [second]}}

    apply(cluster, spec(bodies(1, "a", "b")))[0].check()
    apply(cluster, spec(bodies(2, "b", "a")))[0].check()
    assert {name: set(index["aliases"]) for name, index in cluster.indices.items()} == {
        "a-v1": {"a", "y"},
        "b-v1": {"b", "x"},
    }
    assert plan(cluster, spec(bodies(2, "b", "a"))).empty


def test_what_a_switch_left_in_the_ledger_outlasts_a_change_in_place_and_no_new_index() -> None:
    cluster, switch = MemoryCluster(), {"handed": {"0": 7}, "after": "images-v0"}
    apply(cluster, spec(BODIES))[0].check()
    entry = "photos/default/index/images"
    cluster.documents[entry]["journal"] = switch
    index = BODIES["index/images"]
    in_place = {**BODIES, "index/images": index | {"settings": index["settings"] | {"number_of_replicas": 1}}}
    apply(cluster, spec(in_place))[0].check()
    assert cluster.documents[entry]["journal"] == switch
    anew = {**BODIES, "index/images": index | {"mappings": {"properties": {"title": {"type": "keyword"}}}}}
    apply(cluster, spec(anew))[0].check()
    assert cluster.documents[entry]["journal"] == {}
