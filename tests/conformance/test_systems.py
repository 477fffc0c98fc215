"""Every system keeps the contract of `System`."""

from collections.abc import Mapping
from typing import Any

import pytest

from mdl.schemes.settings import ElGamalSettings, PlainSettings
from mdl.systems import Coordinated, Decentralised, Dynamic, FedAvg, SecretShared, Standalone
from mdl.systems.decentralised.messages import Total
from mdl.systems.decentralised.topology import CompleteSettings, GroupSettings, RandomSettings
from tests.conformance.system import SCENARIOS, YARDSTICKED, Case, Scenario, title

TOY = ElGamalSettings(group="insecure64")


def coordinated(scheme: ElGamalSettings | PlainSettings) -> Coordinated:
    return Coordinated(
        threshold=3, scheme=scheme, insecure=True, range=4.0, fraction_bits=6, timeout_seconds=20
    )


def dynamic(scheme: ElGamalSettings) -> Dynamic:
    return Dynamic(threshold=3, scheme=scheme, insecure=True, range=4.0, fraction_bits=6, timeout_seconds=20)


def shared(**keys: Any) -> SecretShared:
    return SecretShared.model_validate({"timeout_seconds": 20, **keys})


def gossip(**keys: Any) -> Decentralised:
    return Decentralised.model_validate({"timeout_seconds": 20, **keys})


GRAPHS: Mapping[str, Mapping[str, Any]] = {
    "ring": {},
    "complete": {"graph": CompleteSettings()},
    "random": {"graph": RandomSettings(probability=0.6)},
    "complete, one may be lost": {"graph": CompleteSettings(), "threshold": 4},
    "group": {"graph": GroupSettings()},
    "group, two may be lost": {"graph": GroupSettings(), "threshold": 3},
}

HIDING = [
    Case("coordinated", coordinated(TOY), coordinated(PlainSettings())),
    *(
        Case(f"secret-shared, {mode}", shared(mode=mode), shared(mode="plain"))
        for mode in ("prng", "additive", "shamir")
    ),
    *(
        Case(f"decentralised, {name}", gossip(**keys), gossip(mode="plain", **keys), (Total,))
        for name, keys in GRAPHS.items()
    ),
]
CASES = [Case("standalone", Standalone()), Case("fedavg", FedAvg()), Case("dynamic", dynamic(TOY)), *HIDING]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
@pytest.mark.parametrize("case", CASES, ids=title)
def test_systems_keep_the_contract(case: Case, scenario: Scenario) -> None:
    scenario(case)


@pytest.mark.parametrize("scenario", YARDSTICKED, ids=title)
@pytest.mark.parametrize("case", HIDING, ids=title)
def test_what_hides_is_held_to_what_does_not(case: Case, scenario: Scenario) -> None:
    scenario(case)
