"""osform: the machine-learning side of an OpenSearch cluster, kept the way files say it should be.

``import osform`` is cheap: neither torch nor an HTTP client is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osform.flows.stack import Stack

    __version__: str

__all__ = ["Stack", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Stack":
        from osform.flows.stack import Stack

        return Stack
    if name == "__version__":
        from importlib.metadata import version

        return version("osform")
    raise AttributeError(f"module 'osform' has no attribute {name!r}")
