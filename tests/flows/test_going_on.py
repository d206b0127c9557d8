"""The new index that an apply began and another one goes on with."""

from __future__ import annotations

from typing import Any

import pytest

from osform.cluster.ledger import Ledger
from osform.core.address import Address
from osform.core.events import silent
from osform.errors import ReadBackMismatch
from osform.flows.planning import make_plan
from osform.flows.replacing import Replacing
from tests.flows.memory import MemoryCluster
from tests.flows.stacks import BODIES, apply, look, spec

IMAGES = Address("index", "images")
AS_KEYWORD = {**BODIES, "index/images": {"mappings": {"properties": {"title": {"type": "keyword"}}}}}


@pytest.fixture
def cluster() -> MemoryCluster:
    """With an index of five documents, which the files ask for in another form by now."""
    cluster = MemoryCluster()
    apply(cluster, spec(BODIES))[0].check()
    cluster.counts["images-v1"] = 5
    return cluster


def begin(cluster: MemoryCluster) -> dict[str, Any]:
    """Make the new index, as an apply does that may be killed right after it; returns the fields that it has."""
    survey = look(cluster, spec(AS_KEYWORD))
    make_plan(survey)
    ledger = Ledger(cluster, "photos", "default")
    told = (lambda entry: ledger.change([entry]), lambda entry: entry, silent, lambda: 0.0, lambda _: None)
    replacing = Replacing(cluster, survey, IMAGES, *told)
    replacing._begin()
    replacing._make(survey.live[IMAGES])
    fields: dict[str, Any] = cluster.indices["images-v2"]["mappings"]["properties"]
    return fields


def test_fields_that_documents_brought_along_since_are_added_to_it(cluster: MemoryCluster) -> None:
    begin(cluster)
    cluster.indices["images-v1"]["mappings"]["properties"]["place"] = {"type": "geo_point"}
    assert begin(cluster) == {"title": {"type": "keyword"}, "place": {"type": "geo_point"}}


def test_what_is_otherwise_than_asked_is_an_error_that_says_how_to_begin_anew(cluster: MemoryCluster) -> None:
    begin(cluster)
    cluster.indices["images-v2"]["mappings"] = {"properties": {"title": {"type": "text"}}}
    cluster.refuses = "/images-v2/_mapping"
    with pytest.raises(ReadBackMismatch, match=r"stored something else: mappings\.properties\.title\.type") as caught:
        begin(cluster)
    assert str(caught.value.hint).startswith("osform apply --abandon")
