"""The user's config file: how clusters are reached, each under a name. No passwords stand in it."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from osform.core.connection import Wishes
from osform.errors import Place, Problem, SpecError
from osform.kinds.checks import described, nearest

_TEXTS = frozenset({"user", "keyring", "ca", "fingerprint", "certificate", "key", "server_name", "proxy"})
_AWS = frozenset({"service", "region", "profile", "role"})
_COMMANDS = frozenset({"password_command", "token_command", "key_password_command"})
KEYS = _TEXTS | _COMMANDS | {"hosts", "url", "aws", "timeout", "plaintext"}
_NEVER = {"password": "password_command", "token": "token_command", "key_password": "key_password_command"}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the config file is, or would be: ``OSFORM_CONFIG``, else in the user's config folder."""
    if environ.get("OSFORM_CONFIG"):
        return Path(environ["OSFORM_CONFIG"]).expanduser()
    import platformdirs

    return platformdirs.user_config_path("osform") / "config.toml"


def profiles(file: Path) -> Mapping[str, Wishes]:
    """All profiles, by name; none where there is no file. Raises SpecError with all mistakes."""
    place = Place(str(file))
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError([Problem(place, f"can't be read: {error}")]) from error
    problems = [Problem(place, f"unknown key {key!r}", hint="[profiles.NAME]") for key in set(content) - {"profiles"}]
    found = content.get("profiles", {})
    if not isinstance(found, dict):
        raise SpecError([*problems, Problem(place, "expected a table", "profiles", "[profiles.NAME]")])
    for name, body in found.items():
        problems += [Problem(place, message, f"profiles.{name}{path}", hint) for path, message, hint in _wrong(body)]
    if problems:
        raise SpecError(problems)
    return {name: _wishes(body, file.parent) for name, body in found.items()}


def _wrong(body: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(body, dict):
        yield "", f"{described(body)}, expected a table", "[profiles.NAME]"
        return
    for key, value in body.items():
        if key in _NEVER:
            yield f".{key}", "secrets do not stand in this file", f"{_NEVER[key]} = [...], or the keyring"
        elif key not in KEYS:
            yield "", f"unknown key {key!r}", nearest(key, KEYS)
        elif expected := _expected(key, value):
            yield f".{key}", f"expected {expected}", ""
    if ("hosts" in body) == ("url" in body):
        yield "", "expected either hosts or url", 'url = "https://search.example:9200"'


def _expected(key: str, value: Any) -> str:
    """What a key's value should be, empty where it is that."""
    if key == "hosts" and not (isinstance(value, list) and value and all(isinstance(each, str) for each in value)):
        return "a list of URLs"
    if key in _COMMANDS:
        fine = isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
        return "" if value and fine and _has_words(value) else "a command: a list of words"
    if key in _TEXTS | {"url"} and not isinstance(value, str):
        return "text"
    if key == "fingerprint" and not _FINGERPRINT.fullmatch(hex_only(value)):
        return "the SHA-256 of a certificate, 64 hexadecimal digits"
    if key == "timeout" and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6):
        return "a number of seconds"
    if key == "plaintext" and not isinstance(value, bool):
        return "true or false"
    if key == "aws" and not (
        isinstance(value, dict) and value.keys() <= _AWS and value.get("service") in ("es", "aoss")
    ):
        return 'a table: {service = "es" or "aoss", region = ..., profile = ..., role = ...}'
    if key == "aws" and not all(isinstance(each, str) for each in value.values()):
        return "text in it"
    return ""


def hex_only(fingerprint: str) -> str:
    """A fingerprint without colons, in lower case."""
    return fingerprint.replace(":", "").strip().lower()


def _wishes(body: Mapping[str, Any], folder: Path) -> Wishes:
    taken: dict[str, Any] = {key: body[key] for key in _TEXTS | {"timeout", "plaintext"} if key in body}
    taken["hosts"] = tuple(body.get("hosts") or (body["url"],))
    taken |= {key: command(body[key]) for key in _COMMANDS if key in body}
    taken |= {f"aws_{key}": value for key, value in body.get("aws", {}).items()}
    for key in ("ca", "certificate", "key"):
        if key in body:
            taken[key] = os.path.join(folder, Path(body[key]).expanduser())  # noqa: PTH118 - an absolute one stays
    if "fingerprint" in body:
        taken["fingerprint"] = hex_only(body["fingerprint"])
    return Wishes(**taken)


def _has_words(value: str | list[str]) -> bool:
    try:
        return bool(command(value))
    except ValueError:  # a quote that is not closed
        return False


def command(value: str | list[str]) -> tuple[str, ...]:
    """The words of a command; no shell sees them."""
    return tuple(shlex.split(value) if isinstance(value, str) else value)
