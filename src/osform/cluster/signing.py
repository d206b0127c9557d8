"""Signatures of Amazon's services: opensearch-py's signer, with keys from botocore's chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from osform.core.connection import Basic, Bearer, SigV4
from osform.errors import InputError, MissingExtra


def signer(auth: SigV4) -> Callable[[str, str, bytes | None], Mapping[str, str]]:
    """What makes the headers of a request, from its method, URL and body.

    Raises MissingExtra without botocore, InputError where there are no keys or no region.
    """
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise MissingExtra("aws", "signing requests for AWS", error) from error
    from opensearchpy.helpers.signer import AWSV4Signer

    class Signer(AWSV4Signer):
        """It signs the URL that is sent, not one with its query encoded anew: a space would be a plus there."""

        @staticmethod
        def _fetch_url(url: str, headers: dict[str, str] | None) -> str:  # noqa: ARG004 - as opensearch-py has it
            return url

    try:
        session = botocore.session.Session(profile=auth.profile or None)
        region = auth.region or session.get_config_variable("region")
        keys = session.get_credentials()
        if keys is not None and auth.role:
            keys = _assumed(session, keys, auth.role, region)
    except BotoCoreError as error:
        raise InputError(f"no keys for AWS: {error}", hint="aws sts get-caller-identity tells more") from error
    if keys is None:
        raise InputError("no keys for AWS were found", hint="AWS_PROFILE, or aws configure; see docs/connecting.md")
    if not region:
        raise InputError("the AWS region is not known", hint="--aws-region, AWS_REGION, or region in the profile")
    made = Signer(keys, region, auth.service)
    return lambda method, url, body: made.sign(method, url, body)


def _assumed(session: Any, keys: Any, role: str, region: str | None) -> Any:
    """Keys of a role, fetched when they are needed and again before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    def client(*args: Any, **more: Any) -> Any:
        return session.create_client(*args, **{"region_name": region, **more})

    fetcher = AssumeRoleCredentialFetcher(client, keys, role, extra_args={"RoleSessionName": "osform"})
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def whom(auth: Basic | Bearer | SigV4 | None) -> str:
    """The name that one claims to be, for messages."""
    match auth:
        case Basic(user, _):
            return user
        case Bearer():
            return "the bearer of a token"
        case SigV4():
            return auth.role or auth.profile or "who AWS says"
    return ""
