"""Plans made from a ledger and a cluster that are values: what changes, in which order, and why."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.address import Address
from osform.core.diff import ABSENT
from osform.core.plan import Delete, Replace
from osform.core.state import Entry, State
from osform.errors import Place, PlanRefused
from osform.flows.planning import make_plan
from osform.flows.resolving import context_of, fingerprint, needs_of, order_of
from osform.flows.survey import Move, Survey
from osform.kinds.base import Live
from tests.flows.stacks import shown, spec

PIPELINE = Address("ingest_pipeline", "p")
ASKED = {"processors": [{"set": {"field": "a", "value": "b"}}]}
ENTRY = Entry(PIPELINE, "applied", ASKED, ASKED)


def made(bodies: Any, entries: Any = (), live: Any = None, environ: Any = None, **state: Any) -> Any:
    """The plan for these bodies, entries of the ledger and live bodies."""
    stack = spec(bodies)
    known = State({entry.address: entry for entry in entries}, key="salt", **state)
    found = {Address.parse(text): Live(body, {"index": "i-v1"}) for text, body in (live or {}).items()}
    survey = Survey(stack, known, environ or {}, found, context_of(stack, {}), needs=needs_of(stack))
    for address in order_of(stack):
        survey.learn(address, found.get(address) if address in known.entries else None)
    return make_plan(survey)


def test_what_is_nowhere_is_created_with_each_leaf_as_a_difference() -> None:
    (change,) = made({"ingest_pipeline/p": ASKED}).changes
    assert (change.action, change.reason, change.place) == ("create", "new", Place("provision/ingest_pipeline/p.yaml"))
    assert [(each.before, each.after) for each in change.differences] == [(ABSENT, "a"), (ABSENT, "b")]


def test_what_is_as_it_was_asked_and_left_is_no_change() -> None:
    assert made({"ingest_pipeline/p": ASKED}, [ENTRY], {"ingest_pipeline/p": ASKED}).empty


def test_an_edit_is_an_update_with_the_old_and_the_new_value_and_the_file() -> None:
    edited = {"processors": [{"set": {"field": "a", "value": "c"}}]}
    (change,) = made({"ingest_pipeline/p": edited}, [ENTRY], {"ingest_pipeline/p": ASKED}).changes
    (difference,) = change.differences
    assert (change.action, change.reason) == ("update", "changed")
    assert (difference.before, difference.after) == ("b", "c")
    assert str(difference.place) == "provision/ingest_pipeline/p.yaml:1"


def test_what_somebody_changed_on_the_cluster_is_drifted_and_goes_back() -> None:
    live = {"processors": [{"set": {"field": "a", "value": "z"}}]}
    (change,) = made({"ingest_pipeline/p": ASKED}, [ENTRY], {"ingest_pipeline/p": live}).changes
    assert (change.action, change.reason) == ("update", "drifted")
    assert [(each.before, each.after) for each in change.differences] == [("z", "b")]


def test_what_somebody_deleted_is_made_again() -> None:
    assert shown(made({"ingest_pipeline/p": ASKED}, [ENTRY])) == [("ingest_pipeline/p", "create", "drifted")]


def test_what_is_gone_from_the_files_is_deleted_last_needed_first_and_after_all_else() -> None:
    index = Entry(Address("index", "i"), "applied", {}, {}, needs=(PIPELINE,))
    plan = made({"search_pipeline/s": {}}, [ENTRY, index], {"ingest_pipeline/p": ASKED, "index/i": {}})
    assert shown(plan) == [
        ("search_pipeline/s", "create", "new"),
        ("index/i", "delete", "removed"),
        ("ingest_pipeline/p", "delete", "removed"),
    ]


def test_what_nobody_of_this_stack_made_is_refused_and_so_is_what_another_stack_owns() -> None:
    live = {"ingest_pipeline/p": ASKED, "ingest_pipeline/q": ASKED}
    with pytest.raises(PlanRefused) as raised:
        made(
            {"ingest_pipeline/p": ASKED, "ingest_pipeline/q": ASKED},
            live=live,
            owners={Address("ingest_pipeline", "q"): "other (production)"},
        )
    first, second = raised.value.message.splitlines()
    assert first.endswith("p.yaml: ingest_pipeline/p is on the cluster already, and no apply of this stack made it")
    assert second.endswith("q.yaml: ingest_pipeline/q is on the cluster and belongs to the stack other (production)")


def test_an_apply_that_was_cut_off_is_taken_up_again_even_where_all_is_there() -> None:
    cut = Entry(PIPELINE, "applying", ASKED)
    (change,) = made({"ingest_pipeline/p": ASKED}, [cut], {"ingest_pipeline/p": ASKED}).changes
    assert (change.action, change.differences) == ("update", ())
    assert change.notes == ("an earlier apply was cut off here and is taken up again",)
    assert shown(made({"ingest_pipeline/p": ASKED}, [cut])) == [("ingest_pipeline/p", "create", "new")]


def test_what_only_follows_another_resource_says_so() -> None:
    body = {"processors": [{"script": {"params": {"id": "${model_group/g.model_group_id}"}}}]}
    then = {"processors": [{"script": {"params": {"id": "g1"}}}]}
    entry = Entry(PIPELINE, "applied", then, then)
    plan = made({"ingest_pipeline/p": body, "model_group/g": {}}, [entry], {"ingest_pipeline/p": then})
    assert shown(plan) == [("model_group/g", "create", "new"), ("ingest_pipeline/p", "update", "dependency")]


def test_an_index_that_can_not_be_changed_in_place_is_made_anew_beside_the_old_one_where_it_has_documents() -> None:
    stored = {"index": "i-v1", "alias": "i", "settings": {"index.number_of_shards": "1"}, "mappings": {}}
    entry = Entry(Address("index", "i"), "applied", stored, stored, {"index": "i-v1"})
    stack = spec({"index/i": {"settings": {"number_of_shards": 2}}})
    for documents, moves in ((0, {}), (5, {entry.address: Move("i-v1", "i-v2", 2, "i-v1")})):
        live = {Address("index", "i"): Live(stored, {"index": "i-v1"}, documents)}
        survey = Survey(stack, State({entry.address: entry}), {}, live, context_of(stack, {}), needs=needs_of(stack))
        (change,) = make_plan(survey).changes
        assert isinstance(change, Replace)
        assert "number_of_shards is fixed when an index is made" in change.notes[0]
        assert survey.moves == moves


def test_an_index_of_whose_documents_only_a_part_is_kept_is_not_copied_and_the_plan_says_which() -> None:
    mapping = {"_source": {"excludes": ["n*"]}, "properties": {"notes": {"type": "text"}, "text": {"type": "text"}}}
    stored = {"index": "i-v1", "alias": "i", "settings": {"index.number_of_shards": "1"}, "mappings": mapping}
    entry = Entry(Address("index", "i"), "applied", stored, stored, {"index": "i-v1"})
    stack = spec({"index/i": {"settings": {"number_of_shards": 2}, "mappings": mapping}})
    live = {entry.address: Live(stored, {"index": "i-v1"}, 5)}
    survey = Survey(stack, State({entry.address: entry}), {}, live, context_of(stack, {}), needs=needs_of(stack))
    with pytest.raises(PlanRefused, match=r"index/i: its mapping keeps notes out of _source, and no pipeline makes"):
        make_plan(survey)


BEARER = {"processors": [{"script": {"params": {"auth": "Bearer ${env.KEY}"}}}]}


def with_secret(text: str) -> Any:
    return {"processors": [{"script": {"params": {"auth": text}}}]}


def test_a_secret_that_the_server_gives_back_is_no_drift_and_one_that_changed_is_not_shown() -> None:
    then = with_secret(f"secret Bearer ${{env.KEY}} #{fingerprint('one', 'salt')}")
    entry, live = Entry(PIPELINE, "applied", then, then), {"ingest_pipeline/p": with_secret("Bearer one")}
    assert made({"ingest_pipeline/p": BEARER}, [entry], live, {"KEY": "one"}).empty
    plan = made({"ingest_pipeline/p": BEARER}, [entry], live, {"KEY": "two"})
    assert shown(plan) == [("ingest_pipeline/p", "update", "changed")]
    assert "Bearer one" not in str(plan.to_json())
    assert "Bearer two" not in str(plan.to_json())


def test_a_secret_that_somebody_replaced_or_that_is_no_longer_asked_is_not_shown_either() -> None:
    then = with_secret(f"secret Bearer ${{env.KEY}} #{fingerprint('one', 'salt')}")
    entry = Entry(PIPELINE, "applied", then, then)
    drifted = made({"ingest_pipeline/p": BEARER}, [entry], {"ingest_pipeline/p": with_secret("mine")}, {"KEY": "one"})
    assert shown(drifted) == [("ingest_pipeline/p", "update", "drifted")]
    deleted = made({}, [entry], {"ingest_pipeline/p": with_secret("Bearer one")})
    assert isinstance(deleted.changes[0], Delete)
    assert "mine" not in str(drifted.to_json())
    assert "Bearer one" not in str(deleted.to_json())


def test_a_key_that_moves_from_the_file_to_the_environment_is_not_shown() -> None:
    then = with_secret("Bearer one")
    entry, live = Entry(PIPELINE, "applied", then, then), {"ingest_pipeline/p": with_secret("Bearer one")}
    for key in ("one", "two"):
        plan = made({"ingest_pipeline/p": BEARER}, [entry], live, {"KEY": key})
        assert shown(plan) == [("ingest_pipeline/p", "update", "changed")]
        assert "Bearer one" not in str(plan.to_json())


def test_what_somebody_changed_around_a_secret_is_drift_and_the_secret_is_not_shown() -> None:
    then = with_secret(f"secret https://h/?key=${{env.KEY}} #{fingerprint('one', 'salt')}")
    entry, live = Entry(PIPELINE, "applied", then, then), {"ingest_pipeline/p": with_secret("https://evil/?key=one")}
    files = {"ingest_pipeline/p": with_secret("https://h/?key=${env.KEY}")}
    plan = made(files, [entry], live, {"KEY": "one"})
    assert shown(plan) == [("ingest_pipeline/p", "update", "drifted")]
    assert "(not shown: another value than the secret)" in str(plan.to_json())
    assert "key=one" not in str(plan.to_json())


def test_what_is_written_down_of_an_index_and_is_so_already_makes_none_anew() -> None:
    field = {"type": "keyword"}
    live = {"index": "i-v1", "alias": "i", "settings": {"index.number_of_shards": "1"}, "mappings": {}}
    live["mappings"] = {"properties": {"a": field}}
    entry = Entry(Address("index", "i"), "applied", {**live, "settings": {}}, live, {"index": "i-v1"})
    asked = {"settings": {"number_of_shards": 1}, "mappings": {"properties": {"a": field}}}
    (change,) = made({"index/i": asked}, [entry], {"index/i": live}).changes
    assert (change.action, [str(each) for each in change.differences]) == (
        "update", ["settings.index.number_of_shards: (absent) -> '1'"],
    )  # fmt: skip


def test_what_is_crossed_out_of_an_index_and_was_a_default_makes_none_anew() -> None:
    shown = {"index": "i-v1", "alias": "i", "settings": {}, "mappings": {"properties": {"a": {"type": "keyword"}}}}
    then = {**shown, "mappings": {"properties": {"a": {"type": "keyword", "store": False}}}}
    entry = Entry(Address("index", "i"), "applied", then, shown, {"index": "i-v1"})
    (change,) = made({"index/i": {"mappings": shown["mappings"]}}, [entry], {"index/i": shown}).changes
    assert (change.action, change.notes) == ("update", ())


def test_an_object_that_documents_brought_fields_into_is_no_change() -> None:
    asked = {"mappings": {"properties": {"o": {"type": "object"}}}}
    then = {"index": "i-v1", "alias": "i", "settings": {}, **asked}
    now = {**then, "mappings": {"properties": {"o": {"properties": {"brought": {"type": "long"}}}}}}
    entry = Entry(Address("index", "i"), "applied", then, then, {"index": "i-v1"})
    assert made({"index/i": asked}, [entry], {"index/i": now}).empty


def test_a_value_that_was_changed_by_hand_since_is_planned_from_what_it_is_now() -> None:
    def body(value: str) -> Any:
        return {"processors": [{"set": {"field": "a", "value": value}}]}

    plan = made({"ingest_pipeline/p": body("c")}, [ENTRY], {"ingest_pipeline/p": body("by hand")})
    assert [(each.before, each.after) for each in plan.changes[0].differences] == [("by hand", "c")]
    assert plan.checksum != made({"ingest_pipeline/p": body("c")}, [ENTRY], {"ingest_pipeline/p": ASKED}).checksum
