"""A real OpenSearch on this machine: its artifacts, its files, its processes. No HTTP API beyond a health check.

Nothing here prints, and nothing here ends a process that this package has not started.
Importing the package is cheap: ``running_url`` is asked by every command that needs a cluster.
"""

from osform.local.state import running, running_url

__all__ = ["running", "running_url"]
