"""What a node is told. Free of torch, because the launcher imports it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from mdl.party import PartyId

Report: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes an event of a node to whoever started it."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the launcher, as the trusted authority, gives to one party and to nobody else.

    Attributes:
        party: whose they are.
        run: the run's identity.
        credentials: the system's, opaque here.
        secrets: for the handshakes, by the party at the other end of the link. Each link has its own.
    """

    party: PartyId
    run: bytes
    credentials: bytes
    secrets: dict[int, bytes]

    def __repr__(self) -> str:
        return "Keys(...)"


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker asks the shared model of an earlier run.

    Attributes:
        asker: who asks, and alone learns the answers.
        images: a file of its own; empty for its test set.
        limit: as many images at most; 0 for all.
        records: the folder of the earlier run.
        epoch: after which the model is asked.
    """

    asker: PartyId
    images: str
    limit: int
    records: str
    epoch: int


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a node needs to know.

    Attributes:
        experiment: the tables of the experiment file.
        party: who this is.
        keys: see `Keys`.
        sockets: folder of the parties' sockets, mode 0700.
        run_folder: where records and the log go.
        spool: folder of the data set as the launcher laid it out; empty to load it oneself.
        data_dir: where named data sets lie; empty if unknown.
        resume: the last epoch that was complete when the run began; 0 for a new run. The same at all parties,
            unless they go at their own pace.
        rejoin: None, or the last epoch that this party has complete, where it was in the run before and comes
            back.
        pool: processes for cryptography.
        noise: noise multipliers of DP-SGD, by a party's number of examples, as far as they were calculated
            for all parties together. A party calculates what is missing.
        question: what is to be answered; None to train.
    """

    experiment: dict[str, Any]
    party: PartyId
    keys: Keys
    sockets: str
    run_folder: str
    spool: str = ""
    data_dir: str = ""
    resume: int = 0
    rejoin: int | None = None
    pool: int = 1
    noise: dict[int, float] = {}
    question: Question | None = None
