"""From profile, environment and options to a connection: what stands in them, then the secrets that they point to."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from osform.core.connection import Basic, Bearer, Connection, Hidden, SigV4, Tls, Wishes, parse
from osform.errors import InputError, MissingExtra
from osform.files.profiles import command, config_file, hex_only, profiles
from osform.kinds.checks import nearest
from osform.local import running

_PLAIN = {
    "OSFORM_USER": "user", "OSFORM_CA": "ca", "OSFORM_FINGERPRINT": "fingerprint",
    "OSFORM_CERTIFICATE": "certificate", "OSFORM_KEY": "key", "OSFORM_SERVER_NAME": "server_name",
    "OSFORM_AWS_SERVICE": "aws_service", "OSFORM_AWS_REGION": "aws_region", "OSFORM_AWS_ROLE": "aws_role",
    "OSFORM_PROXY": "proxy",
}  # fmt: skip
_LONGEST = 60.0
_NOTHING = Wishes()


def connection(
    environ: Mapping[str, str], options: Wishes = _NOTHING, *, cluster: str = "", profile: str = ""
) -> Connection:
    """The connection that options, environment and config file name, the strongest first; else the local cluster.

    ``cluster`` is a URL or the name of a profile. Raises InputError where none is named, or something is missing.
    """
    file = config_file(environ)
    known = profiles(file)
    if cluster not in known and "@" in cluster and parse(cluster)[1] is not None:
        raise _seen_by_all("--cluster", "OSFORM_USER and OSFORM_PASSWORD, or a profile: docs/connecting.md")
    if "@" in options.proxy:
        raise _seen_by_all("--proxy", "OSFORM_PROXY may have them")
    named = cluster or ("" if profile else environ.get("OSFORM_CLUSTER", ""))
    profile = profile or ("" if cluster else environ.get("OSFORM_PROFILE", ""))
    if named in known:
        named, profile = "", named
    if profile and profile not in known:
        raise InputError(f"there is no profile {profile!r} in {file}", hint=nearest(profile, set(known)))
    asked = options.over(_environment(environ))
    if named:
        asked = _at(named, asked, known[profile] if profile else None)
    else:
        asked = asked.over(known[profile] if profile else _local())
    return _resolved(asked, environ, profile)


def _seen_by_all(option: str, hint: str) -> InputError:
    message = f"the URL after {option} has credentials in it: every user of this machine can read a command line"
    return InputError(message, hint=hint)


def _at(url: str, asked: Wishes, profile: Wishes | None) -> Wishes:
    """A URL that is named, with the profile's credentials only where it is one of the profile's hosts."""
    host, credentials = parse(url)
    if credentials is not None and asked.password is None:
        asked = replace(asked, user=asked.user or credentials.user, password=credentials.password)
    if profile is None:
        return replace(asked, hosts=(host,))
    if host not in {parse(each)[0] for each in profile.hosts}:
        raise InputError(
            f"{host} is none of the profile's hosts, which alone may have its credentials: {', '.join(profile.hosts)}",
            hint="leave out the profile, or the URL",
        )
    return replace(asked.over(profile), hosts=(host,))


def _environment(environ: Mapping[str, str]) -> Wishes:
    taken: dict[str, Any] = {key: environ[name] for name, key in _PLAIN.items() if environ.get(name)}
    if environ.get("OSFORM_PASSWORD"):
        taken["password"] = Hidden(environ["OSFORM_PASSWORD"])
    elif environ.get("OSFORM_PASSWORD_COMMAND"):
        try:
            taken["password_command"] = command(environ["OSFORM_PASSWORD_COMMAND"])
        except ValueError as error:
            raise InputError(f"OSFORM_PASSWORD_COMMAND is no command: {error}") from error
    if environ.get("OSFORM_TOKEN"):
        taken["token"] = Hidden(environ["OSFORM_TOKEN"])
    if "fingerprint" in taken:
        taken["fingerprint"] = hex_only(taken["fingerprint"])
    if environ.get("OSFORM_TIMEOUT"):
        taken["timeout"] = seconds(environ["OSFORM_TIMEOUT"])
    return Wishes(**taken)


def seconds(text: str) -> float:
    """A time limit. Raises InputError for what is none."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"OSFORM_TIMEOUT={text}: expected a number of seconds", hint="OSFORM_TIMEOUT=60")
    return value


def _local() -> Wishes:
    found = running()
    if found is None:
        raise InputError(
            "no cluster is named, and none runs on this machine", hint="osform cluster up, or --cluster URL"
        )
    return found


def _resolved(asked: Wishes, environ: Mapping[str, str], name: str) -> Connection:
    tls = Tls(
        Path(asked.ca).expanduser() if asked.ca else None,
        asked.fingerprint,
        Path(asked.certificate).expanduser() if asked.certificate else None,
        Path(asked.key).expanduser() if asked.key else None,
        _said_by(asked.key_password_command, environ) if asked.key_password_command else None,
        asked.server_name,
    )
    hosts = tuple(parse(each)[0] for each in asked.hosts)
    made = Connection(
        hosts, _auth(asked, environ), tls, asked.proxy, bool(asked.plaintext), asked.timeout or _LONGEST, name
    )
    return made.check()


def _auth(asked: Wishes, environ: Mapping[str, str]) -> Basic | Bearer | SigV4 | None:
    if asked.aws_service:
        if asked.aws_service not in ("es", "aoss"):
            raise InputError(f"{asked.aws_service!r} is no service of AWS's that is known here", hint="es or aoss")
        service = cast(Literal["es", "aoss"], asked.aws_service)
        return SigV4(service, asked.aws_region, asked.aws_profile, asked.aws_role)
    if asked.token or asked.token_command:
        return Bearer(asked.token or _said_by(asked.token_command, environ))
    if not asked.user:
        if asked.password or asked.password_command or asked.keyring:
            raise InputError(
                "there is a password, but no user", hint="--user NAME, OSFORM_USER, or user in the profile"
            )
        return None
    password = asked.password
    if password is None and asked.password_command:
        password = _said_by(asked.password_command, environ)
    if password is None and asked.keyring:
        password = _kept(asked.keyring, asked.user)
    if password is None:
        raise InputError(
            f"there is no password for {asked.user}",
            hint="OSFORM_PASSWORD, OSFORM_PASSWORD_COMMAND, or password_command or keyring in a profile",
        )
    return Basic(asked.user, password)


def _said_by(words: tuple[str, ...], environ: Mapping[str, str]) -> Hidden:
    """The first line that a command prints. What it prints stands in no message, whatever becomes of it."""
    try:
        done = subprocess.run(
            list(words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"the command {words[0]!r}, which is to say a secret, can't be run: {error}") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"the command {words[0]!r}, which is to say a secret, said none for a minute") from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines or not lines[0]:
        raise InputError(
            f"the command {words[0]!r}, which is to say a secret, said none (exit status {done.returncode})"
        )
    return Hidden(lines[0])


def _kept(service: str, user: str) -> Hidden:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise MissingExtra("keyring", "a password from the keyring", error) from error
    try:
        password = keyring.get_password(service, user)
    except KeyringError as error:
        raise InputError(
            f"the keyring gives no password: {error}", hint="password_command works without one"
        ) from error
    if not password:
        raise InputError(f"the keyring has no password of {user} for {service}", hint=f"keyring set {service} {user}")
    return Hidden(password)
