"""What a kind of resource has to say for itself. A kind is a module that satisfies ``Kind``; the registry is a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from osform.core.address import Address
from osform.core.comparing import merged
from osform.core.diff import Difference
from osform.core.document import Path
from osform.core.loading import LoadNote
from osform.core.models import PackagedModel
from osform.core.request import Request

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something wrong in a body: where, what was found and expected, and what to write instead."""

    path: Path
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Context:
    """What a body may depend on besides itself.

    ``models`` are the packaged models by name, ``unreadable`` those that are there with mistakes in their files.
    ``copies`` says for a pipeline's name under which names it is stored for the physical indices that it serves.
    ``versions`` gives the number of an index's physical index, 0 where it has none because somebody else named it;
    ``physical`` its name, where that is not ``<name>-v<N>``; ``indices`` are the names of all index resources.
    ``searches`` are the copies of search pipelines that name a model. ``vectors`` says of an index which of its fields
    a pipeline fills: ``{field: {"from": text field, "model": what tells one model's vectors from another's}}``.
    """

    models: Mapping[str, PackagedModel] = field(default_factory=dict)
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    physical: Mapping[str, str] = field(default_factory=dict)
    searches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A resource to look up: what is asked, what was read back last time, the ids that the ledger remembers.

    Where ``adopt`` is no None, a resource that the server knows by an id alone is looked for by what it is, among those
    whose ids are not in ``adopt``, since they belong to others.
    """

    asked: Body
    recorded: Body = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    adopt: frozenset[str] | None = None


@dataclass(frozen=True)
class Last:
    """How a resource was left: what was asked then, and what was read back; both empty where that is not known."""

    asked: Body = field(default_factory=dict)
    recorded: Body = field(default_factory=dict)


@dataclass(frozen=True)
class Live:
    """A resource as it is on the cluster, in the shape of ``asked``, without volatile fields.

    ``documents`` counts those of an index that a search sees, and ``counted`` says that every shard was there for that.
    ``nodes`` are the ids of those that serve a model.
    ``strays`` are ids of what was made besides, by a request that was given up, sent again, and carried out after all.
    ``load`` is the note of a load of an index that is under way: ``body`` is as it will be once that is over.
    ``meant`` is what was asked and is so, although the server shows it otherwise or not at all.
    """

    body: Body
    ids: Mapping[str, str] = field(default_factory=dict)
    documents: int = 0
    counted: bool = True
    nodes: frozenset[str] = frozenset()
    strays: tuple[str, ...] = ()
    load: LoadNote | None = None
    meant: Body = field(default_factory=dict)

    @property
    def whole(self) -> Body:
        """The body, and what it means beyond what it shows."""
        return merged(self.body, self.meant) if self.meant else self.body


@dataclass(frozen=True)
class Send:
    """A step that is one request, safe to repeat."""

    request: Request


@dataclass(frozen=True)
class SendClosed:
    """A request that an index takes only while it is closed; it is opened again whatever comes of it."""

    index: str
    request: Request


@dataclass(frozen=True)
class CreateGroup:
    """Register a model group, whose id only the server's answer tells."""

    request: Request


@dataclass(frozen=True)
class RegisterModel:
    """Upload a bundle under this meta body, or go on with an upload that was cut off."""

    meta: Body
    sha256: str
    model: str


@dataclass(frozen=True)
class DeployModel:
    """Deploy the model on every node that may run it, and follow the task to its end."""


@dataclass(frozen=True)
class UndeployModel:
    """Take the model off every node, and wait for that."""


@dataclass(frozen=True)
class ProbeModel:
    """Ask the deployed model for vectors, and compare them with those of the export ``sha256``."""

    model: str
    sha256: str


@dataclass(frozen=True)
class RemoveModel:
    """Undeploy a model, wait for that, and delete it."""

    model_id: str


@dataclass(frozen=True)
class RemoveGroup:
    """Delete a model group, once a search no longer finds a model in it."""

    group_id: str


@dataclass(frozen=True)
class RegisterThere:
    """Have the server register a model whose bytes it fetches, or that runs elsewhere."""

    body: Body


@dataclass(frozen=True)
class AskModel:
    """Ask the deployed model something, a text or ``parameters``, only to see that it answers."""

    question: str | Mapping[str, Any]


@dataclass(frozen=True)
class CreateConnector:
    """Make a connector, whose id only the server's answer tells."""

    request: Request


@dataclass(frozen=True)
class UpdateConnector:
    """Change a connector while the models that use it are undeployed, and deploy them again."""

    request: Request


@dataclass(frozen=True)
class RemoveConnector:
    """Delete a connector, once no model uses it."""

    connector_id: str


Step = (
    Send
    | SendClosed
    | CreateGroup
    | RemoveGroup
    | CreateConnector
    | UpdateConnector
    | RemoveConnector
    | RegisterModel
    | RegisterThere
    | DeployModel
    | UndeployModel
    | ProbeModel
    | AskModel
    | RemoveModel
)


class Kind(Protocol):
    """The functions of a kind's module. None of them does I/O."""

    KIND: str
    KEYS: frozenset[str]
    """The keys that a body may have at its top."""
    OUTPUTS: frozenset[str]
    """What ``${kind/name.output}`` may name."""
    PASSED: frozenset[str]
    """First words of a ``${word.x}`` that are the server's own and pass through as text."""
    EVENTUAL: bool
    """Whether the kind is read through a search, which sees a write a moment later."""

    def check(self, name: str, body: Body, context: Context) -> Iterator[Finding]:
        """Whatever is wrong with a body by itself. Leaves may be Unknown or Secret, of whatever type they need be."""

    def expand(self, name: str, body: Body, context: Context) -> Body:
        """The body as the cluster will hold it: defaults that osform adds, physical names, settings flattened."""

    def known(self, name: str, body: Body, context: Context) -> Mapping[str, Any]:
        """The outputs that are known without a cluster."""

    def needs(self, body: Body) -> Iterator[Address]:
        """Resources that the body names plainly, without a reference."""

    def reads(self, wanted: Mapping[str, Wanted]) -> Sequence[Request]:
        """The requests that look all of these resources up; their number doesn't grow with the number of resources."""

    def found(self, answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
        """What the answers to ``reads`` say is live, by name. An answer is None where the server said 404."""

    def drift(self, recorded: Body, live: Body) -> tuple[Difference, ...]:
        """What changed on the cluster since ``recorded`` was read back."""

    def refusal(self, changed: Sequence[Difference], live: Live) -> str | None:
        """Why these differences can't be made in place, or None where they can."""

    def expendable(self, live: Live) -> bool:
        """Whether it can be deleted and made anew without losing anything, where it can't be changed in place."""

    def remarks(self, changed: Sequence[Difference]) -> Sequence[str]:
        """What a reader of the plan should know besides the differences."""

    def create(self, name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
        """The steps that make the resource. ``asked`` is expanded and resolved, ``ids`` are those of Wanted."""

    def update(self, name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
        """The steps that turn what is live into what is asked, and what nobody asked back into what was recorded."""

    def delete(self, name: str, live: Live) -> Sequence[Step]:
        """The steps that take the resource away."""

    def outputs(self, name: str, live: Live) -> Mapping[str, Any]:
        """The outputs, now that the resource is there."""
