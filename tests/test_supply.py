"""The audit of what osform is made of, and its bill of materials."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tools.supply import LOCKS, ROOT, mistakes, pins, sbom

HASH = "--hash=sha256:" + "0" * 64
GOOD = f"click==8.0 \\\n    {HASH}\n    # via osform\n"
PROJECT: dict[str, Any] = {"project": {"dependencies": ["click>=8"]}}


def audited(installed: dict[str, str] | None = None, **locks: str) -> list[str]:
    return list(mistakes(dict.fromkeys(LOCKS, GOOD) | locks, installed or {}, PROJECT))


def test_the_repository_passes_its_own_audit_but_for_what_is_installed() -> None:
    locks = {name: (ROOT / f"requirements/{name}.txt").read_text() for name in LOCKS}
    assert list(mistakes(locks, {}, PROJECT)) == []
    assert len(pins(locks["dev"])) > 100


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("click==8.0\n", "has no hash"),
        (GOOD + "--extra-index-url https://elsewhere.example\n", "is no pin"),
        (GOOD + "git+https://elsewhere.example/x\n", "is no pin"),
        (GOOD.replace("8.0", "8.1"), "another than in dev"),
        ("", "is not locked"),
    ],
)
def test_what_is_not_pinned_is_a_mistake(lock: str, said: str) -> None:
    assert any(said in each for each in audited(base=lock)) or "not locked" in said
    assert audited() == []


def test_another_version_in_the_environment_is_a_mistake() -> None:
    assert audited({"click": "7.0"}) == ["click 7.0 is installed, and 8.0 is locked"]


def test_the_bill_has_every_package_and_every_file_of_the_local_cluster() -> None:
    bill = sbom((ROOT / "requirements/base.txt").read_text(), "0.1.0")
    names = {each["name"] for each in bill["components"]}
    assert {"click", "opensearch-py", "opensearch-ml-plugin", "opensearch-security"} <= names
    assert all(each.get("hashes") or each.get("properties") for each in bill["components"])


def test_the_bill_is_written_as_json() -> None:
    done = subprocess.run([sys.executable, "tools/supply.py", "sbom"], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(done.stdout)["bomFormat"] == "CycloneDX"
