"""The parts of an ingest: rows decided on, sent and settled. ``osform.flows.ingesting`` puts them together."""
