"""Run folders as a run leaves them, small and made up."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mdl.report.runs import Run, read_run

EXPERIMENT = """\
name = "{name}"
seed = 7
workers = {workers}

[system]
type = "{system}"
threshold = 3
"""


def make_run(
    folder: Path,
    *,
    name: str = "digits-coordinated",
    system: str = "coordinated",
    workers: int = 5,
    epochs: int = 12,
    pace: float = 4.0,
    status: str = "completed",
) -> Path:
    """Write the folder of a run of `epochs` epochs of `pace` seconds each."""
    folder.mkdir(parents=True)
    (folder / "experiment.toml").write_text(EXPERIMENT.format(name=name, system=system, workers=workers))
    environment = {"python": "3.11.8", "packages": {"torch": "2.5.1", "numpy": "2.1.3"}, "cores": 2}
    (folder / "environment.json").write_text(json.dumps(environment))
    write_lines(folder / "metrics.jsonl", metric_lines(workers, epochs, pace))
    write_lines(folder / "ledger.jsonl", ledger_lines(workers, epochs, pace))
    summary = make_summary(name=name, system=system, workers=workers, epochs=epochs, pace=pace, status=status)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def make_summary(
    *, name: str, system: str, workers: int, epochs: int, pace: float, status: str
) -> Mapping[str, Any]:
    """Make the summary of such a run."""
    return {
        "name": name,
        "system": system,
        "scheme": "elgamal",
        "workers": workers,
        "threshold": 3,
        "seed": 7,
        "started": "2025-03-04T05:06:07+00:00",
        "status": status,
        "reason": "all epochs done" if status == "completed" else "too few workers remain (worker 2)",
        "epochs": epochs,
        "accuracy": {
            "global": accuracy(epochs),
            "own_mean": accuracy(epochs) - 0.012,
            "own_worst": accuracy(epochs) - 0.02,
            "alone_mean": 0.861,
            "alone_worst": 0.843,
        },
        "epochs_to_converge": 9,
        "seconds": {
            "total": pace * epochs + 2,
            "start": 2.0,
            "training": 0.3 * pace * epochs,
            "cryptography": 0.5 * pace * epochs,
            "evaluation": 0.05 * pace * epochs,
            "waiting": 0.15 * pace * epochs,
        },
        "bytes": {"up": 52_000_000, "down": 21_000_000},
        "missed": 14,
        "missed_share": 0.0021,
        "saturated": 3,
        "weights": {
            "global": "ab" * 32,
            "workers": {str(worker): "cd" * 32 for worker in range(1, workers + 1)},
        },
        "left": [],
    }


def metric_lines(workers: int, epochs: int, pace: float) -> Iterator[Mapping[str, Any]]:
    """Make the metrics of such a run, in the order of their seconds."""
    for epoch in range(1, epochs + 1):
        now = 2 + pace * epoch
        for worker in range(1, workers + 1):
            yield {
                "seconds": now - pace / 2,
                "party": worker,
                "kind": "trained",
                "epoch": epoch,
                "loss": 0.4,
                "examples": 180,
            }
        for worker in range(1, workers + 1):
            own = accuracy(epoch) - 0.004 * worker - 0.01 * math.cos(2 * epoch + worker) / epoch
            yield evaluated(now, worker, epoch, "own", own)
        yield evaluated(now, 0, epoch, "global", accuracy(epoch))
        yield {
            "seconds": now,
            "party": 0,
            "kind": "epoch",
            "epoch": epoch,
            "opened": 96,
            "missed": 1,
            "present": workers,
        }
    for worker in range(1, workers + 1):
        yield evaluated(3 + pace * epochs, worker, epochs, "alone", 0.84 + 0.007 * worker)


def evaluated(seconds: float, party: int, epoch: int, model: str, score: float) -> Mapping[str, Any]:
    """Make one line of metrics that scores a model."""
    line = {"seconds": seconds, "party": party, "kind": "evaluated", "epoch": epoch, "model": model}
    return {**line, "loss": 2 * (1 - score), "accuracy": score}


def ledger_lines(workers: int, epochs: int, pace: float) -> Iterator[Mapping[str, Any]]:
    """Make the ledger of such a run: a set-up (epoch 0), then the epochs."""
    for epoch in range(epochs + 1):
        for worker in range(1, workers + 1):
            yield {
                "party": worker,
                "epoch": epoch,
                "sent": {
                    "Register": traffic(1, 90),
                    "Upload": traffic(4, 800_000),
                    "DecryptionShare": traffic(4, 300_000),
                },
                "received": {"CallBackUpload": traffic(1, 220), "Download": traffic(2, 310_000)},
                "seconds": {
                    "training": 0.3 * pace * (1 + 0.1 * worker),
                    "cryptography": 0.4 * pace,
                    "evaluation": 0.05 * pace,
                    "waiting": 0.2 * pace / worker,
                },
            }
        yield {
            "party": 0,
            "epoch": epoch,
            "sent": {
                "CallBackUpload": traffic(workers, 220 * workers),
                "Download": traffic(2 * workers, 310_000 * workers),
            },
            "received": {
                "Register": traffic(workers, 90 * workers),
                "Upload": traffic(4 * workers, 800_000 * workers),
            },
            "seconds": {"cryptography": 0.6 * pace, "evaluation": 0.04 * pace, "waiting": 0.3 * pace},
        }


def traffic(messages: int, size_bytes: int) -> Mapping[str, int]:
    """Make an account of messages of one kind."""
    return {"messages": messages, "size_bytes": size_bytes}


def accuracy(epoch: int) -> float:
    """Tell the global model's accuracy after an epoch."""
    return 0.965 - 0.55 * math.exp(-0.42 * epoch)


def write_lines(path: Path, lines: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> None:
    """Write a value a line."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def resummarise(folder: Path, **changes: Any) -> Run:
    """Change a run's summary; read the run."""
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return read_run(folder)
