"""What a run has spent of its workers' privacy, from what its parties report."""

from collections.abc import Mapping
from typing import Any

from mdl.config import Experiment
from mdl.learning import privacy as records
from mdl.learning.privacy import DpSgd
from mdl.party import PartyId
from mdl.privacy import ldp, record_level
from mdl.privacy.ldp import Spent, mean_variance, quantity
from mdl.privacy.record_level import Guarantee, Sampling
from mdl.privacy.settings import AnyNoise, LaplaceNoise
from mdl.systems.visibility import VisibilitySettings


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
        self._system = system if isinstance(system, VisibilitySettings) else None
        self._noise = self._system.noise if self._system else None
        private = experiment.learning.privacy
        self._private = private if isinstance(private, DpSgd) else None
        self._released: dict[PartyId, tuple[int, int]] = {}
        self._trained: dict[PartyId, tuple[int, int]] = {}
        self._clipped = 0
        self.noised = 0

    def recorded(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the metrics; a party's newest counts (`mdl.protocols.releases`) hold."""
        if "contributions" in event:
            self._released[event["party"]] = (event["contributions"], event["parameters"])
        if "private_epochs" in event:
            self._trained[event["party"]] = (event["examples"], event["private_epochs"])
        if "noised" in event:
            self.noised += event["noised"]
            self._clipped += event["clipped"]

    def brief(self) -> str | None:
        """Say in a few words what is spent so far; None if nothing is there to be spent."""
        said = []
        if self._noise is not None and self._released:
            worst = max((self._of_noise(self._noise, party) for party in self._released), key=_epsilon)
            if isinstance(self._noise, LaplaceNoise):
                said.append(
                    f"ε = {self._noise.epsilon:g} a parameter and epoch, {quantity(worst.epsilon)} in all"
                )
            else:
                said.append(f"ε = {quantity(worst.epsilon)} a worker")
        if self._private is not None and self._trained:
            bound = max(self._renyi(self._private, party) for party in self._trained)
            said.append(f"ε ≤ {quantity(bound)} a record at a worker")
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
        threshold = self._system.visibility_threshold(self._experiment.workers)
        spent, worker = max(
            ((self._of_noise(noise, party), party) for party in self._released),
            key=lambda each: each[0].epsilon,
        )
        of_one = {"epsilon_parameter_epoch": noise.epsilon} if isinstance(noise, LaplaceNoise) else {}
        return {
            "mechanism": noise.type,
            **of_one,
            "deviation": noise.deviation,
            "deviation_of_mean": mean_variance(noise, threshold) ** 0.5,
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
        def spent(party: PartyId) -> Guarantee:
            _, epochs = self._trained[party]
            return records.spent(
                private, self._sampling(party), epochs=epochs, planned=self._experiment.epochs
            )

        worker = max(self._trained, key=lambda party: spent(party).epsilon)
        return {
            "mechanism": "dp-sgd",
            "clip": private.clip,
            "noise_multiplier": private.noise_over(self._experiment.epochs, self._sampling(worker)),
            "worker": worker,
            "examples": self._trained[worker][0],
            "epochs": self._trained[worker][1],
            "epsilon": spent(worker).epsilon,
            "delta": private.delta,
        }

    def _renyi(self, private: DpSgd, party: PartyId) -> float:
        """Bound a worker's ε in little time, as progress needs it."""
        sampling = self._sampling(party)
        noise = private.noise_over(self._experiment.epochs, sampling)
        steps = self._trained[party][1] * sampling.steps
        return record_level.renyi_epsilon(noise, sampling.rate, steps, private.delta)

    def _sampling(self, party: PartyId) -> Sampling:
        examples, _ = self._trained[party]
        return self._experiment.learning.sampling(examples)


def _epsilon(spent: Spent) -> float:
    return spent.epsilon
