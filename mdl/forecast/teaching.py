"""What an epoch of SMuLe will cost, from questions that are tried in memory, on images of zeros."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mdl.config import Experiment
from mdl.learning.sizes import Sized
from mdl.progress import human_bytes
from mdl.schemes.randomness import SystemRandomness
from mdl.systems import Mutual
from mdl.systems.mutual.opinions import due

if TYPE_CHECKING:
    from mdl.mpc.blind.costs import Costs

_TRIED: Final = 100
"""Questions of each worker that are tried where the number of examples is not known."""

Pair: TypeAlias = tuple[int, int]
"""Of each of the two workers, how many of its images it asks about in an epoch."""


def forecast(experiment: Experiment, models: Mapping[str, Sized]) -> list[RenderableType]:
    """Say what the questions of an epoch cost, and of the run as far as that is known.

    Args:
        experiment: of SMuLe.
        models: of the workers, by name; of those that `mdl.suitability.check_networks` lets pass.
    """
    system = experiment.system
    assert isinstance(system, Mutual)
    sized = [models[experiment.learning.own(worker).model or ""] for worker in (1, 2)]
    if system.answers_limit == 0:
        return [Text("Nothing is asked: system.answers_limit is 0.")]
    examples = _examples(experiment, sized[0])
    epochs = Counter(_asked(experiment.epochs, system, examples)) if examples else {}
    first = next(iter(epochs), None) or _usual(system, examples or (_TRIED, _TRIED), known=bool(examples))
    costs = {rows: _tried(system, sized, rows) for rows in {first: 1, **epochs}}
    said = [_an_epoch(first, costs[first], known=bool(examples))]
    if epochs:
        said.append(_all_epochs(experiment, system, epochs, costs))
    return [*map(Text, said), _phases(costs[first])]


def _examples(experiment: Experiment, sized: Sized) -> Pair | None:
    """Give how many examples each of the two has; None where only the data tells."""
    if sized.parts is not None:
        one, other = sized.parts
        return one, other
    each = experiment.learning.examples_each(experiment.workers)
    return None if each is None else (each, each)


def _usual(system: Mutual, examples: Pair, *, known: bool) -> Pair:
    """Give what is asked in an epoch that nothing is known of, or that does not come to pass."""
    if not known:
        return examples
    one, other = (
        due(2, count, refresh=system.refresh, answered=0, limit=system.answers_limit) for count in examples
    )
    return one, other


def _asked(epochs: int, system: Mutual, examples: Pair) -> Iterator[Pair]:
    """Give what is asked in each epoch in which anything is."""
    answered = [0, 0]
    for epoch in range(2, epochs + 1):
        one, other = (
            due(epoch, count, refresh=system.refresh, answered=given, limit=system.answers_limit)
            for count, given in zip(examples, answered, strict=True)
        )
        answered = [answered[0] + one, answered[1] + other]
        if one or other:
            yield one, other


def _tried(system: Mutual, sized: Sequence[Sized], rows: Pair) -> "Costs":
    from mdl.mpc.blind.costs import tried  # brings in torch

    networks = [each.network for each in sized]
    return tried(networks, sized[0].shape, rows, system.answers, dealt=system.dealt, rng=SystemRandomness())


def _an_epoch(rows: Pair, costs: "Costs", *, known: bool) -> str:
    one, other = (f"{count:,}" for count in rows)
    about = "about" if known else "about, for example,"
    who = (
        f"each worker asks {about} {one}"
        if one == other
        else f"worker 1 asks about {one}, worker 2 about {other}"
    )
    return (
        f"In an epoch {who} of its images: {human_bytes(costs.sent_bytes)} over all parties in "
        f"{costs.rounds} rounds, however many batches it trains on. That was tried here, in memory: "
        f"{costs.cpu_seconds:.2g} s of processor time over all parties, without sealing and sending."
    )


def _all_epochs(
    experiment: Experiment, system: Mutual, epochs: Mapping[Pair, int], costs: Mapping[Pair, "Costs"]
) -> str:
    size = human_bytes(sum(count * costs[rows].sent_bytes for rows, count in epochs.items()))
    last = 1 + sum(epochs.values())
    if last < experiment.epochs:
        return (
            f"By epoch {last} each worker has given the {system.answers_limit:,} answers that are its limit, "
            f"and nothing is asked any more: {size} in all."
        )
    return f"In all epochs but the first, {last - 1}: {size}."


def _phases(costs: "Costs") -> Table:
    table = Table("part of an epoch's questions", box=None, pad_edge=False)
    for title in ("rounds", "sent by workers", "sent by the dealer"):
        table.add_column(title, justify="right")
    for name, phase in costs.phases.items():
        by_workers = sum(phase.by_sender.get(worker, 0) for worker in (0, 1))
        sent = map(human_bytes, (by_workers, phase.sent_bytes - by_workers))
        table.add_row(name, str(phase.rounds), *sent)
    return table
