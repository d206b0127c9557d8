"""The name of a resource in a stack: ``index/images``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Address:
    """``<kind>/<name>``, which is also the path of the resource's file below ``provision/``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """``index/images`` as an Address; raises ValueError for anything without a kind and a name."""
        kind, slash, name = text.partition("/")
        if not (kind and slash and name) or "/" in name:
            raise ValueError(f"{text!r} is no address, expected <kind>/<name>, e.g. index/images")
        return cls(kind, name)
