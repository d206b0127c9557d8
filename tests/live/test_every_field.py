"""Every field of every kind on a real cluster: changed, taken out, set again; and nothing else is different."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from osform.core.document import dotted
from osform.errors import PlanRefused
from osform.files.writing import dump
from osform.kinds import KINDS as REGISTRY
from tests.live.every_field import KINDS, NOTHING, Body, Field, Kind, edited
from tests.live.seeing import alike, stored
from tests.live.stacks import Files
from tests.live.test_every_kind import SECURED

SAMPLED = random.Random(20).sample([(kind, field) for kind in KINDS for field in kind.fields], 8)


@pytest.mark.parametrize(("kind", "field"), SAMPLED, ids=str)
def test_a_field_is_changed_taken_out_and_set_again(files: Files, kind: Kind, field: Field) -> None:
    start(files, kind)
    walk(files, kind, kind.body(), field)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_each_field_is_changed_taken_out_and_set_again(files: Files, kind: Kind) -> None:
    start(files, kind)
    for field in kind.fields:
        try:
            walk(files, kind, kind.body(), field)
        except Exception as error:
            error.add_note(f"at {kind}: {field}")
            raise
        write(files, kind, kind.body())
        files.apply()
    files.path(kind.address).unlink()
    assert [change.action for change in files.plan().changes] == ["delete"]
    files.apply()
    assert files.plan().empty
    assert kind.name == "cluster_settings" or stored(files.cluster, kind.name, files.name) is None


def test_every_key_of_every_kind_has_a_field_or_a_reason_for_none() -> None:
    for kind in KINDS:
        edited_keys = {field.path.partition(".")[0].partition("[")[0] for field in kind.fields}
        assert edited_keys | kind.without.keys() == REGISTRY[kind.name].KEYS, kind.name
    assert {kind.name for kind in KINDS} == set(REGISTRY) - SECURED


def start(files: Files, kind: Kind) -> None:
    files.environ["KEY"] = "sesame"
    for address, body in kind.beside.items():
        files.write(address, dump(body))
    write(files, kind, kind.body())
    files.apply()
    assert files.plan().empty


def write(files: Files, kind: Kind, body: Body) -> None:
    files.write(kind.address, dump(body))


def walk(files: Files, kind: Kind, body: Body, field: Field) -> None:
    """The field gets its other value, is taken out, and gets its first value again."""
    write(files, kind, edited(body, field.path, field.other))
    if field.refused:
        with pytest.raises(PlanRefused, match=field.refused):
            files.plan()
        return
    step(files, kind, field, (field.one, field.other), field.anew)
    if field.needed:
        return
    without = edited(body, field.path, NOTHING)
    write(files, kind, without)
    step(files, kind, field, (field.other, NOTHING), "" if field.stays else field.anew)
    if kind.name != "cluster_settings" and not field.stays:
        assert as_new(files, kind, without) == alike(stored(files.cluster, kind.name, files.name), files.name)
    write(files, kind, body)
    step(files, kind, field, (NOTHING, field.one), field.anew)


def step(files: Files, kind: Kind, field: Field, values: tuple[Any, Any], anew: str) -> None:
    """The plan shows this field and nothing else; the apply leaves nothing to be done."""
    change, *rest = files.plan().changes
    # What a model was before goes, where nothing uses it.
    assert [str(each) for each in rest if "@" not in each.address.name] == []
    assert (str(change.address), change.action) == (
        kind.address.replace("NAME", files.name),
        "replace" if anew else "update",
    )
    notes = " ".join(change.notes)
    assert anew in notes
    assert values[1] is not NOTHING or field.stays in notes
    shown = {dotted(each.path): each for each in change.differences}
    expected = json.loads(json.dumps(field.differences(*values)).replace("NAME", files.name))
    assert shown.keys() == expected.keys()
    if not field.secret and "${" not in str(values):
        assert {path: [there(each.before), there(each.after)] for path, each in shown.items()} == expected
    files.apply()
    left = files.plan().changes
    assert left == (), [str(each) for change in left for each in change.differences]


def there(value: Any) -> Any:
    return None if repr(value) == "(absent)" else value


def as_new(files: Files, kind: Kind, body: Body) -> Any:
    """What the server stores of the same files where nothing was before."""
    new = Files(files.root.parent / "new", files.cluster, files.worker, files.environ)
    new.write("stack", "name: NAME\n")
    try:
        start_body = {**kind.beside, kind.address: body}
        for address, each in start_body.items():
            new.write(address, dump(each))
        new.apply()
        return alike(stored(new.cluster, kind.name, new.name), new.name)
    finally:
        new.take_away()
