"""Every kind keeps the promises of ``base.Kind``."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import osform.kinds
from osform.kinds import KINDS
from osform.kinds.base import Body, Context, Kind, Last, Live, Wanted

FUNCTIONS = [name for name, member in vars(Kind).items() if inspect.isfunction(member) and not name.startswith("_")]
ATTRIBUTES = [name for name in Kind.__annotations__ if name.isupper()]
EMPTY: dict[str, Body] = {
    "model": {},
    "cluster_settings": {},
    "model_group": {},
    "ingest_pipeline": {},
    "search_pipeline": {},
    "index": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_every_function_with_the_arguments_of_the_protocol(kind: str) -> None:
    for name in FUNCTIONS:
        promised = list(inspect.signature(getattr(Kind, name)).parameters)[1:]
        assert list(inspect.signature(getattr(KINDS[kind], name)).parameters) == promised, f"{kind}.{name}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_named_as_its_folder_and_its_module_and_knows_its_keys(kind: str) -> None:
    module = KINDS[kind]
    assert all(hasattr(module, name) for name in ATTRIBUTES)
    assert kind == module.KIND
    assert Path(inspect.getfile(module)).stem == kind  # type: ignore[arg-type]  # a module is what satisfies Kind here
    assert module.KEYS


@pytest.mark.parametrize("kind", KINDS)
def test_every_output_of_a_kind_is_known_beforehand_or_from_the_server(kind: str) -> None:
    live = Live({}, {f"{kind}_id": "x1"})
    given = set(KINDS[kind].known("n", {}, Context())) | set(KINDS[kind].outputs("n", live))
    promised = {"dimension", "max_length", "space_type", "sha256"} if kind == "model" else set()
    assert KINDS[kind].OUTPUTS - promised <= given


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_empty_answers_and_no_request_but_reads_is_made(kind: str) -> None:
    wanted = {"n": Wanted({})}
    requests = KINDS[kind].reads(wanted)
    assert {request.method for request in requests} <= {"GET", "POST"}
    assert all(request.method == "GET" or "search" in request.path for request in requests)
    assert KINDS[kind].found([None] * len(requests), wanted) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_many_resources_are_read_in_no_more_requests_than_one(kind: str) -> None:
    assert len(KINDS[kind].reads({f"n{n}": Wanted({}) for n in range(50)})) == len(KINDS[kind].reads({"n": Wanted({})}))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_as_it_was_left_is_no_drift(kind: str) -> None:
    body = {"mappings": {"properties": {"a": {"type": "text"}}}, "settings": {"index.knn": "true"}}
    assert KINDS[kind].drift(body, body) == ()


def test_each_module_of_a_kind_is_registered() -> None:
    folder = Path(inspect.getfile(osform.kinds)).parent
    kinds = {path.stem for path in folder.glob("*.py") if "\nKIND = " in path.read_text(encoding="utf-8")}
    assert kinds == set(KINDS)
    assert Last() == Last({}, {})
