"""Who still uses what is about to go: on a cluster that shows what it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.address import Address
from osform.core.plan import Delete, Plan, Update
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.errors import PlanRefused
from osform.flows import removing
from osform.flows.looking import Eyes
from osform.flows.survey import Survey
from osform.kinds.base import Live
from tests.flows.stacks import spec

MODEL = Entry(Address("model", "m"), "applied", {}, {}, {"model_id": "id7"})
PIPELINE = Entry(Address("ingest_pipeline", "p"), "applied", {}, {}, {"copies": "p-v1"})
SEARCH = Entry(Address("search_pipeline", "s"), "applied", {}, {})
GROUP = Entry(Address("model_group", "g"), "applied", {}, {}, {"model_group_id": "g7"})
PART = Entry(Address("component_template", "part"), "applied", {}, {})
EMBEDDING = {"processors": [{"text_embedding": {"model_id": "id7", "field_map": {"a": "b"}}}]}


class Shown(Eyes):
    """Stands for a cluster that answers these paths, and has nothing anywhere else."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__(Cluster("http://127.0.0.1:1"))
        object.__setattr__(self, "answers", answers)

    def get(self, request: Request) -> Any | None:
        return next((answer for path, answer in self.__dict__["answers"].items() if path in request.path), None)


def users(gone: Entry, answers: dict[str, Any], *stays: Any, others: Any = ()) -> list[str]:
    """Where the scan finds what is about to go."""
    entries = {each.address: each for each in (gone, *[each for each in stays if isinstance(each, Entry)])}
    survey = Survey(spec({}), State(entries, others=others), {})
    changes = (*[each for each in stays if isinstance(each, Update)], Delete(address=gone.address, reason="removed"))
    plan = Plan("photos", "default", changes)
    return [str(use) for use in removing.uses(plan, survey, Shown(answers))]


@pytest.mark.parametrize(
    ("path", "answer", "user"),
    [
        ("_ingest", {"theirs": EMBEDDING}, "ingest_pipeline/theirs (processors[0].text_embedding.model_id)"),
        ("_search/pipeline", {"q": {"request_processors": [{"neural_query_enricher": {"default_model_id": "id7"}}]}},
         "search_pipeline/q (request_processors[0].neural_query_enricher.default_model_id)"),
        ("_mapping", {"i": {"mappings": {"properties": {"t": {"type": "semantic", "model_id": "id7"}}}}},
         "index/i (mappings.properties.t.model_id)"),
        ("agents/_search", {"hits": {"hits": [{"_id": "a1", "_source": {"llm": {"model_id": "id7"}}}]}},
         "agent/a1 (llm.model_id)"),
    ],
)  # fmt: skip
def test_whatever_names_a_model_s_id_uses_it(path: str, answer: Any, user: str) -> None:
    assert users(MODEL, {path: answer}) == [f"model/m is still used by {user}, which belongs to no stack"]


@pytest.mark.parametrize(
    ("gone", "setting", "value", "used"),
    [
        (PIPELINE, "index.default_pipeline", "p-v1", True),
        (PIPELINE, "index.final_pipeline", "p", True),
        (PIPELINE, "index.search.default_pipeline", "p", False),
        (SEARCH, "index.search.default_pipeline", "s", True),
        (SEARCH, "index.default_pipeline", "s", False),
    ],
)
def test_a_pipeline_is_used_by_the_settings_of_its_kind(gone: Entry, setting: str, value: str, used: bool) -> None:
    assert bool(users(gone, {"_settings": {"i": {"settings": {setting: value}}}})) is used


def test_templates_are_users_however_their_settings_are_nested() -> None:
    for settings in ({"index": {"default_pipeline": "p"}}, {"index.default_pipeline": "p"}, {"default_pipeline": "p"}):
        listed = [{"name": "t", "index_template": {"template": {"settings": settings}}}]
        assert users(PIPELINE, {"/_index_template": {"index_templates": listed}})


def test_a_component_is_used_by_the_templates_that_are_composed_of_it() -> None:
    listed = [{"name": "t", "index_template": {"composed_of": ["other", "part"]}}]
    (line,) = users(PART, {"/_index_template": {"index_templates": listed}})
    assert "index_template/t (composed_of[1])" in line


def test_a_pipeline_is_used_by_a_pipeline_that_calls_it() -> None:
    assert users(PIPELINE, {"_ingest": {"q": {"processors": [{"pipeline": {"name": "p"}}]}}})


def test_a_group_is_used_by_somebody_else_s_model_in_it() -> None:
    theirs = Entry(Address("model", "x"), "applied", {}, {}, {"model_id": "id9"})
    hits = {"hits": {"hits": [{"_id": "id9", "_source": {"model_group_id": "g7"}}]}}
    (line,) = users(GROUP, {"models/_search": hits}, others=(("other (prod)", theirs),))
    assert line.endswith("which belongs to the stack other (prod)")


def test_what_the_same_plan_switches_to_something_else_is_no_user_and_what_stays_is() -> None:
    stored = {"_ingest": {"p": EMBEDDING}}
    switched = Update(address=PIPELINE.address, reason="changed", asked={"processors": []})
    assert users(MODEL, stored, PIPELINE, switched) == []
    (line,) = users(MODEL, stored, PIPELINE)
    assert line.endswith("belongs to the stack photos (default)")


def test_nothing_is_asked_where_nothing_goes() -> None:
    survey = Survey(spec({}), State(), {})
    assert removing.uses(Plan("photos", "default", ()), survey, Eyes(Cluster("http://127.0.0.1:1"))) == ()


def test_a_use_is_noted_in_the_plan_and_refused_by_apply() -> None:
    use = removing.Use(MODEL.address, Address("index", "i"), "mappings")
    plan = Plan("photos", "default", (Delete(address=MODEL.address, reason="removed"),))
    assert removing.noted(plan, (use,)).changes[0].notes == (f"can't go: {use}",)
    with pytest.raises(PlanRefused, match="model/m is still used by index/i"):
        removing.refuse((use,))


def test_what_was_never_finished_is_known_by_what_was_found_of_it() -> None:
    unfinished = Entry(MODEL.address, "applying", {}, {}, {"tag": "t"})
    entries = {each.address: each for each in (unfinished, GROUP)}
    live = {MODEL.address: Live({}, {"model_id": "id7"}, strays=("id8",))}
    survey = Survey(spec({}), State(entries), {}, live)
    plan = Plan("photos", "default", tuple(Delete(address=each, reason="removed") for each in entries))
    in_it = [{"_id": each, "_source": {"model_group_id": "g7"}} for each in ("id7", "id8")]
    assert removing.uses(plan, survey, Shown({"models/_search": {"hits": {"hits": in_it}}})) == ()
    theirs = Shown({"_ingest": {"theirs": EMBEDDING}})
    assert [str(use.user) for use in removing.uses(plan, survey, theirs)] == ["ingest_pipeline/theirs"]
