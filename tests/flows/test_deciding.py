"""Which indices get a new physical index, by which number, and what stays for a rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from osform.core.address import Address
from osform.core.plan import Delete, Plan
from osform.core.state import Entry, State
from osform.core.values import concealed
from osform.flows import owning
from osform.flows.planning import make_plan
from osform.flows.resolving import context_of, needs_of
from osform.flows.survey import Survey
from osform.kinds.base import Live
from tests.flows.stacks import spec

A, B, PIPELINE = Address("index", "a"), Address("index", "b"), Address("ingest_pipeline", "p")


def bodies(model: str, **changed: Any) -> dict[str, Any]:
    """Two indices behind one pipeline that embeds with this model; the first has settings that are ``changed``."""
    field = {"type": "knn_vector", "dimension": 4, "method": {"name": "hnsw", "engine": "lucene"}}
    mapping = {"properties": {"text": {"type": "text"}, "vector": field}}
    index: dict[str, Any] = {"settings": {"default_pipeline": "${ingest_pipeline/p.name}"}, "mappings": mapping}
    first = {**index, "settings": {**index["settings"], **changed}}
    embed = {"text_embedding": {"model_id": model, "field_map": {"text": "vector"}}}
    return {"ingest_pipeline/p": {"processors": [embed]}, "index/a": first, "index/b": index}


def survey(model: str, entries: list[Entry], documents: int = 5, **changed: Any) -> Survey:
    """What a look at a cluster would find that holds just what these entries recorded."""
    stack = spec(bodies(model, **changed))
    state = State({entry.address: entry for entry in entries})
    live = {each.address: Live(each.recorded, each.ids, documents) for each in entries}
    versions, named = owning.numbers(state)
    found = Survey(stack, state, {}, live, context_of(stack, versions, named), needs=needs_of(stack))
    for address in stack.resources:
        found.learn(address, live.get(address))
    return found


def applied(model: str) -> list[Entry]:
    """The ledger after an apply."""
    first = survey(model, [])
    ids = {A: {"index": "a-v1"}, B: {"index": "b-v1"}, PIPELINE: {"copies": "p-v1"}}
    asked = {address: concealed(first.asked(address)) for address in ids}
    return [Entry(each, "applied", asked[each], asked[each], ids[each], first.needs[each]) for each in ids]


def planned(found: Survey) -> Plan:
    return make_plan(found)


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(str(change.address), change.action) for change in plan.changes]


def test_the_same_files_move_nothing() -> None:
    assert planned(survey("m1", applied("m1"))).empty


def test_another_model_moves_every_index_behind_its_pipeline_and_the_plain_name_changes_last() -> None:
    found = survey("m2", applied("m1"))
    assert actions(planned(found)) == [("index/a", "replace"), ("index/b", "replace"), ("ingest_pipeline/p", "update")]
    assert {str(each): move.target for each, move in found.moves.items()} == {"index/a": "a-v2", "index/b": "b-v2"}
    assert found.wanted(PIPELINE).ids["copies"] == "p-v2"
    assert set(found.waits_for(PIPELINE)) == {A, B}


X, Y = Address("alias", "x"), Address("alias", "y")


def swapping(before: dict[str, str], after: dict[str, str], mapping: str) -> Survey:
    """A look at aliases that were on one index each and are to be on another, while both indices are made anew."""
    index = {"settings": {}, "mappings": {"properties": {"f": {"type": mapping}}}}
    stack = spec({"index/a": index, "index/b": index, **{f"alias/{x}": {"indices": [i]} for x, i in after.items()}})
    old = {"settings": {"index.number_of_shards": "1"}, "mappings": {"properties": {"f": {"type": "text"}}}}
    found = Survey(stack, State({}), {}, {}, context_of(stack, {"a": 1, "b": 1}), needs=needs_of(stack))
    entries, live = {}, {}
    for address in (A, B):
        body = old | {"index": f"{address.name}-v1", "alias": address.name}
        ids = {"index": f"{address.name}-v1"}
        entries[address] = Entry(address, "applied", concealed(found.asked(address)) | old, body, ids)
        live[address] = Live(body, ids, 0)
    for alias, on in before.items():
        address, stored = Address("alias", alias), dict[str, Any](indices={f"{on}-v1": {}})
        entries[address], live[address] = Entry(address, "applied", stored, stored), Live(stored)
    found.state, found.live = State(entries), live
    for address in stack.resources:
        found.learn(address, live.get(address))
    return found


def test_aliases_that_change_places_between_indices_made_anew_come_after_both() -> None:
    found = swapping({"x": "a", "y": "b"}, {"x": "b", "y": "a"}, "keyword")
    assert [each for _, each in actions(planned(found))] == ["replace", "replace", "update", "update"]
    assert found.waits_for(X) == found.waits_for(Y) == (A, B)
    assert found.carried == {X, Y}


def test_an_index_that_waits_for_an_alias_comes_after_it_also_where_the_alias_leaves_it() -> None:
    found = swapping({"x": "a"}, {"x": "b"}, "keyword")
    found.needs = {**found.needs, A: (X,)}
    assert [str(each.address) for each in planned(found).changes] == ["index/b", "alias/x", "index/a"]


def test_an_alias_that_is_gone_from_the_files_is_looked_up_again_once_its_index_is_made_anew() -> None:
    found = swapping({"x": "a"}, {}, "keyword")
    assert actions(planned(found)) == [("index/a", "replace"), ("index/b", "replace"), ("alias/x", "delete")]
    assert found.carried == {X}


def test_without_documents_nothing_is_copied() -> None:
    found = survey("m2", applied("m1"), documents=0)
    planned(found)
    assert found.moves == {}
    assert found.wanted(PIPELINE).ids["copies"] == "p-v1"


def test_a_number_that_a_pipeline_of_the_index_has_a_copy_with_is_not_taken_again() -> None:
    entries = [each if each.address != B else replace(each, ids={"index": "b-v3"}) for each in applied("m1")]
    found = survey("m2", entries)
    planned(found)
    assert {str(each): move.target for each, move in found.moves.items()} == {"index/a": "a-v4", "index/b": "b-v4"}


def test_what_is_being_filled_for_just_this_is_gone_on_with_and_anything_else_is_deleted() -> None:
    begun = survey("m2", applied("m1"))
    planned(begun)
    target = Address("index", "a-v2")
    filling = Entry(target, "applying", concealed(begun.asked(A)), ids={"index": "a-v2"}, role="next", of=A)
    filling = replace(filling, journal={"source": "a-v1"})
    again = survey("m2", [*applied("m1"), filling])
    assert [change for change in planned(again).changes if isinstance(change, Delete)] == []
    assert again.moves[A].target == "a-v2"
    other = survey("m3", [*applied("m1"), filling])
    assert [str(each.address) for each in planned(other).changes if isinstance(each, Delete)] == ["index/a-v2"]
    assert other.moves[A].target == "a-v3"
    elsewhere = survey("m2", [*applied("m1"), replace(filling, journal={"source": "a-v0"})])
    planned(elsewhere)
    assert elsewhere.moves[A].target == "a-v3"


def test_what_was_filled_and_serves_is_not_deleted_where_the_apply_was_cut_off_before_it_had_forgotten_that() -> None:
    now = Entry(A, "applied", {"settings": {"index.default_pipeline": "p-v2"}}, {}, {"index": "a-v2"})
    filled = Entry(Address("index", "a-v2"), "applying", {}, ids={"index": "a-v2"}, role="next", of=A)
    pipeline = Entry(PIPELINE, "applied", {}, {}, {"copies": "p-v1"})
    entries = {each.address: each for each in (now, filled, pipeline)}
    assert set(owning.less_finished(State(entries)).entries) == {A, PIPELINE}
    assert replace(PIPELINE, name="p-v2") in owning.copies(State(entries))
    begun = {**entries, A: replace(now, ids={"index": "a-v1"})}
    assert set(owning.less_finished(State(begun)).entries) == set(entries)


def test_a_half_filled_index_that_goes_leaves_the_pipeline_to_another_one_that_is_filled_through_it() -> None:
    begun = survey("m2", applied("m1"))
    planned(begun)
    filling = [
        Entry(
            Address("index", f"{each.name}-v2"),
            "applying",
            concealed(begun.asked(each)),
            ids={"index": f"{each.name}-v2"},
            role="next",
            of=each,
            journal={"source": f"{each.name}-v1"},
        )
        for each in (A, B)
    ]
    found = survey("m2", [*applied("m1"), *filling], number_of_shards=2)
    assert ("index/a-v2", "delete") in actions(planned(found))
    assert (found.moves[A].target, found.moves[B].target) == ("a-v3", "b-v2")
    assert list(owning.copies_of(filling[0], found.state, found.indices())) == []
    assert list(owning.copies_of(filling[0], found.state, [])) == [Address("ingest_pipeline", "p-v2")]


def test_what_a_kept_index_uses_stays_as_long_as_the_index() -> None:
    old = {"settings": {"index.default_pipeline": "p-v1"}}
    entries = [
        Entry(Address("index", "a-v1"), "applied", old, old, {"index": "a-v1"}, role="past", of=A, until="2030"),
        Entry(Address("ingest_pipeline", "p-v1"), "applied", {}, {"model_id": "m1"}, role="past", of=A),
        Entry(Address("model", "gone"), "applied", {}, {"model_group_id": "g1"}, {"model_id": "m1"}),
        Entry(Address("model_group", "gone"), "applied", {}, {}, {"model_group_id": "g1"}),
        Entry(Address("model", "other"), "applied", {}, {}, {"model_id": "m9"}),
    ]
    state = State({entry.address: entry for entry in entries})
    kept = {str(each) for each in owning.retained(state, [], {}, "2029")}
    assert kept == {"index/a-v1", "ingest_pipeline/p-v1", "model/gone", "model_group/gone"}
    assert owning.retained(state, [], {}, "2031") == frozenset()


def test_an_index_that_is_renamed_and_made_anew_at_once_leaves_nothing_under_its_old_name() -> None:
    old = Address("index", "old")
    entries = [replace(e, address=old, ids={"index": "old-v1"}) if e.address == A else e for e in applied("m1")]
    found = survey("m2", entries)
    found.live[A] = found.live.pop(old)  # type: ignore[attr-defined,index]
    found.spec = replace(found.spec, moved={old: A})
    found.state, found.moved = owning.renamed(found.spec, found.state)
    (change,) = [each for each in planned(found).changes if each.address == A]
    assert (change.action, change.moved_from, found.moves[A].kept) == ("replace", old, "old-v1")
    assert [each for each in planned(found).changes if isinstance(each, Delete)] == []


def test_what_an_apply_that_was_cut_off_left_under_the_old_name_is_known_by_what_is_kept() -> None:
    old, new = Entry(Address("index", "old"), "applied", {}, {}, {"index": "old-v1"}), applied("m1")[0]
    kept = replace(old, address=Address("index", "old-v1"), role="past", of=A)
    stack = replace(spec(bodies("m1")), moved={old.address: A})
    entries = {each.address: each for each in (old, new, kept)}
    state, moved = owning.renamed(stack, State(entries))
    assert (old.address in state.entries, moved) == (False, {A: old.address})
    other = {each.address: each for each in (old, new)}
    assert old.address in owning.renamed(stack, State(other))[0].entries


def test_what_is_kept_of_a_renamed_index_for_a_rollback_is_that_of_its_new_name() -> None:
    old = Address("index", "old")
    kept = Entry(Address("index", "old-v1"), "applied", {}, {}, {"index": "old-v1"}, role="past", of=old)
    now = Entry(old, "applied", {}, {}, {"index": "old-v2"})
    stack = replace(spec(bodies("m1")), moved={old: A})
    state, _ = owning.renamed(stack, State({each.address: each for each in (now, kept)}))
    assert state.entries[kept.address].of == A


def test_a_name_that_somebody_else_has_is_given_neither_to_a_new_index_nor_to_a_copy_of_a_pipeline() -> None:
    taken = {"index": {"a-v2"}, "ingest_pipeline": {"p", "p-v1", "p-v3"}}
    found = survey("m2", applied("m1"))
    found.names = lambda kind: frozenset(taken.get(kind, ()))
    planned(found)
    assert {str(each): move.target for each, move in found.moves.items()} == {"index/a": "a-v4", "index/b": "b-v2"}


def test_the_name_that_an_adopted_index_is_to_have_as_the_old_one_is_nobody_else_s() -> None:
    plain = {"index": "a", "settings": {"index.default_pipeline": "p"}, "mappings": {}}
    entries = [
        replace(each, ids={"index": "a"}, recorded=plain) if each.address == A else each for each in applied("m1")
    ]
    found = survey("m2", entries)
    found.names = lambda kind: frozenset({"a", "a-v2"} if kind == "index" else ())
    planned(found)
    assert (found.moves[A].kept, found.moves[A].target) == ("a-v3", "a-v4")


def test_an_empty_index_beside_one_that_moves_leaves_it_the_copy_of_their_pipeline() -> None:
    found = survey("m2", applied("m1"))
    found.live = {**found.live, B: replace(found.live[B], documents=0)}
    planned(found)
    assert (list(found.moves), found.asked(B)["index"]) == ([A], "b-v2")
    assert found.wanted(PIPELINE).ids["copies"] == "p-v2"


def test_an_empty_index_that_is_made_anew_after_the_other_has_moved_leaves_it_the_copy_as_well() -> None:
    (a, _, p), past = applied("m2"), replace(PIPELINE, name="p-v1")
    entries = [replace(a, ids={"index": "a-v2"}), applied("m1")[1], replace(p, ids={"copies": "p-v2"})]
    found = survey("m2", [*entries, Entry(past, "applied", {}, {}, role="past", of=PIPELINE)], documents=0)
    found.names = lambda kind: frozenset({"p", "p-v1", "p-v2"} if kind == "ingest_pipeline" else ())
    planned(found)
    assert (found.moves, found.asked(B)["index"]) == ({}, "b-v3")
    assert past.name not in found.wanted(PIPELINE).ids["copies"]
    assert found.live[PIPELINE].body["copies"] == {"p-v3": "missing"}


def test_a_new_index_beside_one_that_moves_leaves_it_the_copy_of_their_pipeline() -> None:
    found = survey("m2", [each for each in applied("m1") if each.address != B])
    assert ("index/b", "create") in actions(planned(found))
    assert found.wanted(PIPELINE).ids["copies"] == "p-v2"


def test_a_new_index_takes_no_number_with_which_a_copy_is_kept_for_a_rollback() -> None:
    kept = Entry(replace(PIPELINE, name="p-v1"), "applied", {}, {}, role="past", of=PIPELINE)
    entries = [*(each for each in applied("m1") if each.address != B), kept]
    state = State({entry.address: entry for entry in entries})
    taken = {replace(PIPELINE, name=name) for name in ("p", "p-v1")} - owning.copies(state)
    assert owning.numbers(state, [B], {B: (PIPELINE,)}, taken)[0]["b"] == 2


def test_a_copy_that_a_rollback_and_a_current_index_both_need_stays() -> None:
    past = [
        Entry(Address("index", "a-v0"), "applied", {}, {}, {"index": "a-v0"}, role="past", of=A, until="2020"),
        Entry(replace(PIPELINE, name="p-v1"), "applied", {}, {}, role="past", of=PIPELINE),
    ]
    assert actions(planned(survey("m1", [*applied("m1"), *past]))) == [("index/a-v0", "delete")]
