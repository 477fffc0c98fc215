"""SMuLe: two owners of data, each with a network of its own, teach each other by hidden predictions.

W. Zhu, X. Li, "Secure mutual learning with low interactions for deep model training", MSN 2023, of which the
abstract alone was at hand. What is the paper's and what is not is in docs/systems/mutual.md.
"""

from collections.abc import Sequence
from typing import Final

from mdl.party import MANAGER, Party
from mdl.system import Learner, Outcome, Task, Traits
from mdl.systems.mutual.settings import MutualSettings


class Mutual(MutualSettings):
    """SMuLe: two parties ask each other's networks blindly, and learn from the answers.

    Its keys are those of `MutualSettings`.
    """

    def explain(self, workers: int, parameters: int) -> Sequence[str]:
        """See `System`."""
        del workers, parameters
        return [
            "Two workers train a network each, on their own images. From the second epoch on each asks the "
            f"other one's network about {self.refresh:.3g} of its images, in secret: it learns {self._told}, "
            "the other one neither images nor answers, but how many there are. Each also knows the shapes "
            "of the other one's layers.",
            f"It learns from {self._learnt}, and keeps the answers from epoch to epoch. {self._threshold}",
            _DEALT if self.dealt else _ENCRYPTED,
            "Both must follow the protocol. Answers tell of the network that gives them, and of the data it "
            "has learnt from: whoever may ask many questions can copy it, or test whether an image was among "
            f"its data. {self._limit}",
            "A worker that loses the other one goes on alone, with the opinions that it has.",
        ]

    @property
    def _told(self) -> str:
        noisy = f", with noise of deviation {self.noise:g}" if self.noise else ""
        told = {
            "scores": "the scores of each class",
            "rounded": "the scores of each class, to quarters",
            "labels": "the best class alone",
        }
        return told[self.answers] + noisy

    @property
    def _learnt(self) -> str:
        if self.answers != "labels":
            agreeing = _AGREEING if self.agreement else ""
            return f"the answers{agreeing} (weight {self.weight:g}, temperature {self.temperature:g})"
        if self.agreement:
            return (
                "those answers alone that are the image's label: they tell which images the other one has "
                f"right, which count {1 + self.weight:g} times, and nothing of other classes"
            )
        return f"each answer as from a second label (weight {self.weight:g}), also where it is wrong"

    @property
    def _threshold(self) -> str:
        least = self.least_accuracy
        if least == 0:
            return "Epochs are learnt with them however many are wrong (system.least_accuracy = 0)."
        part = (
            f"{least:.3g}"
            if least
            else "a fifth of the way from a guess to none wrong (0.28 for ten classes)"
        )
        return (
            f"An epoch is learnt without any if fewer of all known ones are right than {part}: "
            "system.least_accuracy."
        )

    @property
    def _limit(self) -> str:
        if self.answers_limit is None:
            return "No limit is set (system.answers_limit)."
        return f"Each answers {self.answers_limit:,} questions at most."

    def traits(self, workers: int) -> Traits:
        """See `System`."""
        del workers
        told = {"scores": "scores", "rounded": "rounded scores", "labels": "best classes"}
        coalition = "; one with the dealer: the other's images and network" if self.dealt else ""
        return Traits(
            learns=f"each worker: the other network's {told[self.answers]} on its own images, its layers' "
            f"shapes{coalition}",
            loss="the other one goes on alone, with the opinions that it has",
            beside="dealer",
        )

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        """Play a party's part."""
        # What computes needs torch, which whoever only reads an experiment file does not.
        if party.id == MANAGER:
            from mdl.systems.mutual.dealer import Dealer

            return await Dealer(self, party, task).run()
        from mdl.systems.mutual.owner import Owner

        return await Owner(self, party, learner, task).run()


_AGREEING: Final = " that find the image's label at least as likely as a guess would"

_DEALT: Final = (
    "A dealer hands out randomness that fits together. That it tells nobody what it has made is an "
    "assumption: with it, either worker knows the other one's images and network. Alone it learns nothing, "
    "but what it deals wrongly falsifies answers."
)

_ENCRYPTED: Final = (
    "The two make the randomness that they need themselves, with a lattice scheme: nobody else takes part."
)

__all__ = ["Mutual"]
