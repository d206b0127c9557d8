"""What osform is made of: ``audit`` holds locks, pins and this environment to each other, ``sbom`` writes a bill.

Neither needs a network. Known holes in what is pinned are looked up by the CI recipe (.ci/release.yaml), which has one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = ("base", "demo", "dev", "uv")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)([^\\\n]*)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")
_LINE = re.compile(r"^(?![A-Za-z0-9._-]+==|\s|#|$).*$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """A package at a version, with the hashes of the files that it may come as."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins(text: str) -> tuple[Pin, ...]:
    """The packages of a lock, with their normal names; one may be there at several versions, for several Pythons."""
    return tuple(
        Pin(_normal(name), version, tuple(_HASH.findall(rest))) for name, version, _, rest in _PIN.findall(text)
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def mistakes(locks: dict[str, str], installed: dict[str, str], project: dict[str, Any]) -> Iterator[str]:
    """Everything that is not as it should be; ``installed`` are the versions of this environment."""
    locked = {name: pins(text) for name, text in locks.items()}
    for name, text in locks.items():
        yield from (f"requirements/{name}.txt: {each!r} is no pin" for each in _LINE.findall(text))
        yield from (f"{name}: {pin.name} {pin.version} has no hash" for pin in locked[name] if not pin.hashes)
        for pin in locked[name]:
            if pin not in (others := [each for each in locked["dev"] if each.name == pin.name]) and others:
                yield f"{name}: {pin.name} {pin.version} is another than in dev ({others[0].version})"
    versions: dict[str, set[str]] = {}
    for pin in locked["dev"]:
        versions.setdefault(pin.name, set()).add(pin.version)
    for package, allowed in versions.items():
        if package in installed and installed[package] not in allowed:
            yield f"{package} {installed[package]} is installed, and {' or '.join(sorted(allowed))} is locked"
    for asked in project["project"]["dependencies"]:
        name = _normal(re.split(r"[\[<>=!~; ]", asked)[0])
        if name not in {pin.name for pin in locked["base"]}:
            yield f"{name} is asked for and not locked"


def sbom(lock: str, version: str) -> dict[str, Any]:
    """CycloneDX 1.5: the packages of a lock, and the files of the local OpenSearch."""
    from osform.local.releases import RELEASES

    packages = [
        {
            "type": "library",
            "name": pin.name,
            "version": pin.version,
            "purl": f"pkg:pypi/{pin.name}@{pin.version}",
            "properties": [{"name": "osform:sha256", "value": each} for each in pin.hashes],
        }
        for pin in pins(lock)
    ]
    files = {each for release in RELEASES.values() for each in release.artifacts("linux-x86_64")}
    artifacts = [
        {
            "type": "library",
            "group": each.group,
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:maven/{each.group}/{each.name}@{each.version}?type={each.packaging}",
            "hashes": [{"alg": "SHA-256", "content": each.sha256}],
        }
        for each in sorted(files, key=str)
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "osform", "version": version}},
        "components": [*packages, *artifacts],
    }


def main() -> int:
    """0 where all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["audit", "sbom"])
    what = parser.parse_args().what
    locks = {name: (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8") for name in LOCKS}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if what == "sbom":
        print(json.dumps(sbom(locks["base"], project["project"]["version"]), indent=1))
        return 0
    installed = {_normal(each.name): each.version for each in metadata.distributions()}
    found = list(mistakes(locks, installed, project))
    for each in found:
        print(f"audit: {each}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
