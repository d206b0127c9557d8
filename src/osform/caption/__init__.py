"""Pictures in, text out: the models that describe pictures, and the file of descriptions.

Only ``blip``, ``blip2``, ``engines`` and ``describing`` import torch, and only inside functions, so that the processes
that decode stay small. Nothing here knows of OpenSearch: what is written is text that ``osform ingest`` takes.
"""
