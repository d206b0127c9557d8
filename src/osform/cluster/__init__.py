"""Everything that speaks to OpenSearch, through opensearch-py. Nothing else does."""
