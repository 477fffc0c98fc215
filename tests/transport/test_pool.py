"""The crypto pool: clean processes that never outlive their party."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from mdl.transport.pool import crypto_pool, timed

pytestmark = pytest.mark.slow

PARENT = """
from mdl.transport.pool import crypto_pool
from tests.transport.test_pool import sleep_long

if __name__ == "__main__":
    pool = crypto_pool(2)
    for _ in range(2):
        pool.submit(sleep_long)
    print(*pool._processes, flush=True)
    sleep_long()
else:
    # What a main module imports (torch) would be imported again with it.
    raise SystemExit("the main module was imported again")
"""


def imported(module: str) -> bool:
    return module in sys.modules


def own_pid() -> int:
    return os.getpid()


def interrupt_handler() -> object:
    return signal.getsignal(signal.SIGINT)


def sleep_long() -> None:
    time.sleep(60)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and is only waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with crypto_pool(1) as made:
        yield made


def test_a_pool_computes_in_another_process(pool: ProcessPoolExecutor) -> None:
    assert pool.submit(own_pid).result() != os.getpid()


def test_a_pool_process_has_no_torch(pool: ProcessPoolExecutor) -> None:
    assert not pool.submit(imported, "torch").result()


def test_a_pool_process_leaves_ctrl_c_to_its_party(pool: ProcessPoolExecutor) -> None:
    assert pool.submit(interrupt_handler).result() == signal.SIG_IGN


def test_a_timed_call_gives_its_result_and_its_seconds() -> None:
    result, seconds = timed(pow, 2, 10, mod=1000)
    assert result == 24
    assert 0 <= seconds < 1


def test_pool_processes_end_when_their_parent_is_killed_and_never_import_its_main_module(
    tmp_path: Path,
) -> None:
    script = tmp_path / "party.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:  # noqa: S603
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        # Long enough for the processes to have begun their work.
        time.sleep(1.0)
        assert all(lives(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < deadline, "a pool process outlived its parent"
        time.sleep(0.02)
