"""What may be taken over, what was renamed, and settings that two stacks share, on a cluster in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from osform.core.address import Address
from osform.core.plan import Plan
from osform.core.state import Entry, State
from osform.errors import PlanRefused
from osform.flows import owning
from osform.flows.looking import Eyes
from osform.flows.owning import Adoption, ids_beside, number
from osform.flows.planning import make_plan
from osform.flows.stack import Stack
from osform.flows.survey import Survey
from tests.flows.memory import MemoryCluster
from tests.flows.stacks import BODIES, apply, shown, spec

KEY = "plugins.ml_commons.only_run_on_ml_node"
EVERYTHING = Adoption(everything=True)


@pytest.fixture
def cluster() -> MemoryCluster:
    """A cluster that has the whole stack, with nothing noted as sent."""
    cluster = MemoryCluster()
    stack().apply(cluster).check()
    cluster.sent.clear()
    return cluster


def stack(bodies: Any = BODIES, moved: Any = (), name: str = "photos") -> Stack:
    made = spec(bodies, name=name)
    return Stack(replace(made, moved={Address.parse(old): Address.parse(new) for old, new in moved}), {})


def renamed(old: str, new: str) -> dict[str, Any]:
    return {new if text == old else text: body for text, body in BODIES.items()}


def lost(cluster: MemoryCluster) -> None:
    for key in [key for key in cluster.documents if key.startswith("photos/")]:
        del cluster.documents[key]


def planned(cluster: MemoryCluster, made: Stack, adoption: Adoption | None = None) -> Plan:
    survey = Survey.take(made.spec, made._ledger(cluster).read(), {}, Eyes(cluster), adoption)
    return make_plan(survey)


def test_a_lost_ledger_is_rebuilt_and_nothing_else_is_sent(cluster: MemoryCluster) -> None:
    lost(cluster)
    assert {action for _, action, _ in shown(planned(cluster, stack(), EVERYTHING))} == {"adopt"}
    stack().apply(cluster, adoption=EVERYTHING).check()
    assert cluster.sent == []
    assert stack().plan(cluster).empty


def test_adopt_all_refuses_what_differs_and_says_in_what(cluster: MemoryCluster) -> None:
    lost(cluster)
    cluster.pipelines["_search"]["hybrid"] = {"description": "theirs"}
    with pytest.raises(PlanRefused, match=r"search_pipeline/hybrid .* differs from the files: description: 'theirs'"):
        planned(cluster, stack(), EVERYTHING)


def test_adopt_by_address_takes_what_differs_and_changes_it(cluster: MemoryCluster) -> None:
    lost(cluster)
    cluster.pipelines["_search"]["hybrid"] = {"description": "theirs", "version": 3}
    adoption = Adoption(frozenset({Address("search_pipeline", "hybrid")}), everything=True)
    stack().apply(cluster, adoption=adoption).check()
    assert cluster.pipelines["_search"]["hybrid"] == BODIES["search_pipeline/hybrid"]
    assert cluster.sent == ["PUT /_search/pipeline/hybrid"]


def test_a_group_of_another_stack_is_refused_by_its_id_whatever_the_file_is_called(cluster: MemoryCluster) -> None:
    other = stack({"model_group/mine": {"name": "encoders", "description": "d"}}, name="other")
    with pytest.raises(PlanRefused, match=r"belongs to the stack photos \(default\)"):
        planned(cluster, other, EVERYTHING)


def test_an_index_under_its_plain_name_is_adopted_as_it_is(cluster: MemoryCluster) -> None:
    cluster.indices["plain"] = {"aliases": {}, "settings": {"index.number_of_shards": "1"}, "mappings": {}}
    made = stack({**BODIES, "index/plain": {}})
    made.apply(cluster, adoption=Adoption(frozenset({Address("index", "plain")}))).check()
    assert cluster.sent == []
    assert made.plan(cluster).empty
    assert cluster.documents["photos/default/index/plain"]["ids"]["index"] == "plain"


def test_a_renamed_index_keeps_its_physical_one_and_its_alias_moves_in_one_request(cluster: MemoryCluster) -> None:
    made = stack(renamed("index/images", "index/pictures"), [("index/images", "index/pictures")])
    (change,) = made.plan(cluster).changes
    assert (change.action, change.moved_from) == ("update", Address("index", "images"))
    made.apply(cluster).check()
    assert cluster.sent == ["POST /_aliases"]
    assert list(cluster.indices["images-v1"]["aliases"]) == ["pictures"]
    assert made.plan(cluster).empty


def closing(name: str) -> Stack:
    """The stack with its index called otherwise, and a codec for which it has to be closed."""
    bodies, new = renamed("index/images", f"index/{name}"), Address("index", name)
    settings = {**BODIES["index/images"]["settings"], "codec": "best_compression"}
    bodies[str(new)] = {**BODIES["index/images"], "settings": settings}
    made = stack(bodies, [("index/images", str(new))])
    resources = {**made.spec.resources, new: replace(made.spec.resources[new], may_close=True)}
    return replace(made, spec=replace(made.spec, resources=resources))


def test_an_index_that_is_renamed_and_closed_is_not_deleted_under_its_old_name(cluster: MemoryCluster) -> None:
    cluster.counts["images-v1"] = 3
    made = closing("pictures")
    assert shown(made.plan(cluster)) == [("index/pictures", "update", "changed")]
    made.apply(cluster).check()
    assert "PUT /images-v1/_settings" in cluster.sent
    assert made.plan(cluster).empty


def test_a_rename_that_was_cut_off_while_the_index_was_closed_goes_on_and_deletes_nothing(
    cluster: MemoryCluster,
) -> None:
    cluster.counts["images-v1"] = 3
    made = closing("pictures")
    cluster.refuses = "/images-v1/_settings"
    assert made.apply(cluster).failed
    cluster.refuses = "nothing"
    assert shown(made.plan(cluster)) == [("index/pictures", "update", "changed")]
    made.apply(cluster).check()
    assert made.plan(cluster).empty


def test_a_task_that_a_renamed_model_waited_for_makes_no_second_model_of_it() -> None:
    old, new = Address("model", "old"), Address("model", "new")
    known = {
        old: Entry(old, "applied", {}, {}, {"model_id": "m"}),
        new: Entry(new, "applying", {}, {}, {"model_id": "m", "deploy_task": "t"}),
    }
    state, moved = owning.renamed(stack({"model/new": {}}, [("model/old", "model/new")]).spec, State(known))
    assert (dict(state.entries), moved) == ({new: known[new]}, {new: old})


def test_a_rename_that_changes_nothing_on_the_server_moves_the_ledger_s_entry(cluster: MemoryCluster) -> None:
    made = stack(
        renamed("cluster_settings/ml", "cluster_settings/all"), [("cluster_settings/ml", "cluster_settings/all")]
    )
    assert shown(made.plan(cluster)) == [("cluster_settings/all", "adopt", "changed")]
    made.apply(cluster).check()
    assert cluster.sent == []
    assert "photos/default/cluster_settings/ml" not in cluster.documents
    assert made.plan(cluster).empty


def test_a_renamed_pipeline_is_stored_anew_and_the_old_name_goes_last(cluster: MemoryCluster) -> None:
    bodies = renamed("search_pipeline/hybrid", "search_pipeline/both")
    index = {**BODIES["index/images"]["settings"], "index": {"search.default_pipeline": "${search_pipeline/both.name}"}}
    bodies["index/images"] = {**BODIES["index/images"], "settings": index}
    made = stack(bodies, [("search_pipeline/hybrid", "search_pipeline/both")])
    plan = planned(cluster, made)
    assert [(address, action) for address, action, _ in shown(plan)] == [
        ("search_pipeline/both", "create"), ("index/images", "update"), ("search_pipeline/hybrid", "delete"),
    ]  # fmt: skip
    assert plan.changes[-1].notes == ("renamed to search_pipeline/both: nobody uses the old name any more",)


def test_a_rename_that_was_not_said_is_a_deletion_with_a_hint(cluster: MemoryCluster) -> None:
    plan = planned(cluster, stack(renamed("search_pipeline/hybrid", "search_pipeline/both") | {"index/images": {}}))
    (gone,) = [change for change in plan.changes if change.action == "delete"]
    assert "moved: {search_pipeline/hybrid: search_pipeline/both}" in gone.notes[0]


def test_two_stacks_that_set_one_cluster_setting_are_told_so(cluster: MemoryCluster) -> None:
    other = stack({"cluster_settings/x": {"persistent": {KEY: False}}}, name="other")
    (warning,) = other.plan(cluster).warnings
    assert warning == (
        f"cluster_settings/x: persistent.{KEY} is set by the stack photos (default) too, to 'true': "
        "whoever applies last has it"
    )


def test_a_setting_that_another_stack_asks_for_is_not_unset(cluster: MemoryCluster) -> None:
    other = stack({"cluster_settings/x": {"persistent": {KEY: True, "cluster.max_shards_per_node": 500}}}, name="other")
    other.apply(cluster).check()
    planned(cluster, stack({"cluster_settings/x": {"persistent": {"a.b": 1}}}, name="other"))
    stack({}, name="other").apply(cluster).check()
    assert cluster.settings["persistent"] == {KEY: "true"}


@pytest.mark.parametrize(
    ("index", "expected"), [(None, 1), ("images-v3", 3), ("images", 0), ("old-v2", 2), ("images-v0", 0)]
)
def test_the_number_of_a_physical_index_is_in_its_name(index: str | None, expected: int) -> None:
    assert number("images", index) == expected


def test_the_ids_beside_a_resource_are_those_of_all_others_of_its_kind() -> None:
    made = {
        Address.parse(text): Entry(Address.parse(text), "applied", {}, {}, {f"{text.partition('/')[0]}_id": text})
        for text in ("model/a", "model/a@1f2e3d4c", "connector/a")
    }
    theirs = Entry(Address.parse("model/b"), "applied", {}, {}, {"model_id": "theirs"})
    state = State(entries=made, others=(("other", theirs),))
    assert ids_beside(state, Address.parse("model/a")) == {"model/a@1f2e3d4c", "theirs"}


def test_a_group_that_is_renamed_with_its_name_kept_is_refused_with_the_line_that_says_so() -> None:
    cluster, body = MemoryCluster(), {"name": "encoders"}
    stack({"model_group/a": body}).apply(cluster).check()
    with pytest.raises(PlanRefused, match=r"moved: \{model_group/a: model_group/b\}"):
        stack({"model_group/b": body}).plan(cluster)


def test_a_new_index_under_the_old_name_of_a_renamed_one_gets_a_number_of_its_own() -> None:
    cluster, index = MemoryCluster(), {"mappings": {"properties": {"a": {"type": "long"}}}}
    stack({"index/a": index}).apply(cluster).check()
    stack({"index/b": index}, [("index/a", "index/b")]).apply(cluster).check()
    both = stack({"index/a": index, "index/b": index})
    both.apply(cluster).check()
    assert {name: list(each["aliases"]) for name, each in cluster.indices.items()} == {"a-v1": ["b"], "a-v2": ["a"]}
    assert both.plan(cluster).empty


_VECTOR = {"type": "knn_vector", "dimension": 4, "method": {"name": "hnsw", "engine": "lucene"}}
EMBEDDING: dict[str, Any] = {
    "ingest_pipeline/describe": {
        "processors": [{"text_embedding": {"model_id": "m", "field_map": {"text": "vector"}}}],
    },
    "index/images": {
        "settings": {"default_pipeline": "${ingest_pipeline/describe.name}"},
        "mappings": {"properties": {"text": {"type": "text"}, "vector": _VECTOR}},
    },
}
THEIRS = {"processors": [{"set": {"field": "whose", "value": "theirs"}}]}


def test_a_pipeline_that_somebody_else_called_like_a_copy_is_neither_overwritten_nor_deleted() -> None:
    cluster = MemoryCluster()
    cluster.pipelines["_ingest"]["describe-v1"] = THEIRS
    made = stack(EMBEDDING)
    made.apply(cluster).check()
    assert cluster.indices["images-v2"]["settings"]["index.default_pipeline"] == "describe-v2"
    assert made.plan(cluster).empty
    apply(cluster, spec({}))[0].check()
    assert cluster.pipelines["_ingest"] == {"describe-v1": THEIRS}


def test_an_index_that_is_there_does_not_take_somebody_else_s_pipeline_for_a_copy() -> None:
    cluster = MemoryCluster()
    cluster.pipelines["_ingest"]["describe-v1"] = THEIRS
    bare = {"mappings": EMBEDDING["index/images"]["mappings"]}
    stack({**EMBEDDING, "index/images": bare}).apply(cluster).check()
    with pytest.raises(PlanRefused, match="ingest_pipeline/describe is to be stored as describe-v1 as well"):
        stack(EMBEDDING).plan(cluster)
    assert cluster.pipelines["_ingest"]["describe-v1"] == THEIRS


def test_copies_are_adopted_with_their_pipeline_and_index() -> None:
    cluster = MemoryCluster()
    stack(EMBEDDING).apply(cluster).check()
    lost(cluster)
    cluster.sent.clear()
    stack(EMBEDDING).apply(cluster, adoption=EVERYTHING).check()
    assert (cluster.sent, stack(EMBEDDING).plan(cluster).empty) == ([], True)


def test_files_that_are_all_gone_are_no_order_to_destroy() -> None:
    cluster, many = MemoryCluster(), stack({f"index/i{number}": {} for number in range(10)})
    many.apply(cluster).check()
    with pytest.raises(PlanRefused, match="10 of 10 resources would be deleted"):
        stack({}).apply(cluster)
    many.emptied().apply(cluster).check()
    assert cluster.indices == {}


def test_an_index_that_somebody_put_behind_the_alias_is_not_deleted_with_ours(cluster: MemoryCluster) -> None:
    cluster.indices["theirs"] = cluster.indices.pop("images-v1")
    rest = {name: body for name, body in BODIES.items() if name != "index/images"}
    stack(rest).apply(cluster).check()
    assert list(cluster.indices) == ["theirs"]
    assert stack(rest).plan(cluster).empty
