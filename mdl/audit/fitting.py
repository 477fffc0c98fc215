"""Which audits fit which system: what an audit that does not fit says instead of attacking."""

from typing import assert_never

from mdl.errors import ConfigError
from mdl.systems import (
    AnySystem,
    Coordinated,
    Decentralised,
    Dynamic,
    FedAvg,
    Mutual,
    QuantisedMpc,
    SecretShared,
    Standalone,
)


def teaching(system: AnySystem) -> Mutual:
    """Give a system back if its workers teach each other.

    Raises:
        ConfigError: they do not; the text says what to use.
    """
    if isinstance(system, Mutual):
        return system
    said = f"system.type: in {system.type!r} nobody is taught by another's answers; {fitting(system)}"
    raise ConfigError([said])


def fitting(system: AnySystem) -> str:
    """Say in a sentence what attacks a system, for somebody whose audit does not."""
    match system:
        case Coordinated() | Dynamic():
            return (
                "mdl audit collusion tries which gradients the manager can open, mdl audit inversion what "
                "their sums show"
            )
        case Decentralised():
            return (
                "mdl audit topology finds the nodes that expose others, mdl audit inversion shows what "
                "averages tell"
            )
        case SecretShared():
            return (
                "mdl audit inversion shows what the server's sums tell, alone and with members of the group"
            )
        case FedAvg():
            return "it hides no gradient, and mdl audit inversion makes images of them"
        case Standalone():
            return "nobody sends anything; mdl audit membership attacks what workers train alone"
        case QuantisedMpc():
            return (
                "no audit attacks what is sent: parties learn no gradient (docs/security.md#quantised-mpc); "
                "mdl audit membership attacks the finished model"
            )
        case Mutual():
            return (
                "mdl audit opinions shows what answers give away, mdl audit poisoning what a worker with "
                "wrong labels does to the other one"
            )
        case _:
            assert_never(system)
