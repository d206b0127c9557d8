"""JSON trees for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
KEYS = st.sampled_from(["a", "b", "c", "a.b", "properties", "type", "é", ""]) | TEXTS.filter(lambda text: text != "<<")


def trees(leaves: st.SearchStrategy[Any] = LEAVES, keys: st.SearchStrategy[str] = KEYS) -> st.SearchStrategy[Any]:
    """Any JSON value."""
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )


def mappings(leaves: st.SearchStrategy[Any] = LEAVES, keys: st.SearchStrategy[str] = KEYS) -> st.SearchStrategy[Any]:
    """Any JSON object."""
    return st.dictionaries(keys, trees(leaves, keys), max_size=4)


def put_at(tree: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the tree with something else at one path."""
    if not path:
        return value
    head, *rest = path
    if isinstance(tree, list):
        return [put_at(item, tuple(rest), value) if n == head else item for n, item in enumerate(tree)]
    return {key: put_at(item, tuple(rest), value) if key == head else item for key, item in tree.items()}


def without(tree: Any, path: tuple[str | int, ...]) -> Any:
    """A copy of the tree that lacks the last key of the path."""
    parent = tree
    for part in path[:-1]:
        parent = parent[part]
    return put_at(tree, path[:-1], {key: item for key, item in parent.items() if key != path[-1]})
