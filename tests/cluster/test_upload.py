"""How a bundle is cut: laws that hold for every size."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from osform.cluster.upload import CHUNK_BYTES, Bundle


@given(size=st.integers(1, 10**10), limit=st.integers(1, 10**8))
def test_chunks_cover_the_bundle_once_and_none_is_too_big(size: int, limit: int) -> None:
    limit = max(limit, size // 1000 + 1)
    bundle = Bundle(Path("x"), size, "")
    total = bundle.chunks(limit)
    bounds = [bundle.bounds(number, total) for number in range(total)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == size
    assert all(end == start for (_, end), (start, _) in pairwise(bounds))
    assert all(0 < end - start <= limit for start, end in bounds)


def test_a_chunk_is_within_the_servers_decimal_limit() -> None:
    assert CHUNK_BYTES == 10_000_000
    assert Bundle(Path("x"), 20_000_000, "").chunks() == 2
    assert Bundle(Path("x"), 20_000_001, "").chunks() == 3
