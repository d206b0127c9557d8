"""Who owns what on a cluster: what may be taken over, what was renamed, and which settings others ask for as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.resource import StackSpec
from osform.core.state import Entry, State
from osform.core.values import concealed, leaves, redacted, secrets_in
from osform.kinds import KINDS
from osform.kinds.base import Body, Context, Live
from osform.kinds.index import physical
from osform.kinds.mappings import MARK
from osform.kinds.settings import PIPELINES

_SETTINGS = "cluster_settings"
# Kinds whose object on the server has a name or id of its own, so that it outlives the file's name.
_KEEPING = frozenset({"cluster_settings", "model_group", "model", "connector", "index"})
_WHICH = frozenset({"index", "model_id", "model_group_id", "connector_id"})
# Put whole: what is live and not asked would be lost by the next put, so it is not as asked.
_WHOLE = frozenset({
    "alias", "component_template", "index_template", "ingest_pipeline", "search_pipeline", "stored_script",
})  # fmt: skip


@dataclass(frozen=True)
class Adoption:
    """Which foreign resources may be taken over: those named, and with ``everything`` what is live exactly as asked.

    ``ids`` says which of several on the server is meant, for whoever knows.
    """

    addresses: frozenset[Address] = frozenset()
    everything: bool = False
    ids: Mapping[Address, Mapping[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.everything or bool(self.addresses)

    def covers(self, address: Address) -> bool:
        """Whether this resource may be taken over."""
        return self.everything or address in self.addresses


def owner(address: Address, live: Live | None, state: State) -> str | None:
    """The other stack or environment that owns a resource: by its address, or by what the server calls it."""
    if address in state.owners and address.kind != _SETTINGS:
        return state.owners[address]
    mine = dict(live.ids).items() if live else ()
    for name, entry in state.others:
        if entry.address.kind == address.kind and any(entry.ids.get(key) == value for key, value in mine):
            return name
    return None


def former(address: Address, live: Live, state: State) -> Address | None:
    """The address under which the ledger of this stack has what is live, where that is another one."""
    ids = [value for key, value in live.ids.items() if key.endswith("_id")]
    entries = (entry for each, entry in state.entries.items() if each != address and each.kind == address.kind)
    return next((each.address for each in entries if set(ids) & set(each.ids.values())), None)


def outputs_of_others(state: State, environment: str) -> dict[tuple[str, Address], Mapping[str, Any]]:
    """What other stacks offer in this environment: the outputs of what they have applied, by stack and address."""
    found: dict[tuple[str, Address], Mapping[str, Any]] = {}
    for owner_name, entry in state.others:
        stack, _, where = owner_name.partition(" (")
        if where != f"{environment})" or entry.role != "current" or entry.status != "applied":
            continue
        live = Live(entry.recorded, entry.ids)
        config = entry.recorded.get("model_config") or {}
        more = {"dimension": config["embedding_dimension"]} if "embedding_dimension" in config else {}
        found[stack, entry.address] = {**more, **KINDS[entry.address.kind].outputs(entry.address.name, live)}
    return found


def before(entry: Entry, state: State) -> Entry | None:
    """What an index was before: the one that it took over from, or where that is gone the one that is kept longest."""
    pasts = [past for past in state.entries.values() if past.role == "past" and past.of == entry.address]
    after = [past for past in pasts if past.ids.get("index") == entry.journal.get("after")]
    return max(after or pasts, key=lambda past: past.until, default=None)


def ids_of_others(state: State, kind: str) -> frozenset[str]:
    """What the server calls the resources of one kind that belong to other stacks."""
    return frozenset(value for _, entry in state.others if entry.address.kind == kind for value in entry.ids.values())


def ids_beside(state: State, address: Address) -> frozenset[str]:
    """What the server calls the resources of this kind that have another address, in whatever stack."""
    mine = [entry for each, entry in state.entries.items() if each != address and each.kind == address.kind]
    return ids_of_others(state, address.kind) | {value for entry in mine for value in entry.ids.values()}


def renewal(entry: Entry) -> Address:
    """What a model is called once another one has its place: ``model/minilm@1f2e3d4c``, by the hash of its bytes."""
    told = str(entry.recorded.get("model_content_hash_value") or entry.ids.get("model_id", "before"))
    return replace(entry.address, name=f"{entry.address.name}@{told[:8]}")


def retained(state: State, seeds: Iterable[Body], wanted: Container[Address], now: str) -> frozenset[Address]:
    """Entries that nobody asks for and that stay all the same: what is kept for a rollback, and whatever that uses.

    ``seeds`` are bodies of what will be kept, as they are live; ``wanted`` are the addresses of the files.
    """
    entries = {each: entry for each, entry in state.entries.items() if each not in wanted}
    kept = {each for each, entry in entries.items() if entry.role == "past" and entry.until > now}
    waiting = [*seeds, *(entries[each].recorded for each in kept)]
    while waiting:
        named = {leaf for _, leaf in leaves(waiting.pop()) if isinstance(leaf, str)}
        for each, entry in entries.items():
            if each not in kept and entry.role != "next" and named & set(_called_there(entry)):
                kept.add(each)
                waiting.append(entry.recorded)
    return frozenset(kept)


def copies_of(filling: Entry, state: State, staying: Iterable[Body]) -> Iterator[Address]:
    """The copies of pipelines that an index which is being filled has, and no other index of the stack uses.

    Those as well that the old one was to keep, had it given up its plain name. ``staying`` are indices as they are
    asked, of which the ledger may know only how they were: another one that is filled meanwhile shares its copies.
    """
    indices = [each for each in state.entries.values() if each.role != "next" and each.address.kind == "index"]
    bodies = [*(entry.recorded for entry in indices), *staying]
    used = {leaf for body in bodies for _, leaf in leaves(dict(body.get("settings", {})))}
    mine = [Address(kind, str(filling.asked.get("settings", {}).get(setting, ""))) for setting, kind in PIPELINES]
    pinned = [Address.parse(each) for each in filling.journal.get("pinned", ())]
    for copy in dict.fromkeys([*mine, *pinned]):
        if copy.name not in used and replace(copy, name=copy.name.rpartition("-v")[0]) in state.entries:
            yield copy


def _called_there(entry: Entry) -> Iterator[str]:
    """The names by which other bodies mean a resource."""
    if entry.address.kind.endswith(("_pipeline", "_template")) or entry.address.kind == "stored_script":
        yield entry.address.name
        yield from filter(None, entry.ids.get("copies", "").split(","))
    else:
        yield from (entry.ids[key] for key in ("model_id", "model_group_id", "connector_id") if key in entry.ids)


def unlike(address: Address, asked: Body, live: Live) -> tuple[Difference, ...]:
    """How what is live differs from what is asked: ``before`` is live, ``after`` asked."""
    shown, there = concealed(asked), concealed(redacted(live.whole, secrets_in(asked)))
    # Which model made the vectors of an index that somebody else made is said from now on; that is no difference.
    lacking = (d for d in missing(shown, there) if d.path[1:4] != MARK or d.after is not ABSENT)
    found = tuple(Difference(d.path, d.after, d.before) for d in lacking)
    if address.kind in _WHOLE:
        found += tuple(d for d in differences(there, shown) if d.after is ABSENT and d.before not in ([], {}))
    return found


def copies(state: State) -> frozenset[Address]:
    """The pipelines, copies among them, that may be written: neither somebody else's nor kept for a rollback."""
    return frozenset(
        {each for each, entry in state.entries.items() if entry.role == "current"} | _copied(state) - past(state)
    )


def _copied(state: State) -> frozenset[Address]:
    """The copies that pipelines have, and those that indices use: a cut-off apply may have written down either."""
    found: set[Address] = set()
    for entry in [each for each in state.entries.values() if each.role == "current"]:
        names = entry.ids.get("copies", "").split(",") if entry.address.kind.endswith("_pipeline") else []
        found |= {replace(entry.address, name=name) for name in names if name}
        settings = entry.asked.get("settings", {}) if entry.address.kind == "index" else {}
        found |= {Address(kind, str(settings[key])) for key, kind in PIPELINES if key in settings}
    return frozenset(found)


def less_others(live: Mapping[Address, Live], spec: StackSpec, state: State) -> dict[Address, Live]:
    """What is live, less indices that somebody put behind an alias of ours which no file asks for any more."""
    held = {entry.ids.get("index") or entry.asked.get("index") for entry in state.entries.values()}

    def others(address: Address, found: Live) -> bool:
        return address.kind == "index" and address not in spec.resources and found.ids.get("index") not in held

    return {address: found for address, found in live.items() if not others(address, found)}


def current_copies(context: Context) -> frozenset[Address]:
    """The copies that pipelines of the files are to have now."""
    kinds = {"ingest_pipeline": context.copies, "search_pipeline": context.searches}
    return frozenset(Address(kind, name) for kind, each in kinds.items() for some in each.values() for name in some)


def strange_copy(
    state: State, context: Context, address: Address, names: Callable[[str], frozenset[str]], moving: frozenset[str]
) -> str | None:
    """A name that a pipeline is to be stored under as well, and that something else has; ``moving`` are known to it."""
    kinds = {"ingest_pipeline": context.copies, "search_pipeline": context.searches}
    wanted = set(kinds.get(address.kind, {}).get(address.name, ())) - moving - {address.name}
    if not wanted:
        return None
    known = {each.name for each in _copied(state) if each.kind == address.kind}
    return min((wanted - known) & names(address.kind), default=None)


def past(state: State) -> frozenset[Address]:
    """What is kept for a rollback."""
    return frozenset(each for each, entry in state.entries.items() if entry.role == "past")


def numbers(
    state: State,
    asked: Iterable[Address] = (),
    used: Mapping[Address, Iterable[Address]] | None = None,
    taken: Container[Address] = (),
) -> tuple[dict[str, int], dict[str, str]]:
    """For each index of the ledger the number of its physical index, and the names of those that osform didn't give.

    An index that is ``asked`` for and new gets the first number that no other has: that of a renamed one is still there
    under its first name. With that number the copies of the pipelines that it has ``used`` are not ``taken`` either.
    """
    versions: dict[str, int] = {}
    named: dict[str, str] = {}
    for address, entry in state.entries.items():
        if address.kind == "index":
            versions[address.name] = number(address.name, entry.ids.get("index") or entry.asked.get("index"))
            if entry.ids.get("index"):
                named[address.name] = entry.ids["index"]
    held = {entry.ids.get("index") for entry in (*state.entries.values(), *(entry for _, entry in state.others))}
    for address in asked:
        if address.kind == "index" and address.name not in versions:
            pipelines = tuple((used or {}).get(address, ()))
            versions[address.name] = next(
                n
                for n in count(1)
                if physical(address.name, n) not in held
                if not any(replace(each, name=physical(each.name, n)) in taken for each in pipelines)
            )
    return versions, named


def number(name: str, index: str | None) -> int:
    """The number of a physical index; 0 for one that was never called ``<name>-v<N>``, 1 where there is none yet."""
    if index is None:
        return 1
    tail = re.fullmatch(r".+-v([1-9][0-9]*)", index)
    return int(tail[1]) if tail and index != name else 0


def less_finished(state: State) -> State:
    """The state less what an apply had filled and put in its place, and was cut off before it had forgotten that."""

    def finished(entry: Entry) -> bool:
        now = state.entries.get(entry.of) if entry.role == "next" and entry.of else None
        return now is not None and now.ids.get("index") == entry.ids.get("index")

    return replace(state, entries={each: entry for each, entry in state.entries.items() if not finished(entry)})


def renamed(spec: StackSpec, state: State) -> tuple[State, dict[Address, Address]]:
    """The state with the entries of renamed objects under their new addresses, and where they were before, by new."""
    entries, moved = dict(state.entries), {}
    for old, new in spec.moved.items():
        if new not in spec.resources or old.kind not in _KEEPING:
            continue
        if old not in spec.resources:  # what is kept of it for a rollback is the new name's
            entries |= {each: replace(entry, of=new) for each, entry in entries.items() if entry.of == old}
        if old not in entries:
            continue
        there = entries.get(new)
        if there is not None and _object(there) != _object(entries[old]) and not _kept(entries[old], entries.values()):
            continue  # two objects: the old one is gone from the files like any other
        entry = entries.pop(old)
        entries[new] = there or replace(_called(entry, new), address=new)
        moved[new] = old
    return replace(state, entries=entries), moved


def _object(entry: Entry) -> dict[str, Any]:
    """Which object on the cluster an entry is of; beside that, an apply that was cut off leaves what it was at."""
    return {key: value for key, value in entry.ids.items() if key in _WHICH}


def _kept(entry: Entry, entries: Iterable[Entry]) -> bool:
    """Whether an object is what was made anew under another name by now, and is kept for a rollback."""
    mine = {value for key, value in entry.ids.items() if key in ("index", "model_id")}
    return any(each.role == "past" and mine & set(each.ids.values()) for each in entries)


def _called(entry: Entry, new: Address) -> Entry:
    """An index as it would have been read back under its new name: the old alias is one among others."""
    if entry.recorded.get("alias") != entry.address.name or new.kind != "index":
        return entry
    rest = {key: value for key, value in entry.recorded.items() if key != "alias"}
    return replace(entry, recorded=rest | {"aliases": {**rest.get("aliases", {}), entry.address.name: {}}})


def renaming_notes(spec: StackSpec, address: Address) -> tuple[str, ...]:
    """What a reader should know of a rename that the server has no way to make: the object is stored anew."""
    for old, new in spec.moved.items():
        if old.kind not in _KEEPING and address == new:
            return (f"renamed from {old}: stored under the new name first, then its users are switched",)
        if old.kind not in _KEEPING and address == old:
            return (f"renamed to {new}: nobody uses the old name any more",)
    return ()


def rename_hint(gone: Address, entry: Entry, new: Mapping[Address, Body]) -> tuple[str, ...]:
    """That a deletion may be one half of a rename: another resource of the kind is new and asks for the same."""
    for address, asked in new.items():
        if address.kind == gone.kind and _nameless(entry.asked) == _nameless(concealed(dict(asked))):
            line = f"moved: {{{gone}: {address}}}"
            return (f"if {gone} is only called {address} now, say so in stack.yaml: {line}",)
    return ()


def _nameless(asked: Body) -> dict[str, Any]:
    names = ("name", "index", "alias", "settings", "model_group_id", "persistent")
    return {key: value for key, value in asked.items() if key not in names}


def shared_settings(state: State) -> dict[tuple[str, str], list[tuple[str, Any]]]:
    """Cluster settings that other stacks ask for: (persistent or transient, key) -> owners, each with its value."""
    found: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for name, entry in state.others:
        if entry.address.kind == _SETTINGS:
            for part, settings in entry.asked.items():
                for key, value in settings.items():
                    found.setdefault((part, key), []).append((name, value))
    return found


def sparing(body: Body, keep: frozenset[tuple[str, str]]) -> dict[str, Any]:
    """Cluster settings less those that somebody else asks for, and that are therefore not to be unset."""
    left = {part: {k: v for k, v in settings.items() if (part, k) not in keep} for part, settings in body.items()}
    return {part: settings for part, settings in left.items() if settings}
