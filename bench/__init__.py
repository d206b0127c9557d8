"""Measurements side by side: osform and a peer do the same work in one run, and the ratio is what is printed.

Nothing here passes or fails, and no test asks how fast anything is: a figure depends on the machine and on what else it
does. What must hold is that both sides did the same work, so every round checks its own result before it counts.
bench is no part of the package; it alone may talk to OpenSearch with opensearch-py directly, since that is a peer.
"""
