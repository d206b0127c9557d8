"""A real OpenSearch on this machine: its artifacts, its files, its processes. No HTTP API beyond a health check."""
