"""`mdl simulate`: the whole experiment in one thread, summed up."""

import io

from rich.console import Console

from mdl.config import Experiment, parse
from mdl.rehearsal import rehearse


def experiment(system: dict[str, object]) -> Experiment:
    learning = {"dataset": "digits", "model": "digits-mlp", "train_limit": 60, "test_limit": 40}
    return parse({"name": "tiny", "workers": 3, "epochs": 1, "system": system, "learning": learning})


def told(system: dict[str, object], *, latency_ms: float = 1.0, bandwidth_mbit: float = 0.0) -> str:
    output = io.StringIO()
    result = rehearse(
        experiment(system), None, schedule=0, latency_ms=latency_ms, bandwidth_mbit=bandwidth_mbit
    )
    Console(file=output, width=80).print(result)
    return output.getvalue()


def test_the_transcript_is_counted_by_kind_and_direction() -> None:
    text = told({"type": "coordinated", "threshold": 3, "scheme": {"type": "plain"}})
    [register] = [line for line in text.splitlines() if "Register" in line]
    assert "to the manager" in register
    assert [cell.strip() for cell in register.split("│")][3] == "3"
    assert "Test accuracy of the global model:" in text
    assert "Test accuracy of the workers' models: mean" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_slow_links_take_virtual_time() -> None:
    text = told({"type": "fedavg"}, latency_ms=60_000, bandwidth_mbit=1)
    [time] = [line for line in text.splitlines() if line.startswith("Simulated time:")]
    assert " min" in time


def test_a_run_without_a_manager_tells_of_the_first_worker() -> None:
    assert "Weights of worker 1 (sha256): " in told({"type": "standalone"})
