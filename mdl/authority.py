"""The trusted authority: keys for all parties of one run. Nothing of them is kept here."""

import secrets

from mdl.config import Experiment
from mdl.orders import Keys
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness


def deal_keys(experiment: Experiment) -> dict[PartyId, Keys]:
    """Make every party's keys, for one run: the system's, and a secret for each link."""
    system, rng = experiment.system, SystemRandomness()
    run = secrets.token_bytes(16)
    credentials = system.deal(experiment.workers, rng=rng)
    proofs: dict[PartyId, dict[int, bytes]] = {party: {} for party in system.roster(experiment.workers)}
    for listener, caller in system.links(experiment.workers):
        proofs[listener][caller] = proofs[caller][listener] = secrets.token_bytes(32)
    return {party: Keys(party, run, credentials.get(party, b""), proofs[party]) for party in proofs}
