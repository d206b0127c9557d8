"""How much may come of packed bytes before they are taken for a bomb."""

from __future__ import annotations

MUCH = 64 << 20
"""Bytes that anything may unpack to, whatever its size."""


def swollen(unpacked: int, packed: int, most: int) -> str | None:
    """What to say of bytes that have become much, and more than ``most`` times what they were; None for any other."""
    if unpacked <= MUCH or unpacked <= most * packed:
        return None
    return f"unpacks to more than {most} times its size, and was not read further"
