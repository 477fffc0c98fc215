"""Secure quantised training: parties train on shares, and nobody sees data, gradients or weights.

M. Keller, K. Sun, "Secure Quantized Training for Deep Learning", ICML 2022. What is the paper's and what is
not is in docs/systems/quantised-mpc.md.
"""

from collections.abc import Sequence
from typing import Final

from mdl.party import Party, PartyId
from mdl.system import EVERYBODY, Learner, Outcome, Secrecy, Task, Traits
from mdl.systems.quantised_mpc.settings import QuantisedMpcSettings
from mdl.vectors import Floats


class QuantisedMpc(QuantisedMpcSettings):
    """Secure quantised training: parties train one model on shares, and see no data.

    Its keys are those of `QuantisedMpcSettings`.
    """

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        del parameters
        model, security = self.model, self.security
        rounded = "up or down at random, right on average"
        if self.rounding == "nearest":
            rounded = "to the nearest, at several times the bytes"
        return [
            f"{workers} parties train one network in secret. Each shares its own images and labels with the "
            "others, batch by batch; weights and gradients exist as shares alone. During the training all "
            f"learn {self._counts}, and nothing else.",
            f"Security {security}: {model.title}. {_capital(model.together(workers))} know everything. "
            f"A {'holder' if model.dealer else 'party'} that does not follow the protocol {model.deviating}.",
            *([_DEALT] if model.dealer else []),
            self._opened,
            f"Numbers are multiples of 2^-16 within ±2^14, parameters of 2^-24, as integers {model.numbers}; "
            f"quotients are rounded {rounded}.",
            "If a party is lost, the run ends; it can be resumed from the last epoch.",
            "Checkpoints hold each party's shares of the model: whoever reads those of all, which mdl run "
            "keeps in one folder, has it, whoever it is opened to.",
        ]

    @property
    def _counts(self) -> str:
        counts = "how many test images are classified rightly"
        return f"{counts} and the mean training loss of each epoch" if self.loss else counts

    @property
    def _opened(self) -> str:
        match self.opening:
            case "all":
                return "At the end all workers learn the model."
            case "none":
                return (
                    "At the end nobody learns the model: it stays shared, and answers in secret (mdl infer)."
                )
        return f"At the end worker {self.opening} alone learns the model."

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        model = {"all": "all: the final model", "none": "nobody: the model"}
        learns = model.get(str(self.opening), f"worker {self.opening} alone: the final model")
        losses = ", training losses" if self.loss else ""
        everything = self.model.together(workers)
        return Traits(
            learns=f"{learns}; all: counts of right answers{losses}; {everything}: all data",
            loss="the run ends, and can be resumed",
            beside="dealer",
            secrecy=Secrecy(
                f"{self.security}: {self.model.title}",
                everything,
                self.model.deviating,
                {"all": EVERYBODY, "none": "nobody"}.get(str(self.opening), f"worker {self.opening} alone"),
                self.rounding,
            ),
        )

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play a party's part."""
        # What computes needs torch, which whoever only reads an experiment file does not.
        from mdl.systems.quantised_mpc.party import MpcParty

        return await MpcParty(self, party, learner, task).run()

    async def answer(
        self, party: Party, learner: Learner, task: Task, asker: PartyId, images: Floats | None
    ) -> Floats | None:
        """See `mdl.system.Answering`."""
        from mdl.systems.quantised_mpc.party import MpcParty

        return await MpcParty(self, party, learner, task).answer(asker, images)


_DEALT: Final = (
    "Beside them a dealer hands out randomness that fits together. That it tells nobody what it has made is "
    "an assumption: the dealer and any one party together know everything. Alone it learns nothing, but "
    "what it deals wrongly falsifies the result."
)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


__all__ = ["QuantisedMpc"]
