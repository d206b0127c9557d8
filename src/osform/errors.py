"""Every error that osform raises on purpose.

    OsformError                 a message, and a hint: what to do next
    ├── SpecError               files are wrong; carries every Problem that was found
    ├── InputError              data to ingest, a question, an option: given wrongly
    ├── MissingExtra            the command needs an extra that is not installed
    ├── ClusterError            something about the OpenSearch cluster
    │   ├── Unreachable         no answer: refused, unknown host, timed out, a certificate that is not believed
    │   ├── RequestFailed       an answer with an error: status, type and reason
    │   ├── TaskFailed          a server task (registration, deployment) ended badly
    │   ├── NotReady            the cluster lacks what the work needs, e.g. an ML node
    │   ├── LockHeld            somebody else is changing the cluster, since when and until when
    │   ├── LockLost            the lock is not ours any more, so nothing more is sent
    │   ├── ReadBackMismatch    the server acknowledged something and stored something else
    │   ├── PredictionMismatch  a deployed model answers otherwise than its export did
    │   ├── DocumentsRefused    a new index does not take documents of the old one
    │   └── VectorsAstray       vectors in an index are missing, or were made by another model
    ├── NotAccepted             an index answers its checks worse than asked; carries the numbers
    ├── PlanRefused             the plan can't or mustn't be carried out
    │   └── PolicyRefused       a policy of the stack forbids it; carries the policies' names
    ├── ApplyFailed             some changes were not made; says which
    ├── RepositoryError         a Git repository can't be reached, or lacks what is asked of it
    │   └── CommitRefused       a commit without a good signature, or with a link out of the repository
    ├── LocalClusterError       the OpenSearch on this machine
    ├── ExportError             a model could not be made, or disagrees with its source
    └── PictureError            a model that looks at pictures can't be loaded or used
        └── CaptionError        one that describes them

The command line prints ``message`` and ``hint`` and exits with 1; anything else that escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

REMOTE = "Error from remote service"
"""What ML Commons puts before the words of a service behind a connector."""


class OsformError(Exception):
    """Base of all errors that osform raises on purpose.

    ``hint`` is the next step for the user: a command or a change to make.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


@dataclass(frozen=True)
class Place:
    """A spot in a file, as a person would look it up: ``provision/index/images.yaml:14``.

    ``used_by`` is the file on whose behalf a template was read.
    """

    file: str
    line: int | None = None
    used_by: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place} (for {self.used_by})" if self.used_by else place


@dataclass(frozen=True)
class Problem:
    """One mistake in a file: where it is, what was found and expected, and what to write instead."""

    place: Place
    message: str
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place} {self.path}" if self.path else str(self.place)
        return f"{where}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class SpecError(OsformError):
    """One or more mistakes in files; all that could be found in one go are in ``problems``."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=_as_read))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _as_read(problem: Problem) -> tuple[str, int, str, str, str]:
    place = problem.place
    return place.file, place.line or 0, place.used_by, problem.path, problem.message


class InputError(OsformError):
    """Data, a question or an option that can't be worked with."""


class MissingExtra(OsformError):
    """A command needs Python packages that are behind an extra."""

    def __init__(self, extra: str, work: str, cause: ImportError) -> None:
        super().__init__(
            f"{work} needs Python packages that are not installed ({cause.name or cause})",
            hint=f"pip install 'osform[{extra}]'",
        )


class ClusterError(OsformError):
    """Something about the cluster, as opposed to the files."""


class Unreachable(ClusterError):
    """No answer came: connection refused, unknown host, timed out, cut off, a certificate that is not believed.

    ``why`` is one word for it, ``sent`` says whether the request may have arrived, ``passing`` whether it is of any use
    to ask again.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, why: str = "cut off", sent: bool = True, passing: bool = True
    ) -> None:
        super().__init__(message, hint=hint)
        self.why = why
        self.sent = sent
        self.passing = passing


class RequestFailed(ClusterError):
    """The cluster answered with an error.

    ``status`` is the HTTP status, ``type`` and ``reason`` are the server's own words where it gave them. ``sentence``
    says what it means, where that is known. ``passing`` is False where it is of no use to ask again.
    """

    def __init__(
        self,
        request: str,
        status: int,
        type: str,
        reason: str,
        *,
        hint: str | None = None,
        sentence: str = "",
        passing: bool = True,
    ) -> None:
        super().__init__(sentence or f"{request}: HTTP {status} {type}: {reason}", hint=hint)
        self.passing = passing
        self.sentence = sentence
        self.request = request
        self.status = status
        self.type = type
        self.reason = reason

    @property
    def elsewhere(self) -> bool:
        """Whether a service behind a connector said no, and not the cluster: status and words are that one's."""
        return self.reason.startswith(REMOTE)

    def hinted(self, hint: str | None) -> RequestFailed:
        """The same, with another hint; one that goes with a sentence stays."""
        if self.sentence:
            return self
        return RequestFailed(self.request, self.status, self.type, self.reason, hint=hint, passing=self.passing)


class TaskFailed(ClusterError):
    """A task on the server ended in failure, or did not end in time."""


class NotReady(ClusterError):
    """The cluster can't do the work as it is: no ML node, a setting that is off, a missing plugin."""


class LockHeld(ClusterError):
    """Somebody else holds the cluster's lock. The message says who, since when and until when."""


class LockLost(ClusterError):
    """The lock is not held any more: its lease is over, or somebody took it. Nothing more is sent."""


class ReadBackMismatch(ClusterError):
    """The server acknowledged a write, and what it stored lacks something that was asked."""


class PredictionMismatch(ClusterError):
    """A deployed model gives other vectors than its source did when it was exported."""


class DocumentsRefused(ClusterError):
    """A new index does not take documents that the old one has. The message names them, with the server's reasons."""


class VectorsAstray(ClusterError):
    """Documents of an index have no vector, or one that their text and the model don't give."""


class NotAccepted(OsformError):
    """An index answers the searches of its checks worse than asked. The message has the numbers and the questions."""


class PlanRefused(OsformError):
    """The plan can't be carried out as it is, or mustn't be without saying so."""


class PolicyRefused(PlanRefused):
    """Policies forbid what is asked, or forbid it now. ``policies`` are their names."""

    def __init__(self, message: str, *, hint: str | None = None, policies: Iterable[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.policies = tuple(dict.fromkeys(policies))


class ApplyFailed(OsformError):
    """Some changes were not made. The message says what was done, what not, and what to run next."""


class RepositoryError(OsformError):
    """A Git repository that can't be reached, or that lacks what is asked of it."""


class CommitRefused(RepositoryError):
    """A commit that can't be trusted, or whose files can't be used."""


class LocalClusterError(OsformError):
    """The local OpenSearch can't be fetched, started or stopped."""


class ExportError(OsformError):
    """A model can't be exported, or its export disagrees with its source."""


class PictureError(OsformError):
    """A model that looks at pictures can't be loaded or used."""


class CaptionError(PictureError):
    """A model that describes pictures can't be loaded, or can't be trusted to see them."""
