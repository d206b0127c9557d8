"""A POST that is to be carried out once, although nothing but its answer says that it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from osform.cluster.retry import Patience, passes
from osform.errors import RequestFailed, Unreachable

Made = TypeVar("Made")
Turn = AbstractContextManager[Any]
"""What is held while the server numbers a model: of two registered in one group at the same time, one is refused."""
NOBODY_ELSE: Turn = nullcontext()

# After a POST without an answer: how long the server may take to finish it before it is sent again.
SETTLE_SECONDS = 5.0


def once(post: Callable[[], Made], find: Callable[[], Made | None], patience: Patience) -> Made:
    """Send a POST until it is answered, looking for what an unanswered one has made before it is sent again.

    ``find`` gives what it has made, or None. One that is held up on its way for longer than osform waits for it, and
    arrives after all, makes a second one: whoever gives it a tag (``ml.tag``) finds that later. Raises RequestFailed
    and Unreachable.
    """
    attempt = 0
    while True:
        try:
            return post()
        except (Unreachable, RequestFailed) as error:
            if not passes(error) or patience.over:
                raise
            refused = isinstance(error, RequestFailed) and error.status < 500
        found = soon(find, patience.within(0 if refused else SETTLE_SECONDS))
        if found is not None:
            return found
        patience.pause(attempt)
        attempt += 1


def soon(find: Callable[[], Made | None], patience: Patience) -> Made | None:
    """What ``find`` gives, once it gives something or the time is over."""
    attempt = 0
    while (found := find()) is None and not patience.over:
        patience.pause(attempt, longest=1)
        attempt += 1
    return found
