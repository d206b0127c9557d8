"""The use cases: plan, apply, ingest, search, export. They report events and never print."""
