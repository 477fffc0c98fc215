"""Time and memory of a whole run: `python -m benchmarks.bench_run [FILE] [--set KEY=VALUE ...]`.

Starts `mdl run` as a user would, watches its lines and its processes, and prints: seconds to the first
mini-batch and to the first epoch's line, CPU seconds, and the peak of the memory of all processes together
(PSS: shared pages counted once).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def descendants(root: int) -> list[int]:
    """Give `root` and all processes below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        process = queue.pop()
        found.append(process)
        queue += parents.get(process, [])
    return found


def pss_bytes(processes: list[int]) -> int:
    """Sum up the proportional set sizes of processes."""
    total = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", default="configs/quickstart.toml")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        overrides = [part for override in arguments.overrides for part in ("--set", override)]
        command = [sys.executable, "-m", "mdl", "run", arguments.file, "--out", out, *overrides]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        peak, count = 0, 0

        def sample() -> None:
            nonlocal peak, count
            while process.poll() is None:
                family = descendants(process.pid)
                peak, count = max(peak, pss_bytes(family)), max(count, len(family))
                time.sleep(0.5)

        sampler = threading.Thread(target=sample)
        sampler.start()
        first_line = launched = None
        assert process.stdout is not None
        for line in process.stdout:
            launched = launched or time.monotonic() - began
            if first_line is None and "epoch 1/" in line:
                first_line = time.monotonic() - began
        sampler.join()
        total = time.monotonic() - began
        run = next(Path(out).iterdir())
        summary = json.loads((run / "summary.json").read_text())
        first_batch = _first_batch(run, began_to_launch=launched or 0.0)
    print(f"{summary['name']}, {summary['scheme']}: {summary['status']}, {summary['epochs']} epochs")
    print(f"  first mini-batch after at most {first_batch:.1f} s")
    print(f"  first epoch's line after {first_line or 0:.1f} s, all after {total:.1f} s")
    print(f"  CPU in all parties {summary['cpu_seconds']:.1f} s")
    print(f"  peak PSS {peak / 2**30:.2f} GiB in {count} processes")


def _first_batch(run: Path, *, began_to_launch: float) -> float:
    """When the first worker began to train: when it was done, less the time that took. An upper bound."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    ledger = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    first = next(event for event in metrics if event["kind"] == "trained")
    entry = next(entry for entry in ledger if entry["party"] == first["party"])
    return float(first["seconds"]) - float(entry["seconds"]["training"]) + began_to_launch


if __name__ == "__main__":
    main()
