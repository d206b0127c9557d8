"""Drift from a ledger and a cluster that are values: what happened, by its name."""

from __future__ import annotations

from typing import Any

import pytest

from osform.core.address import Address
from osform.core.state import Entry, State
from osform.flows.drifting import drifts
from osform.flows.resolving import context_of
from osform.flows.survey import Survey
from osform.kinds.base import Live
from tests.flows.stacks import spec

MODEL = Address("model", "m")
SERVED = {"name": "m", "deployed": True}
PIPELINE = Address("search_pipeline", "s")


def found(address: Address, recorded: Any, live: Any, status: Any = "applied", asked: Any = None) -> list[str]:
    """The names of what drifted, where this was read back and that is live."""
    stack = spec({} if asked is None else {str(address): asked})
    state = State({address: Entry(address, status, recorded, recorded)})
    shown = {} if live is None else {address: Live(live)}
    survey = Survey(stack, state, {}, shown, context_of(stack, {}))
    return [drift.what for drift in drifts(survey, {})]


@pytest.mark.parametrize(
    ("deployed", "name"),
    [
        ("UNDEPLOYED", "undeployed"), ("DEPLOY_FAILED", "undeployed"), ("on no node", "undeployed"),
        ("on 1 of 2 nodes", "partly deployed"), ("PARTIALLY_DEPLOYED", "partly deployed"),
        ("gives no answer", "not answering"), ("answers otherwise than its export did", "answers differently"),
    ],
)  # fmt: skip
def test_what_happened_to_a_model_at_run_time_has_its_own_name(deployed: str, name: str) -> None:
    assert found(MODEL, SERVED, {**SERVED, "deployed": deployed}) == [name]


def test_a_model_may_have_drifted_in_its_document_and_at_run_time() -> None:
    assert found(MODEL, SERVED, {"name": "x", "deployed": "UNDEPLOYED"}) == ["changed", "undeployed"]


@pytest.mark.parametrize(("function", "applied"), [("REMOTE", False), ("TEXT_EMBEDDING", True)])
def test_an_apply_is_promised_for_a_silent_model_only_where_it_runs_on_the_cluster(
    function: str, applied: bool
) -> None:
    body = {**SERVED, "function_name": function}
    needs = (Address("model_group", "g"), Address("connector", "c"))
    state = State({MODEL: Entry(MODEL, "applied", body, body, needs=needs)})
    silent = {MODEL: Live({**body, "deployed": "gives no answer"})}
    (drift,) = drifts(Survey(spec({}), state, {}, silent), {MODEL: "no"})
    assert (drift.what, drift.next == "osform apply") == ("not answering", applied)
    assert ("connector/c" in drift.next) is not applied


def test_what_is_gone_is_missing_and_what_is_as_it_was_left_is_no_drift() -> None:
    assert found(PIPELINE, {"description": "a"}, None) == ["missing"]
    assert found(PIPELINE, {"description": "a"}, {"description": "a"}) == []


def test_what_the_files_ask_for_now_plays_no_part() -> None:
    assert found(PIPELINE, {"description": "a"}, {"description": "a"}, asked={"description": "b"}) == []
    assert found(PIPELINE, {"description": "a"}, {"description": "b"}, asked={"description": "b"}) == ["changed"]


def test_an_apply_that_was_cut_off_is_unfinished() -> None:
    assert found(PIPELINE, {"description": "a"}, {"description": "b"}, "applying") == ["unfinished"]


def test_what_a_late_request_made_beside_it_has_its_own_name() -> None:
    state = State({MODEL: Entry(MODEL, "applied", {}, SERVED)})
    (drift,) = drifts(Survey(spec({}), state, {}, {MODEL: Live(SERVED, strays=("m2",))}), {})
    assert (drift.what, drift.detail) == ("made twice", "a request that came late made m2 beside it")


def test_programs_read_what_was_there_and_what_is_there() -> None:
    state = State({PIPELINE: Entry(PIPELINE, "applied", {}, {"description": "a", "version": 1})})
    (drift,) = drifts(Survey(spec({}), state, {}, {PIPELINE: Live({"description": "b"})}), {})
    assert drift.to_json() == {
        "address": "search_pipeline/s", "drift": "changed", "detail": "", "next": "osform apply",
        "differences": [
            {"path": "description", "before": "a", "after": "b"}, {"path": "version", "before": 1, "after": None},
        ],
    }  # fmt: skip


KEYED = Address("connector", "c")
WITH_KEY = {"parameters": {"key": "${env.KEY}", "model": "one-large"}}


@pytest.mark.parametrize("given", ["one", "two"])
def test_a_key_that_only_the_files_have_moved_to_the_environment_is_no_drift(given: str) -> None:
    recorded = {"parameters": {"key": "one", "model": "one-large"}}
    stack = spec({str(KEYED): WITH_KEY})
    survey = Survey(stack, State({KEYED: Entry(KEYED, "applied", recorded, recorded)}, key="salt"), {"KEY": given})
    survey.live, survey.context = {KEYED: Live(recorded)}, context_of(stack, {})
    assert drifts(survey, {}) == ()
    survey.live = {KEYED: Live({"parameters": {**recorded["parameters"], "model": "another one"}})}
    (drift,) = drifts(survey, {})
    assert [each.path for each in drift.differences] == [("parameters", "model")]
