"""Tests on a real OpenSearch."""

import pytest

pytest.register_assert_rewrite("tests.live.sweeps")
