"""What every system must keep: the contract of `mdl.system.System`, as scenarios on virtual links.

A system's test gives each scenario a `Case`. `SCENARIOS` hold for every system. `YARDSTICKED` hold for those
that hide something, and have a plain counterpart that must give the same weights.
"""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

import pytest

from mdl.party import MANAGER, Message, PartyId
from mdl.schemes.randomness import insecure_seeded
from mdl.simulator import Network, Simulation, simulate
from mdl.systems import AnySystem
from mdl.vectors import fingerprint
from tests.tiny import tiny

EPOCHS: Final = 3
SIZE: Final = 20
"""Parameters of the model."""


@dataclass(frozen=True)
class Case:
    """A system under test.

    Attributes:
        name: for the reader.
        system: what is tested.
        plain: its counterpart that hides nothing, if there is one that trains alike.
        shown: kinds of message with sums that are meant to be seen.
        workers: n.
    """

    name: str
    system: AnySystem
    plain: AnySystem | None = None
    shown: tuple[type[Message], ...] = ()
    workers: int = 5

    def run(self, system: AnySystem | None = None, **options: Any) -> Simulation:
        played = system or self.system
        return simulate(played, tiny(SIZE), **{"workers": self.workers, "epochs": EPOCHS, **options})

    @property
    def roster(self) -> Sequence[PartyId]:
        return self.system.roster(self.workers)


Scenario: TypeAlias = Callable[[Case], None]


def weights(simulation: Simulation) -> dict[PartyId, str]:
    """A fingerprint of each party's final model."""
    assert not simulation.errors
    return {party: fingerprint(outcome.parameters) for party, outcome in simulation.outcomes.items()}


def a_system_is_a_value_that_survives_a_file_and_a_process(case: Case) -> None:
    system = case.system
    assert type(system).model_validate(system.model_dump()) == system
    assert pickle.loads(pickle.dumps(system)) == system  # noqa: S301  # our own bytes
    with pytest.raises(ValueError, match="unknown"):
        type(system).model_validate({**system.model_dump(), "unknown": 1})


def parties_are_in_order_and_links_are_between_them(case: Case) -> None:
    roster, links = list(case.roster), [frozenset(link) for link in case.system.links(case.workers)]
    assert roster == sorted(set(roster))
    assert set(range(1, case.workers + 1)) <= set(roster)
    assert all(len(link) == 2 and link <= set(roster) for link in links)
    assert len(set(links)) == len(links)


def what_is_possible_has_no_problems_and_is_told_in_words(case: Case) -> None:
    system = case.system
    assert list(system.problems(case.workers)) == []
    traits = system.traits(case.workers)
    for said in [*system.explain(case.workers, SIZE), traits.learns, traits.loss]:
        assert said
        assert "{" not in said, "a placeholder that nobody filled"
        assert "  " not in said
    assert all(isinstance(value, str) for value in system.terms(case.workers).values())


def the_authority_deals_to_parties_alone_and_from_what_it_draws_alone(case: Case) -> None:
    dealt, again = (case.system.deal(case.workers, rng=insecure_seeded(seed)) for seed in (1, 1))
    assert dealt == again
    assert set(dealt) <= set(case.roster)
    if any(dealt.values()):
        assert dealt != case.system.deal(case.workers, rng=insecure_seeded(2))


def everybody_ends_with_a_model_and_has_sent_nothing_unannounced(case: Case) -> None:
    played = case.run()
    assert set(weights(played)) == set(case.roster)
    links = {frozenset(link) for link in case.system.links(case.workers)}
    for sent in played.transcript:
        assert frozenset({sent.sender, sent.receiver}) in links
        assert type(sent.message) in case.system.receives(sent.receiver)
    for outcome in played.outcomes.values():
        assert outcome.parameters.shape == (SIZE,)
        assert outcome.reason
        if not case.system.own_pace:
            assert outcome.epochs == EPOCHS


def one_seed_is_one_run_whatever_keys_are_drawn(case: Case) -> None:
    assert weights(case.run(rng=insecure_seeded(1))) == weights(case.run(rng=insecure_seeded(2)))


def a_run_that_is_taken_up_ends_like_one_that_was_not_broken_off(case: Case) -> None:
    if case.system.own_pace:
        return  # who comes first decides, and that is another matter after a pause
    first = case.run(epochs=2)
    rest = case.run(resume=2, journals=first.journals)
    assert weights(rest) == weights(case.run())


def a_run_that_was_broken_off_after_its_last_epoch_comes_to_its_end(case: Case) -> None:
    first = case.run()
    kept = {party: max(first.journals[party].epochs("model"), default=0) for party in case.roster}
    rest = case.run(resume=kept if case.system.own_pace else EPOCHS, journals=first.journals)
    assert weights(rest) == weights(first)
    assert not [event for event in rest.records if event["kind"] == "trained"]


def whoever_is_lost_the_others_end_and_say_why(case: Case) -> None:
    network = Network(latency_seconds=0.1)
    for lost in case.roster:
        for seconds in (0.05, 0.45, 1.15):
            played = case.run(leave={lost: seconds}, network=network, delays=lambda _party: [0.3])
            ended = {*played.outcomes, *played.errors}
            assert set(case.roster) - {lost} <= ended
            assert all(str(error) for error in played.errors.values())


SCENARIOS: Final[Sequence[Scenario]] = (
    a_system_is_a_value_that_survives_a_file_and_a_process,
    parties_are_in_order_and_links_are_between_them,
    what_is_possible_has_no_problems_and_is_told_in_words,
    the_authority_deals_to_parties_alone_and_from_what_it_draws_alone,
    everybody_ends_with_a_model_and_has_sent_nothing_unannounced,
    one_seed_is_one_run_whatever_keys_are_drawn,
    a_run_that_is_taken_up_ends_like_one_that_was_not_broken_off,
    a_run_that_was_broken_off_after_its_last_epoch_comes_to_its_end,
    whoever_is_lost_the_others_end_and_say_why,
)


def what_is_hidden_changes_no_weight(case: Case) -> None:
    assert case.plain is not None
    assert weights(case.run()) == weights(case.run(case.plain))


def a_mode_that_hides_announces_all_that_its_yardstick_sends(case: Case) -> None:
    """The plain mode is the same protocol with less in it, not another one."""
    assert case.plain is not None
    for party in case.roster:
        assert set(case.plain.receives(party)) <= set(case.system.receives(party))


def what_crosses_a_link_is_not_what_the_yardstick_sends(case: Case) -> None:
    assert case.plain is not None
    hidden, shown = (_vectors(case, case.run(system)) for system in (case.system, case.plain))
    assert shown
    assert not hidden & shown


def _vectors(case: Case, simulation: Simulation) -> set[bytes]:
    """All long byte strings that workers send: parameters, where nothing hides them."""
    fields = chain.from_iterable(
        (getattr(sent.message, name) for name in type(sent.message).__struct_fields__)
        for sent in simulation.transcript
        if sent.sender != MANAGER and not isinstance(sent.message, case.shown)
    )
    return {value for value in fields if isinstance(value, bytes) and len(value) >= 2 * SIZE}


YARDSTICKED: Final[Sequence[Scenario]] = (
    what_is_hidden_changes_no_weight,
    a_mode_that_hides_announces_all_that_its_yardstick_sends,
    what_crosses_a_link_is_not_what_the_yardstick_sends,
)


def title(value: Any) -> str:
    """Name a case or a scenario in test ids."""
    return value.name if isinstance(value, Case) else str(value.__name__)
