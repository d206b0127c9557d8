"""Picture search on this side of the cluster: vectors of pictures, how they go together with a text's, and grids.

Only ``towers`` imports torch, and only inside functions. Nothing here speaks to OpenSearch.
"""
