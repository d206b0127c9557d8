"""A page to try searches on, and to see how a stack is: a small HTTP server for one person on this machine.

Nothing here changes the cluster. What a request may be is decided in ``gate`` before its body is read; what is answered
is made in ``app``, which knows no sockets; whatever others wrote reaches a page through a template that escapes it.
"""

from osform.ui.app import App, Settings
from osform.ui.server import Limits, Server

__all__ = ["App", "Limits", "Server", "Settings"]
