"""Engines by the names of their security models."""

from mdl.mpc import dealer, rep3, rep3_malicious, rep4, shamir, spdz2k
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.rounds import Protocol
from mdl.mpc.security import SecurityName
from mdl.system import Randomness


def begun(
    security: SecurityName, number: int, holders: int, rounding: Rounding, rng: Randomness
) -> Protocol[Engine]:
    """Make a party's engine, and what it has in common with the others'.

    Args:
        security: which.
        number: the party's; the dealer, if there is one, comes after the holders.
        holders: how many there are.
        rounding: of quotients.
        rng: of its keys.
    """
    match security:
        case "rep3":
            return rep3.begun(number, rounding, rng)
        case "rep3-malicious":
            return rep3_malicious.begun(number, rounding, rng)
        case "rep4":
            return rep4.begun(number, rounding, rng)
        case "dealer":
            return dealer.begun(number, holders, rounding, rng)
        case "spdz2k":
            return spdz2k.begun(number, holders, rounding, rng)
        case "shamir":
            return shamir.begun(number, holders, rounding, rng)
