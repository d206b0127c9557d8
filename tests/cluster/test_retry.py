"""Which failures pass by themselves."""

from __future__ import annotations

import pytest

from osform.cluster.retry import passes
from osform.errors import RequestFailed


@pytest.mark.parametrize(
    ("status", "type", "reason", "may"),
    [
        (500, "illegal_state_exception", "Model is not all cleaned up, please try again. Model ID: m", True),
        (409, "status_exception", "version conflict, document version conflict", True),
        (429, "circuit_breaking_exception", "Memory Circuit Breaker is open", True),
        (400, "parse_exception", "can't parse it", False),
        (500, "illegal_state_exception", "something else", False),
    ],
)
def test_only_what_passes_by_itself_is_tried_again(status: int, type: str, reason: str, may: bool) -> None:
    assert passes(RequestFailed("DELETE /m", status, type, reason)) is may
