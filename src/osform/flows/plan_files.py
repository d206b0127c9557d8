"""Plans kept for later: written for a review, read again for the apply, and compared with the plan of that moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import ping
from osform.core.address import Address
from osform.core.plan import Plan
from osform.core.resource import StackSpec
from osform.errors import InputError, PlanRefused

FORMAT = 1
"""The version of the file's own layout; another one is not read."""
_MOST_LINES = 30
_FEW = 3  # values of a change that nobody has reviewed
_REMEMBERED = 50  # plans that are kept in the cache, the newest
_ANEW = "make the plan again: osform plan --out FILE"


@dataclass(frozen=True)
class PlanFile:
    """A plan as it was reviewed. ``name`` is what messages call it; ``content`` is ``Plan.to_json`` and more keys:

    ``plan_file`` says by which osform, when, for which cluster and from which commit it was made, and has a checksum
    for each change; ``sha256`` is that of all the rest.
    """

    name: str
    content: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        plan: Plan,
        spec: StackSpec,
        cluster: Mapping[str, Any] | None = None,
        name: str = "plan",
        rebuild: Collection[Address] = (),
    ) -> PlanFile:
        """A plan made from ``spec``; ``cluster`` is the answer to ``ping``, ``rebuild`` what no file asks for."""
        made = {
            "version": FORMAT,
            "osform": version("osform"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": spec.commit,
            "cluster": {"name": (cluster or {}).get("cluster_name"), "uuid": (cluster or {}).get("cluster_uuid")},
            "checksums": [change.checksum for change in plan.changes],
            "rebuild": sorted(map(str, rebuild)),
        }
        content = plan.to_json() | {"plan_file": made}
        return cls(name, content | {"sha256": _digest(content)})

    @classmethod
    def read(cls, path: Path) -> PlanFile:
        """Read what ``write`` wrote. Raises InputError for anything else, damaged and cut-off files among it."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: can't be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: no plan file, or one that is damaged: {error}", hint=_ANEW) from error
        made = content.get("plan_file") if isinstance(content, dict) else None
        if not isinstance(made, dict):
            raise InputError(f"{path}: no plan file: it has no plan_file in it", hint=_ANEW)
        if made.get("version") != FORMAT or made.get("osform") != version("osform"):
            message = f"{path}: made by osform {made.get('osform')} (layout {made.get('version')}), and this is"
            raise InputError(f"{message} {version('osform')} (layout {FORMAT})", hint=_ANEW)
        if content.get("sha256") != _digest({key: value for key, value in content.items() if key != "sha256"}):
            raise InputError(f"{path}: damaged or edited: its sha256 is not that of what is in it", hint=_ANEW)
        return cls(str(path), content)

    def write(self, path: Path) -> None:
        """Write the file; raises InputError where that is not possible."""
        try:
            path.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"--out {path}: can't be written: {error.strerror}") from error

    @property
    def checksum(self) -> str:
        """The plan's checksum."""
        return str(self.content["checksum"])

    @property
    def adopted(self) -> frozenset[Address]:
        """What the plan takes over; who carries it out need not say so again."""
        return frozenset(
            Address.parse(each["address"]) for each in self.content["changes"] if each["action"] == "adopt"
        )

    @property
    def rebuilt(self) -> frozenset[Address]:
        """The indices that are copied although no file asks for it; who carries the plan out need not say so again."""
        return frozenset(map(Address.parse, self.content["plan_file"].get("rebuild", ())))

    def check(self, spec: StackSpec, cluster: Cluster) -> None:
        """Raise PlanRefused where the plan is one of another stack, environment or cluster."""
        for word, here, hint in (
            ("stack", spec.name, "--provision DIR names the folder of a stack"),
            ("environment", spec.environment, f"--env {self.content['environment']}"),
        ):
            if self.content[word] != here:
                raise PlanRefused(f"{self.name}: a plan of the {word} {self.content[word]}, not of {here}", hint=hint)
        made, now = self.content["plan_file"]["cluster"], ping(cluster)
        if made["uuid"] and made["uuid"] != now.get("cluster_uuid"):
            message = f"{self.name}: a plan of the cluster {made['name']} ({made['uuid']}), and this one is"
            message += f" {now.get('cluster_name')} ({now.get('cluster_uuid')})"
            raise PlanRefused(message, hint="--cluster URL names the cluster")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def remember(cache: Path, reviewed: PlanFile) -> None:
    """Keep a plan in the cache, so that ``apply --expect`` can say what moved; where that can't be written, don't."""
    folder = cache / "plans"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / f"{reviewed.checksum}.json").write_text(json.dumps(reviewed.content), encoding="utf-8")
        kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_REMEMBERED]:
            path.unlink(missing_ok=True)


def recall(cache: Path, checksum: str) -> PlanFile | None:
    """The plan of that checksum, where this machine has made it."""
    path = cache / "plans" / f"{checksum}.json"
    if not checksum.isalnum():
        return None
    try:
        return PlanFile.read(path) if path.is_file() else None
    except InputError:
        return None


def moved(plan: Plan, expected: str, reviewed: PlanFile | None, *, command: str = "osform plan") -> PlanRefused:
    """The refusal of a plan that is not the one that was reviewed, with what differs between the two.

    ``command`` is what shows the new one.
    """
    head = f"the plan is {plan.checksum[:12]} now, expected {expected[:12]}: the files or the cluster have changed"
    lines = list(_moved(reviewed.content, plan)) if reviewed else list(_present(plan))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} more"]
    return PlanRefused("\n  ".join([head, *lines]), hint=f"look at the new plan: {command}")


def _present(plan: Plan) -> Iterator[str]:
    yield "the plan that was reviewed is not on this machine, so only the present one can be told:"
    for change in plan.changes:
        yield f"{change.address}: {change.action}, {change.reason}"
    if plan.empty:
        yield "nothing is left to change"


def _moved(old: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    new = plan.to_json()
    for word in ("stack", "environment"):
        if old[word] != new[word]:
            yield f"{word}: reviewed {old[word]}, now {new[word]}"
    digests = dict(zip((each["address"] for each in old["changes"]), old["plan_file"]["checksums"], strict=False))
    before = {each["address"]: each for each in old["changes"]}
    after = {each["address"]: each for each in new["changes"]}
    for address in [*before, *(each for each in after if each not in before)]:
        was, now = before.get(address), after.get(address)
        if was is None and now is not None:
            yield f"{address}: {now['action']}, {now['reason']}; was not in the reviewed plan"
            yield from (f"{address}: {each['path']}: {_arrow(each)}" for each in now["differences"][:_FEW])
        elif was is not None and now is None:
            yield f"{address}: {was['action']}, {was['reason']} was reviewed; nothing is to be done there any more"
        elif was is not None and now is not None:
            yield from (f"{address}: {line}" for line in _changed(was, now))
    unlike = {str(change.address): change for change in plan.changes if digests.get(str(change.address))}
    for address, change in unlike.items():
        if change.checksum != digests[address] and not list(_changed(before[address], after[address])):
            yield f"{address}: another body is asked"
    if list(before) != list(after) and set(before) == set(after):
        yield "the order of the changes is another one"


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for word in ("action", "reason"):
        if was[word] != now[word]:
            yield f"{word}: reviewed {was[word]}, now {now[word]}"
    old = {each["path"]: each for each in was["differences"]}
    new = {each["path"]: each for each in now["differences"]}
    for path in [*old, *(path for path in new if path not in old)]:
        if path not in new:
            yield f"{path}: {_arrow(old[path])} was reviewed, and no longer differs"
        elif path not in old:
            yield f"{path}: {_arrow(new[path])} was not in the reviewed plan"
        elif (old[path]["before"], old[path]["after"]) != (new[path]["before"], new[path]["after"]):
            yield f"{path}: reviewed {_arrow(old[path])}, now {_arrow(new[path])}"


def _arrow(difference: Mapping[str, Any]) -> str:
    return f"{_short(difference['before'])} -> {_short(difference['after'])}"


def _short(value: Any) -> str:
    text = json.dumps(value)  # everything beyond ASCII escaped: a terminal shows this
    return text if len(text) <= 60 else f"{text[:57]}..."
