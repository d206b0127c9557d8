"""What the processors can multiply, and what a model has to: the roof under which every way of embedding stays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

SIDE = 1024


def multiplied(threads: int, seconds: float = 2.0) -> float:
    """Thousand million operations a second in the products of fp32 matrices, the best of some; ``threads`` at work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        one, other = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
        best, until = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            torch.mm(one, other)
            best = min(best, time.perf_counter() - begun)
    finally:
        torch.set_num_threads(before)
    return 2 * SIDE**3 / best / 1e9


def operations(config: Any, lengths: Sequence[int]) -> float:
    """Of a BERT with this configuration: multiplications and additions a text, on average over texts of these tokens.

    Four square matrices and two of a feed-forward block each layer, and the products of attention.
    """
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    a_token = 2 * layers * (4 * hidden * hidden + 2 * hidden * inner)
    a_pair = 2 * layers * 2 * hidden
    total: float = sum(a_token * length + a_pair * length * length for length in lengths)
    return total / len(lengths)
