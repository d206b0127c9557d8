"""The plan's checksum and what programs read of a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, given

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.plan import Create, Delete, Plan, Update
from osform.core.values import Secret, Unknown
from osform.errors import Place
from tests.trees import trees

INDEX = Address("index", "images")
UPDATE = Update(
    address=INDEX,
    reason="changed",
    differences=(Difference(("settings", "index.number_of_replicas"), "0", "1", Place("provision/index/i.yaml", 4)),),
    asked={"settings": {"index.number_of_replicas": "1"}},
    place=Place("provision/index/i.yaml"),
)
PLAN = Plan("photos", "default", (UPDATE,))


@given(trees(), trees())
def test_another_difference_is_another_checksum(one: Any, other: Any) -> None:
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    made = [Plan("s", "e", (Create(address=INDEX, reason="new", asked={"a": tree}),)) for tree in (one, other)]
    assert made[0].checksum != made[1].checksum


def test_another_stack_environment_action_reason_or_order_is_another_checksum() -> None:
    delete = Delete(address=INDEX, reason="removed")
    plans = [
        PLAN,
        replace(PLAN, stack="other"),
        replace(PLAN, environment="production"),
        replace(PLAN, changes=(replace(UPDATE, reason="drifted"),)),
        replace(PLAN, changes=(UPDATE, delete)),
        replace(PLAN, changes=(delete, UPDATE)),
        replace(PLAN, changes=()),
    ]
    assert len({plan.checksum for plan in plans}) == len(plans)


def test_where_the_files_lie_and_on_which_line_is_no_part_of_the_checksum() -> None:
    (difference,) = UPDATE.differences
    elsewhere = Place("/build/17/provision/index/i.yaml", 90)
    moved = replace(UPDATE, place=elsewhere, differences=(replace(difference, place=elsewhere),))
    assert replace(PLAN, changes=(moved,)).checksum == PLAN.checksum


def test_programs_read_the_change_with_file_line_before_and_after() -> None:
    (change,) = PLAN.to_json()["changes"]
    assert (change["address"], change["action"], change["reason"]) == ("index/images", "update", "changed")
    assert change["differences"] == [
        {
            "path": "settings.index.number_of_replicas",
            "before": "0",
            "after": "1",
            "file": "provision/index/i.yaml",
            "line": 4,
        }
    ]


def test_neither_a_secret_nor_its_absence_shows_in_json() -> None:
    secret = Secret("${env.KEY}", "f1", "s3cret")
    found = (Difference(("key",), ABSENT, secret), Difference(("id",), ABSENT, Unknown("${model/m.model_id}")))
    made = Plan("s", "e", (Create(address=INDEX, reason="new", differences=found, asked={"key": secret}),))
    text = json.dumps(made.to_json())
    assert "s3cret" not in text
    assert "secret ${env.KEY} #f1" in text
    assert "${model/m.model_id} (known after apply)" in text
