"""Both variants of ∝MDL over every scheme: one result, bytes as computed, and no secret on a link."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from mdl.errors import TooFewWorkers
from mdl.party import MANAGER, PartyId
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Open
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import (
    ElGamalSettings,
    PaillierSettings,
    PairwiseSettings,
    PlainSettings,
    PrssSettings,
    RlweSettings,
    SchemeSettings,
)
from mdl.schemes.threshold import KeyShare
from mdl.simulator import Network, Simulation, simulate
from mdl.systems.coordinated import CallbackUpload, Coordinated, Upload
from mdl.systems.costs import EpochBytes
from mdl.systems.credentials import Credentials
from mdl.systems.dynamic import Dynamic
from mdl.vectors import Blocks, fingerprint
from tests.tiny import tiny

WORKERS, SIZE, BLOCK = 5, 1_300, 256

HIDING: Mapping[str, SchemeSettings] = {
    "elgamal": ElGamalSettings(group="insecure64"),
    "grid": ElGamalSettings(group="insecure64", form="grid"),
    "naive": ElGamalSettings(group="insecure64", form="naive"),
    "secp256k1": ElGamalSettings(group="secp256k1"),
    "paillier": PaillierSettings(modulus="insecure512"),
    "prss": PrssSettings(),
    "rlwe": RlweSettings(keys="prss"),
    "rlwe, Shamir keys": RlweSettings(keys="shamir"),
    "pairwise": PairwiseSettings(),
}
OPENED_BY_ANY = {name: scheme for name, scheme in HIDING.items() if not scheme.members_first}
CHEAP = {name: scheme for name, scheme in HIDING.items() if not scheme.heavy}


def coordinated(scheme: SchemeSettings, **changes: Any) -> Coordinated:
    """Few fraction bits keep the decoding tables of the lifted encoding small."""
    system = Coordinated(threshold=3, insecure=True, range=4.0, fraction_bits=6, block=BLOCK)
    return system.model_copy(update={"scheme": scheme, **changes})


def dynamic(scheme: SchemeSettings, **changes: Any) -> Dynamic:
    system = Dynamic(threshold=3, insecure=True, range=4.0, fraction_bits=6, block=BLOCK, share=1.0)
    return system.model_copy(update={"scheme": scheme, **changes})


def weights(simulation: Simulation) -> dict[PartyId, str]:
    assert not simulation.errors
    return {party: fingerprint(outcome.parameters) for party, outcome in simulation.outcomes.items()}


@pytest.mark.parametrize("name", HIDING)
def test_every_scheme_gives_the_weights_of_the_plain_oracle(name: str) -> None:
    hidden = simulate(coordinated(HIDING[name]), tiny(SIZE), workers=WORKERS, epochs=2)
    oracle = simulate(coordinated(PlainSettings()), tiny(SIZE), workers=WORKERS, epochs=2, schedule=1)
    assert weights(hidden) == weights(oracle)


@pytest.mark.parametrize("name", OPENED_BY_ANY)
def test_every_scheme_that_any_m_open_gives_them_at_everybodys_own_pace(name: str) -> None:
    """Workers come one after the other, so that the sets do not depend on how long an exchange takes."""

    def run(scheme: SchemeSettings) -> str:
        pace: dict[PartyId, Sequence[float]] = {worker: [0.8 + 0.2 * worker] for worker in range(1, 6)}
        simulation = simulate(
            dynamic(scheme), tiny(SIZE), workers=WORKERS, epochs=2, delays=lambda party: pace.get(party, [0])
        )
        return weights(simulation)[MANAGER]

    assert run(OPENED_BY_ANY[name]) == run(PlainSettings())


def test_the_papers_case_of_a_set_for_each_parameter_needs_no_blocks() -> None:
    system = coordinated(PrssSettings(), block=1)
    hidden = simulate(system, tiny(50), workers=WORKERS, epochs=3)
    oracle = simulate(coordinated(PlainSettings(), block=1), tiny(50), workers=WORKERS, epochs=3)
    assert weights(hidden) == weights(oracle)


@pytest.mark.parametrize("name", HIDING)
def test_bytes_on_the_wire_equal_the_formula(name: str) -> None:
    system = coordinated(HIDING[name])
    simulation = simulate(system, tiny(SIZE), workers=WORKERS)
    expected = EpochBytes(WORKERS, 3, Blocks(SIZE, BLOCK), system.build_scheme(WORKERS)).by_kind()
    for kind in ("Upload", "Open", "Answer", "Download"):
        sizes = [sent.size_bytes for sent in simulation.transcript if type(sent.message).__name__ == kind]
        # Names of fields and groups of blocks are not in the formula: they do not grow with the model.
        assert expected[kind] <= sum(sizes) <= 1.02 * expected[kind] + 300 * len(sizes), kind


@pytest.mark.parametrize("name", OPENED_BY_ANY)
def test_a_member_that_leaves_after_its_upload_is_replaced_by_a_helper(name: str) -> None:
    system = coordinated(OPENED_BY_ANY[name], timeout_seconds=5.0)
    network = Network(latency_seconds=1.0)
    # Uploads arrive after 4 s; requests to open leave for their openers then, and find worker 2 gone.
    simulation = simulate(system, tiny(SIZE), workers=WORKERS, network=network, leave={2: 4.5})
    (epoch,) = [record for record in simulation.records if record["kind"] == "epoch"]
    assert epoch["missed"] == 0
    oracle = simulate(coordinated(PlainSettings()), tiny(SIZE), workers=WORKERS)
    assert weights(simulation)[MANAGER] == weights(oracle)[MANAGER]


def dealt(system: Coordinated, seed: int) -> dict[PartyId, Credentials]:
    return {
        party: Credentials.read(data)
        for party, data in system.deal(WORKERS, rng=insecure_seeded(seed)).items()
    }


@pytest.mark.parametrize("name", HIDING)
def test_no_secret_is_ever_sent_or_printed(name: str) -> None:
    """Every eight bytes of every worker's secret are looked for in all that is sent."""
    system = coordinated(HIDING[name])
    simulation = simulate(system, tiny(SIZE), workers=WORKERS, rng=insecure_seeded(3))
    sent = b"".join(msgspec.msgpack.encode(sent.message) for sent in simulation.transcript)
    workers = {party: mine for party, mine in dealt(system, 3).items() if party != MANAGER}
    for worker, credentials in workers.items():
        secret = credentials.secret
        pieces = {secret[at : at + 8] for at in range(0, len(secret) - 7, 8)}
        hidden = {piece for piece in pieces if piece not in credentials.public_key and len(set(piece)) > 3}
        assert hidden
        assert not [piece for piece in hidden if piece in sent]
        assert str(secret)[2:-1] not in repr(KeyShare(worker, secret)) + repr(credentials)


# ------------------------------------------------------------------------------- sets before uploads


PAIRWISE = coordinated(PairwiseSettings(), timeout_seconds=5.0)
SLOW = Network(latency_seconds=1.0)


def test_sets_are_closed_and_announced_before_anybody_encrypts_for_them() -> None:
    simulation = simulate(PAIRWISE, tiny(SIZE), workers=WORKERS, network=SLOW)
    kinds = [type(sent.message) for sent in simulation.transcript]
    assert max(at for at, kind in enumerate(kinds) if kind is Closed) < kinds.index(CallbackUpload)
    assert kinds.index(CallbackUpload) < kinds.index(Upload)
    assert not {Open, Answer} & set(kinds)


def test_a_drop_out_voids_its_own_sets_and_nothing_else() -> None:
    # Registered at 2 s, told of the sets at 3 s; uploads would come at 4 s.
    simulation = simulate(PAIRWISE, tiny(SIZE), workers=WORKERS, epochs=2, network=SLOW, leave={2: 3.5})
    told = next(sent.message for sent in simulation.transcript if isinstance(sent.message, Closed))
    sets = active.from_bytes(told.sets, WORKERS)
    lost = int(active.contains(sets, 2).sum())
    first, second = [record for record in simulation.records if record["kind"] == "epoch"]
    assert 0 < lost < len(sets)
    assert (first["missed"], second["missed"]) == (lost, 0)
    assert not simulation.errors


def test_below_m_the_run_ends_by_name() -> None:
    simulation = simulate(
        PAIRWISE, tiny(SIZE), workers=WORKERS, epochs=3, network=SLOW, leave={1: 3.5, 2: 3.5, 3: 3.5}
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)


def test_whenever_a_worker_leaves_the_others_finish_with_what_the_plain_sums_give() -> None:
    for moment in np.arange(0.5, 9.5, 1.0):
        simulation = simulate(
            PAIRWISE, tiny(SIZE), workers=WORKERS, epochs=2, network=SLOW, leave={4: float(moment)}
        )
        assert not simulation.errors
        assert simulation.outcomes[MANAGER].epochs == 2


@pytest.mark.parametrize("change", [{"system": "dynamic"}, {"opening_threshold": 4}])
def test_what_needs_its_members_first_goes_with_no_latecomers_and_no_openers(change: dict[str, Any]) -> None:
    if change.pop("system", None):
        problems = dynamic(PairwiseSettings()).problems(WORKERS)
    else:
        problems = coordinated(PairwiseSettings(), **change).problems(WORKERS)
    assert [problem.split(":")[0] for problem in problems] in (
        ["system.scheme.type"],
        ["system.opening_threshold"],
    )
