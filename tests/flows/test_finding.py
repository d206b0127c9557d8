"""What an import would write, of a cluster in memory."""

from __future__ import annotations

from typing import Any

from osform.core.address import Address
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.flows.finding import Inventory, plain, take_inventory
from osform.flows.looking import Eyes
from tests.flows.memory import MemoryCluster
from tests.flows.stacks import BODIES, spec

INDEX = {
    "aliases": {"all": {}},
    "settings": {
        "index.number_of_shards": "1", "index.number_of_replicas": "2", "index.uuid": "x", "index.version.created": "1",
        "index.default_pipeline": "p", "index.knn": "true",
    },
    "mappings": {"properties": {"title": {"type": "text"}}},
}  # fmt: skip


class Answers(Eyes):
    """Stands for a cluster that answers these paths, and has nothing anywhere else."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(MemoryCluster())
        object.__setattr__(self, "answers", answers)

    def get(self, request: Request) -> Any | None:
        return next((answer for path, answer in self.__dict__["answers"].items() if path in request.path), None)


def bodies(inventory: Inventory) -> dict[str, Any]:
    return {str(each): inventory.body(each, set(inventory.found)) for each in inventory.found}


def test_an_index_is_written_without_what_the_server_adds_and_its_pipeline_is_a_reference() -> None:
    eyes = Answers(_ingest={"p": {"processors": []}}, _all={"i": INDEX})
    written = bodies(take_inventory(eyes, spec({}), State()))
    settings = {"number_of_replicas": 2, "default_pipeline": "${ingest_pipeline/p.name}", "knn": True}
    assert written["index/i"] == {
        "settings": {"index": settings}, "aliases": {"all": {}}, "mappings": INDEX["mappings"],
    }  # fmt: skip


def test_replicas_that_the_server_counts_are_not_written() -> None:
    stored = {"settings": {"index.auto_expand_replicas": "0-1", "index.number_of_replicas": "0"}}
    written = bodies(take_inventory(Answers(_all={"i": stored}), spec({}), State()))
    assert written["index/i"]["settings"] == {"index": {"auto_expand_replicas": "0-1"}}


def test_a_dollar_that_the_server_keeps_stays_one() -> None:
    eyes = Answers(_search={"p": {"description": "costs ${5}"}})
    assert bodies(take_inventory(eyes, spec({}), State())) == {"search_pipeline/p": {"description": "costs $${5}"}}


def test_what_a_ledger_knows_is_not_found_and_neither_is_what_the_server_keeps_for_itself() -> None:
    state = State({Address("search_pipeline", "p"): Entry(Address("search_pipeline", "p"), "applied", {})})
    eyes = Answers(_search={"p": {}}, _all={".kibana": INDEX, "osform-ledger": INDEX})
    assert take_inventory(eyes, spec(BODIES), state).found == {}


def test_a_physical_index_behind_its_alias_has_the_alias_s_name() -> None:
    eyes = Answers(_all={"i-v3": {**INDEX, "aliases": {"i": {}}}})
    (address,) = take_inventory(eyes, spec({}), State()).found
    assert str(address) == "index/i"


def test_what_osform_could_not_read_again_is_left_out_and_said() -> None:
    eyes = Answers(_search={"p": {"novelty": 1}, "a b": {}})
    inventory = take_inventory(eyes, spec({}), State())
    assert inventory.found == {}
    assert inventory.skipped == [
        "search_pipeline/p is left out: osform doesn't know its novelty",
        "search_pipeline/a b is left out: a file can't have this name",
    ]


def test_two_groups_of_one_slug_are_two_files_and_ids_become_references() -> None:
    hits = [{"_id": f"g{n}", "_source": {"name": name}} for n, name in enumerate(("My Group", "my-group"))]
    inventory = take_inventory(Answers(model_groups={"hits": {"hits": hits}}), spec({}), State())
    assert bodies(inventory) == {
        "model_group/my-group": {"name": "My Group"}, "model_group/my-group-2": {"name": "my-group"},
    }  # fmt: skip
    assert inventory.ids == {"g0": Address("model_group", "my-group"), "g1": Address("model_group", "my-group-2")}


def test_settings_are_written_as_a_person_would() -> None:
    assert [plain(value) for value in ("true", "12", "007", "1s", "-1", ["a"])] == [True, 12, "007", "1s", "-1", ["a"]]


def test_a_connector_s_credentials_and_what_looks_like_one_come_from_the_environment() -> None:
    headers = {"Authorization": "Bearer ${credential.key}", "X-Api-Key": "abc", "Accept": "text/plain"}
    source = {"name": "Open AI", "version": "1", "protocol": "http", "created_time": 1, "parameters": {"model": "m"}}
    hits = [{"_id": "c1", "_source": {**source, "actions": [{"action_type": "PREDICT", "method": "POST", "url": "u",
                                                             "headers": headers}]}}]  # fmt: skip
    inventory = take_inventory(Answers(connectors={"hits": {"hits": hits}}), spec({}), State())
    written = bodies(inventory)["connector/open-ai"]
    assert written["credential"] == {"key": "${env.OPEN_AI_KEY}"}
    assert written["actions"][0]["headers"] == {**headers, "X-Api-Key": "${env.OPEN_AI_X_API_KEY}"}
    assert (written["name"], "created_time" in written) == ("Open AI", False)
    assert sorted(inventory.secrets(Address("connector", "open-ai"))) == ["OPEN_AI_KEY", "OPEN_AI_X_API_KEY"]


def connectors(*hits: dict[str, Any]) -> Inventory:
    """An inventory of connectors of one name, each with these fields."""
    common = {"name": "Open AI", "version": "1", "protocol": "http"}
    stored = [{"_id": f"c{number}", "_source": {**common, **fields}} for number, fields in enumerate(hits)]
    return take_inventory(Answers(connectors={"hits": {"hits": stored}}), spec({}), State())


def test_a_credential_in_an_address_or_in_a_body_is_taken_out_of_it_and_the_rest_stays() -> None:
    action = {
        "action_type": "PREDICT",
        "method": "POST",
        "url": "https://ana:pw@h.example/${parameters.m}?v=1&code=abc",
    }
    action["request_body"] = '{"input": ${parameters.input}, "api_key": "def", "cost": "$ {5}"}'
    inventory = connectors({"parameters": {"key": "ghi", "model": "m"}, "actions": [action]})
    (address,) = inventory.found
    written = bodies(inventory)["connector/open-ai"]
    (found,) = written["actions"]
    assert found["url"] == (
        "https://${env.OPEN_AI_USER}:${env.OPEN_AI_PASSWORD}@h.example/${parameters.m}?v=1&code=${env.OPEN_AI_CODE}"
    )
    assert found["request_body"] == (
        '{"input": ${parameters.input}, "api_key": "${env.OPEN_AI_API_KEY}", "cost": "$ {5}"}'
    )
    assert written["parameters"] == {"key": "${env.OPEN_AI_KEY}", "model": "m"}
    assert inventory.secrets(address)["OPEN_AI_CODE"] == ("actions", 0, "url")


def test_two_credentials_of_one_name_are_two_variables_and_one_that_is_the_same_is_one() -> None:
    inventory = connectors(*({"url": f"https://h.example?key={key}"} for key in ("a", "b", "a")))
    urls = [body["url"].partition("=")[2] for body in bodies(inventory).values()]
    assert urls == ["${env.OPEN_AI_KEY}", "${env.OPEN_AI_KEY_2}", "${env.OPEN_AI_KEY}"]
