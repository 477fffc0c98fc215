"""Secure quantised training: three parties train on shares, and nobody sees data, gradients or weights.

M. Keller, K. Sun, "Secure Quantized Training for Deep Learning", ICML 2022. What is the paper's and what is
not is in docs/systems/quantised-mpc.md.
"""

from collections.abc import Sequence

from mdl.party import Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.quantised_mpc.settings import QuantisedMpcSettings


class QuantisedMpc(QuantisedMpcSettings):
    """Secure quantised training: three parties train one model on shares, and see no data.

    Its keys are those of `QuantisedMpcSettings`.
    """

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        rounded = "up or down at random, right on average"
        if self.rounding == "nearest":
            rounded = "to the nearest, at several times the bytes"
        return [
            f"{workers} parties train one network in secret. Each shares its own images and labels with the "
            "two others, batch by batch; weights and gradients exist as shares alone. Any two parties could "
            "put them together; one learns nothing, if all follow the protocol (replicated secret sharing, "
            "semi-honest). At the end all learn the parameters, and on the way how many test images are "
            "classified rightly.",
            "Numbers are multiples of 2^-16 within ±2^14, in the ring of integers modulo 2^64; quotients are "
            f"rounded {rounded}.",
            f"{parameters:,} parameters cost about {50 * parameters / 1e6:.2g} MB in every step, over all, "
            "besides what the values of the layers cost.",
            "If a party is lost, the run ends; it can be resumed from the last epoch.",
        ]

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        del workers
        return Traits(
            learns="all: the final model, and counts of right answers; any two together: all data",
            loss="the run ends, and can be resumed",
        )

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play a party's part."""
        # What computes needs torch, which whoever only reads an experiment file does not.
        from mdl.systems.quantised_mpc.party import MpcParty

        return await MpcParty(self, party, learner, task).run()


__all__ = ["QuantisedMpc"]
