"""Patterns of names, of indices and of fields, in which ``*`` stands for any letters."""

from __future__ import annotations

from functools import cache


def overlap(one: str, other: str) -> bool:
    """Whether some name is of both patterns; a name without ``*`` is a pattern of itself."""

    @cache
    def meet(here: int, there: int) -> bool:
        if here == len(one) and there == len(other):
            return True
        star_here, star_there = one[here : here + 1] == "*", other[there : there + 1] == "*"
        if star_here and meet(here + 1, there):
            return True
        if star_there and meet(here, there + 1):
            return True
        if here == len(one) or there == len(other) or (star_here and star_there):
            return False
        if star_here or star_there:
            return meet(here + (not star_here), there + (not star_there))
        return one[here] == other[there] and meet(here + 1, there + 1)

    return meet(0, 0)
