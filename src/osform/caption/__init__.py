"""Pictures in, text out: where pictures come from, how they are decoded, and the models that describe them.

Only ``blip``, ``blip2``, ``engines`` and ``describing`` import torch, and only inside functions, so that the processes
that decode stay small. Nothing here knows of OpenSearch: what is written is text that ``osform ingest`` takes.
"""
