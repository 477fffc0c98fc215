"""What a run has spent of its workers' privacy, from what its parties report."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Context
from math import inf
from typing import Any, Final

from mdl.config import Experiment
from mdl.learning.privacy import DpSgd
from mdl.party import PartyId
from mdl.privacy import ldp, moments, record_level
from mdl.privacy.ldp import Spent, mean_variance, quantity
from mdl.privacy.record_level import Sampling
from mdl.privacy.settings import AnyNoise, LaplaceNoise
from mdl.systems.decentralised.settings import DecentralisedSettings
from mdl.systems.visibility import VisibilitySettings

_THREE_DIGITS_UP: Final = Context(prec=3, rounding=ROUND_CEILING)


class Budget:
    """Counts what every worker has released, and says what that costs the one that released most.

    Two promises may be spent, each for itself: that of the noise on contributions (`mdl.privacy.ldp`), and
    that of single records by DP-SGD (`mdl.learning.privacy`).

    Args:
        experiment: what is run.

    Attributes:
        noised: values with noise in what workers contributed, of all workers and epochs that ended.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        system = experiment.system
        self._system = system if isinstance(system, VisibilitySettings | DecentralisedSettings) else None
        self._noise = self._system.noise if self._system else None
        private = experiment.learning.privacy
        self._private = private if isinstance(private, DpSgd) else None
        self._released: dict[PartyId, tuple[int, int]] = {}
        self._trained: dict[PartyId, tuple[int, int]] = {}
        self._multipliers: dict[PartyId, float] = {}
        self._alone: dict[PartyId, int] = {}
        self._clipped = 0
        self.noised = 0

    def recorded(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics; a party's newest counts (`mdl.protocols.releases`) hold."""
        if "contributions" in event:
            self._released[event["party"]] = (event["contributions"], event["parameters"])
        if "private_epochs" in event:
            self._trained[event["party"]] = (event["examples"], event["private_epochs"])
            if event["kind"] == "evaluated":  # that is told of a model trained alone, when all its epochs are
                self._alone[event["party"]] = event["epoch"]
        if "noise_multiplier" in event:
            self._multipliers[event["party"]] = event["noise_multiplier"]
        if "noised" in event:
            self.noised += event["noised"]
            self._clipped += event["clipped"]

    def brief(self) -> str | None:
        """Say in a few words what is spent so far; None if nothing is there to be spent.

        That takes milliseconds: of DP-SGD it is a bound, from above, and rounded up.
        """
        said = []
        if self._noise is not None and self._released:
            worst = max((self._of_noise(self._noise, party) for party in list(self._released)), key=_epsilon)
            if isinstance(self._noise, LaplaceNoise):
                said.append(
                    f"ε = {self._noise.epsilon:g} a parameter and epoch, {quantity(worst.epsilon)} in all"
                )
            else:
                said.append(f"ε = {quantity(worst.epsilon)} a worker")
        if self._private is not None and self._trained:
            bound, how = max(self._bound(self._private, party) for party in list(self._trained))
            rounded = float(_THREE_DIGITS_UP.create_decimal(repr(bound)))
            said.append(f"ε ≤ {quantity(rounded)} a record at a worker{how}")
        return ", ".join(said) or None

    def figures(self) -> dict[str, Any] | None:
        """Give it as it stands in ``summary.json``: ``noise`` and ``records``, as far as they apply."""
        found: dict[str, Any] = {}
        if self._noise is not None and self._released:
            found["noise"] = self._noise_figures(self._noise)
        if self._private is not None and self._trained:
            found["records"] = self._record_figures(self._private)
        return found or None

    def _noise_figures(self, noise: AnyNoise) -> dict[str, Any]:
        assert self._system is not None
        members = self._system.noisy_members(self._experiment.workers)
        spent, worker = max(
            ((self._of_noise(noise, party), party) for party in self._released),
            key=lambda each: each[0].epsilon,
        )
        of_one = {"epsilon_parameter_epoch": noise.epsilon} if isinstance(noise, LaplaceNoise) else {}
        return {
            "mechanism": noise.type,
            **of_one,
            "deviation": noise.deviation,
            "deviation_of_mean": mean_variance(noise, members) ** 0.5,
            "clipped_share": self._clipped / self.noised if self.noised else 0.0,
            "worker": worker,
            "contributions": self._released[worker][0],
            "parameters": self._released[worker][1],
            "epsilon": spent.epsilon,
            "delta": spent.delta,
            "way": spent.way,
            "said": str(spent),
        }

    def _of_noise(self, noise: AnyNoise, party: PartyId) -> Spent:
        contributions, parameters = self._released[party]
        # Only the product counts; a contribution may have fewer parameters than another.
        each = -(-parameters // contributions)
        return ldp.spent(noise, coordinates=each, epochs=contributions)

    def _record_figures(self, private: DpSgd) -> dict[str, Any]:
        def epsilon(party: PartyId) -> float:
            return record_level.epsilon(*self._composed(private, party))

        worker = max(self._trained, key=epsilon)
        return {
            "mechanism": "dp-sgd",
            "clip": private.clip,
            "noise_multiplier": self._multiplier(private, worker),
            "worker": worker,
            "examples": self._trained[worker][0],
            "epochs": self._trained[worker][1],
            "epochs_alone": self._alone.get(worker, 0),
            "epsilon": epsilon(worker),
            "delta": private.delta,
        }

    def _bound(self, private: DpSgd, party: PartyId) -> tuple[float, str]:
        """Bound a worker's ε: quickly, which is then said, or by what its noise was calculated for."""
        kept = private.epsilon if self._trained[party][1] <= self._experiment.epochs else None
        quick = moments.epsilon(*self._composed(private, party))
        return min((quick, " (quick bound)"), (inf if kept is None else kept, ""))

    def _composed(self, private: DpSgd, party: PartyId) -> tuple[float, float, int, float]:
        """Give noise multiplier, rate, steps and δ of all that a worker trained."""
        sampling = self._sampling(party)
        steps = self._trained[party][1] * sampling.steps
        return self._multiplier(private, party), sampling.rate, steps, private.delta

    def _multiplier(self, private: DpSgd, party: PartyId) -> float:
        """Give the noise that a worker has told; a record from before it was told is calculated again."""
        told = self._multipliers.get(party)
        return told or private.noise_over(self._experiment.epochs, self._sampling(party))

    def _sampling(self, party: PartyId) -> Sampling:
        examples, _ = self._trained[party]
        return self._experiment.learning.sampling(examples)


def _epsilon(spent: Spent) -> float:
    return spent.epsilon
