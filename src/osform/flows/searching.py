"""Search: a text, an alias, and the documents that answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from osform.cluster.client import Cluster
from osform.cluster.filtering import filter_query
from osform.cluster.guard import refuse_mixing
from osform.cluster.queries import Found, default_mode, of_another_dimension, run, search_request
from osform.cluster.targets import Target, describe
from osform.core.checks import Mode
from osform.core.filters import Filter
from osform.core.request import Request
from osform.errors import InputError, RequestFailed


@dataclass(frozen=True)
class Searched:
    """What was found, and how it was looked for."""

    found: Found
    mode: Mode
    target: Target
    request: Request


def search(
    cluster: Cluster,
    alias: str,
    text: str,
    *,
    mode: Mode | None = None,
    field: str | None = None,
    size: int = 10,
    pipeline: str | None = None,
    filters: Sequence[Filter] = (),
) -> Searched:
    """Find at most ``size`` documents for ``text``; fields, model and search pipeline are read from the cluster.

    ``filters`` say which documents count; ``request`` of the answer is what was sent.
    Without a ``mode``: hybrid where a ``pipeline`` is named, else semantic with vectors, else lexical. Raises
    InputError for a question that can't be asked of this alias, NotReady where the alias is missing or its model isn't
    deployed, VectorsAstray where the question would be embedded by another model than the documents.
    """
    if not text.strip():
        raise InputError("there is nothing to search for: the text is empty")

    def once() -> Searched:
        target = describe(cluster, alias)
        how = mode or default_mode(target, pipeline)
        if how != "lexical":
            refuse_mixing(cluster, target.name, target.embeddings)
        only = filter_query(target, filters)
        request = search_request(target, text, how, field=field, size=size, pipeline=pipeline, only=only)
        return Searched(run(cluster, request), how, target, request)

    try:
        return once()
    except RequestFailed as error:
        if not of_another_dimension(error):
            raise
        return once()
