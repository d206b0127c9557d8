"""Checkpoints that are made once, and a mark on all tests that need torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.caption import checkpoints

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.export)
            item.add_marker(pytest.mark.xdist_group("torch"))  # what it makes is made once


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """On a busy machine, more threads wait for each other."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.opt(tmp_path_factory.mktemp("models") / "opt")


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.t5(tmp_path_factory.mktemp("models") / "t5")


@pytest.fixture(scope="session")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.blip(tmp_path_factory.mktemp("models") / "blip")
