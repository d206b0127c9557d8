"""Which Chromium the tests take."""

from __future__ import annotations

import pytest

from tests.ui.chromium import NoChromium, found


def installed(*names: str) -> dict[str, str]:
    return {name: f"/usr/bin/{name}" for name in names}


def test_the_one_that_is_named_comes_first() -> None:
    there = installed("mine", "chromium")
    assert found({"CHROMIUM": "mine"}, there.get) == "/usr/bin/mine"
    assert found({}, there.get) == "/usr/bin/chromium"


def test_any_that_is_installed_will_do() -> None:
    assert found({}, installed("google-chrome").get) == "/usr/bin/google-chrome"
    assert found({}, {}.get) is None


def test_one_that_is_named_and_not_there_is_said() -> None:
    with pytest.raises(NoChromium, match="there is no such program"):
        found({"CHROMIUM": "/no/chrome"}, {}.get)
