"""What a change reaches: pipelines of a model, and indices with their vectors."""

from __future__ import annotations

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.document import Document
from osform.core.plan import Change, Create, Effect, Update
from osform.core.resource import Resource, StackSpec
from osform.flows.effects import with_effects
from osform.kinds.base import Live

SETTINGS, MODEL = Address("cluster_settings", "s"), Address("model", "m")
PIPELINE, INDEX = Address("ingest_pipeline", "p"), Address("index", "i")
BODY = {"processors": [{"text_embedding": {"model_id": "${model/m.model_id}", "field_map": {"a": "v"}}}]}
SPEC = StackSpec("s", "default", {}, {PIPELINE: Resource(PIPELINE, BODY, Document("f", BODY, {}), "f")}, {})
NEEDS = {INDEX: (PIPELINE, SETTINGS), PIPELINE: (MODEL, SETTINGS), MODEL: (SETTINGS,), SETTINGS: ()}
LIVE = {MODEL: Live({}), PIPELINE: Live(BODY), INDEX: Live({}, {"index": "i-v1"}, 12)}


def effects(change: Change) -> tuple[Effect, ...]:
    (made,) = with_effects([change], SPEC, NEEDS, LIVE)
    return made.effects


def update(address: Address, key: str) -> Update:
    return Update(address=address, reason="changed", differences=(Difference((key,), 1, 2),))


def test_a_model_reaches_its_pipelines_and_through_them_vectors_with_their_documents() -> None:
    assert effects(update(MODEL, "deployed")) == (Effect(PIPELINE, MODEL), Effect(INDEX, PIPELINE, 12, ("v",)))


def test_a_description_and_a_setting_reach_nobody() -> None:
    assert effects(update(MODEL, "description")) == ()
    assert effects(update(SETTINGS, "persistent")) == ()


def test_what_is_new_reaches_nobody_and_what_somebody_took_away_reaches_its_users() -> None:
    found = (Difference(("processors",), ABSENT, []),)
    assert effects(Create(address=PIPELINE, reason="new", differences=found)) == ()
    assert [each.address for each in effects(Create(address=PIPELINE, reason="drifted", differences=found))] == [INDEX]
