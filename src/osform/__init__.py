"""osform: the machine-learning side of an OpenSearch cluster, kept the way files say it should be.

``import osform`` is cheap: neither torch nor an HTTP client is imported before it is used.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osform.flows.stack import Stack

__all__ = ["Stack", "__version__"]
__version__ = version("osform")


def __getattr__(name: str) -> Any:
    if name == "Stack":
        from osform.flows.stack import Stack

        return Stack
    raise AttributeError(f"module 'osform' has no attribute {name!r}")
