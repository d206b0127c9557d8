"""Which Chromium the tests take."""

from __future__ import annotations

import pytest

from tests.ui.chromium import NoChromium, Which, found


def installed(*names: str) -> Which:
    return lambda name: f"/usr/bin/{name}" if name in names else None


def test_the_one_that_is_named_comes_first() -> None:
    there = installed("mine", "chromium")
    assert found({"CHROMIUM": "mine"}, there) == "/usr/bin/mine"
    assert found({}, there) == "/usr/bin/chromium"


def test_any_that_is_installed_will_do() -> None:
    assert found({}, installed("google-chrome")) == "/usr/bin/google-chrome"
    assert found({}, installed()) is None


def test_one_that_is_named_and_not_there_is_said() -> None:
    with pytest.raises(NoChromium, match="there is no such program"):
        found({"CHROMIUM": "/no/chrome"}, installed())
