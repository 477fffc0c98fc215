"""The same experiment in one thread, on the virtual clock: `mdl simulate`."""

from pathlib import Path
from statistics import fmean

import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mdl.config import Experiment
from mdl.errors import party_name
from mdl.learning.datasets import load
from mdl.learning.local import LocalLearner, build_learner
from mdl.party import MANAGER, PartyId
from mdl.progress import human_bytes, human_seconds
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import as_measured
from mdl.vectors import fingerprint


def rehearse(
    experiment: Experiment, data_dir: Path | None, *, schedule: int, latency_ms: float, bandwidth_mbit: float
) -> Group:
    """Simulate an experiment, and sum up what was sent and learnt."""
    torch.set_num_threads(experiment.torch_threads)
    everybody = range(1, experiment.workers + 1)
    dataset = load(experiment.learning, data_dir, workers=everybody)

    def learner(party: PartyId) -> LocalLearner:
        return build_learner(
            experiment.learning,
            dataset,
            party=party,
            workers=experiment.workers,
            seed=experiment.seed,
            pooled=bool(getattr(experiment.system, "pooled", False)),
        )

    simulation = simulate(
        experiment.system,
        learner,
        workers=experiment.workers,
        epochs=experiment.epochs,
        seed=experiment.seed,
        schedule=schedule,
        network=Network(
            latency_seconds=latency_ms / 1000,
            bandwidth_bytes_per_second=bandwidth_mbit * 125_000 or None,
        ),
        charge=as_measured,
        delays=experiment.delays if experiment.delay else None,
        stop=experiment.stop_rule(),
        evaluate_every=experiment.evaluate_every,
    )
    for error in simulation.errors.values():
        raise error
    return Group(_messages(simulation), _outcome(simulation))


def _messages(simulation: Simulation) -> Table:
    table = Table(title="Transcript (simulated)", title_justify="left")
    for name in ("message", "direction", "messages", "bytes"):
        table.add_column(name, justify="right" if name in ("messages", "bytes") else "left")
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for sent in simulation.transcript:
        direction = "to the manager" if sent.receiver == MANAGER else "to workers"
        key = (type(sent.message).__name__, direction)
        messages, size = counted.get(key, (0, 0))
        counted[key] = (messages + 1, size + sent.size_bytes)
    for (kind, direction), (messages, size) in counted.items():
        table.add_row(kind, direction, f"{messages:,}", human_bytes(size))
    return table


def _outcome(simulation: Simulation) -> Text:
    lines = [f"Simulated time: {human_seconds(simulation.seconds)}; computing measured here, links modelled."]
    scores = [record for record in simulation.records if record["kind"] == "evaluated"]
    for model in ("global", "pooled"):
        values = [score["accuracy"] for score in scores if score["model"] == model]
        if values:
            lines.append(f"Test accuracy of the {model} model: {values[-1]:.4f}")
    last = {score["party"]: score["accuracy"] for score in scores if score["model"] == "own"}
    if last:
        mean, worst = fmean(last.values()), min(last.values())
        lines.append(f"Test accuracy of the workers' models: mean {mean:.4f}, worst {worst:.4f}")
    first = min(simulation.outcomes)
    weights = fingerprint(simulation.outcomes[first].parameters)
    lines.append(f"Weights of {party_name(first)} (sha256): {weights[:16]}")
    return Text("\n".join(lines))
