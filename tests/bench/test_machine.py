"""What the machine says of itself, and when figures are not worth quoting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.machine import Machine, company, doubts, watch

TICKS = os.sysconf("SC_CLK_TCK")


def accounts(proc: Path, *, busy: int, cluster: int) -> Path:
    """A /proc with these seconds of work in all, idle time apart, and of one process."""
    (proc / "7").mkdir(parents=True, exist_ok=True)
    (proc / "stat").write_text(f"cpu  {busy * TICKS} 0 0 999999 88888 0 0 0 0 0\ncpu0 1 1 1 1\n")
    name = "(java (8) x)"
    (proc / "7" / "stat").write_text(f"7 {name} S {'0 ' * 10}{cluster * TICKS} 0 0 0 20\n")
    return proc


def test_the_work_of_others_is_all_work_less_ours_and_the_clusters(tmp_path: Path) -> None:
    times = iter([0.0, 10.0])
    begun = watch([7], accounts(tmp_path, busy=100, cluster=40), lambda: next(times))()
    accounts(tmp_path, busy=150, cluster=60)
    assert begun() == pytest.approx(3.0, abs=0.1)


def test_without_linuxs_accounts_nobody_knows(tmp_path: Path) -> None:
    assert watch([], tmp_path)()() is None


def test_a_process_that_is_gone_is_no_error(tmp_path: Path) -> None:
    begun = watch([7], accounts(tmp_path, busy=1, cluster=1))()
    (tmp_path / "7" / "stat").unlink()
    assert begun() is None


def test_a_quiet_machine_raises_no_doubt() -> None:
    assert doubts(4, 0.4) == []
    assert company(4, 0.1) == "other programs kept 0.1 of 4 cores busy meanwhile"


def test_a_load_above_half_a_core_makes_figures_not_worth_quoting() -> None:
    [doubt] = doubts(4, 2.1)
    assert "2.1 on 4 cores" in doubt


def test_so_do_other_programs_while_a_table_is_measured_for_that_table() -> None:
    assert company(4, 1.5).endswith("1.5 of 4 cores busy meanwhile: ratios may be quoted, the figures not")
    assert "unknown" in company(4, None)


def test_the_machine_knows_its_cores_and_versions() -> None:
    machine = Machine.now()
    assert machine.cores >= 1
    assert {"python", "osform", "opensearch-py"} <= set(machine.versions)
