"""What is served and what is not, before anything of a request is read."""

from __future__ import annotations

import pytest

from osform.ui.gate import MOST_BYTES, Gate

HERE = {"host": "127.0.0.1:8780"}
FORM = HERE | {"origin": "http://127.0.0.1:8780", "content-length": "10"}


def status(method: str, headers: dict[str, str], *names: str) -> int | None:
    refusal = Gate(frozenset(names)).refusal(method, headers)
    return refusal.status if refusal else None


@pytest.mark.parametrize("host", ["127.0.0.1:8780", "localhost:8780", "localhost", "[::1]:8780", "10.1.2.3:1"])
def test_this_machine_and_addresses_in_numbers_are_known(host: str) -> None:
    assert status("GET", {"host": host}) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8780", "127.0.0.1.evil.example", "localhost.evil", "", "1"]
)
def test_a_name_that_was_made_to_stand_for_this_machine_is_refused(host: str) -> None:
    assert status("GET", {"host": host}) == 421


def test_a_name_that_was_given_is_known() -> None:
    assert status("GET", {"host": "Photos.example:80"}, "photos.example") is None


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", "http://127.0.0.1:8781", "http://localhost:8780"]
)
def test_a_form_of_another_page_is_refused(origin: str) -> None:
    assert status("POST", FORM | {"origin": origin}) == 403
    assert status("POST", FORM) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_get_no_picture_and_no_script_and_may_link_here(site: str) -> None:
    fetch = HERE | {"sec-fetch-site": site}
    assert status("GET", fetch | {"sec-fetch-mode": "no-cors"}) == 403
    assert status("GET", fetch | {"sec-fetch-mode": "navigate"}) is None


def test_a_body_is_refused_by_its_length() -> None:
    assert status("POST", FORM | {"content-length": str(MOST_BYTES)}) is None
    assert status("POST", FORM | {"content-length": str(MOST_BYTES + 1)}) == 413


@pytest.mark.parametrize("length", ["-1", "x", "", "1_0", "²", "5, 500000000", "9" * 5000])
def test_a_body_of_unknown_length_is_refused(length: str) -> None:
    assert status("POST", FORM | {"content-length": length}) == 411
    assert status("POST", FORM | {"transfer-encoding": "chunked"}) == 411


def test_other_methods_and_bodies_without_a_form_are_refused() -> None:
    assert status("DELETE", HERE) == 405
    assert status("GET", HERE | {"content-length": "3"}) == 400
