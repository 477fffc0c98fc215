"""A party that is started by hand: its keys come from a file, its reports go to files of its own."""

import json
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mdl import folder as files
from mdl.config import Experiment
from mdl.errors import ConfigError, party_name
from mdl.orders import Keys, Orders
from mdl.party import MANAGER, PartyId

ONCE = "masks made twice with the same keys show the difference of what they hide; deal new: mdl keys deal"


def start(
    experiment: Experiment,
    party: PartyId,
    *,
    keys: Path,
    sockets: Path,
    out: Path,
    data_dir: Path | None,
    resume: int = 0,
    rejoin: bool = False,
) -> int:
    """Play `party`'s part to its end; give the exit code.

    Args:
        experiment: what to run.
        party: who this is.
        keys: its key file.
        sockets: the folder in which the parties meet.
        out: its own folder, for records, metrics and its log.
        data_dir: where named data sets lie, if known.
        resume: go on from the checkpoint of this epoch in a new run of all parties. Workers that go at their
            own pace go on from their own newest.
        rejoin: come back to the run that this party was in, from its newest checkpoint.

    Raises:
        ConfigError: there is no such party, or its key file is not one, or has served a run already, or that
            file or the folder of the sockets is not private, or there is no run that it can come back to.
    """
    name = party_name(party, experiment.party_zero)
    if party not in experiment.system.roster(experiment.workers):
        raise ConfigError([f"--party {party}: this experiment has no {name}"], "mdl node")
    mine = read_keys(keys)
    links = experiment.system.links(experiment.workers)
    others = {other for link in links if party in link for other in link if other != party}
    if mine.party != party or mine.secrets.keys() != others:
        raise ConfigError([f"{keys} is not the key file of {name}"], "mdl node --keys")
    _check_sockets(sockets)
    if not rejoin and _used(keys).exists():
        raise ConfigError([f"{keys} has served a run, and serves no other: {ONCE}"], "mdl node --keys")
    part = _earlier_part(experiment, party, mine, out, resume) if rejoin else _Part(mine.run.hex(), resume)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"cannot make the folder {out}: {error.strerror}"], "mdl node --out") from None
    with files.locked_by(out, f"lock-{party}"):
        files.write_atomically(_part_path(out, party), msgspec.json.encode(part))
        orders = Orders(
            experiment=experiment.model_dump(exclude_none=True),
            party=party,
            keys=mine,
            sockets=str(sockets),
            run_folder=str(out),
            data_dir=str(data_dir or ""),
            resume=part.resume,
            rejoin=max(files.FileJournal(out, party).epochs("model"), default=0) if rejoin else None,
        )
        return _perform(orders, out / f"metrics-{party}.jsonl", _used(keys))


def _used(keys: Path) -> Path:
    """Where it is noted that a key file has served a run."""
    return keys.with_name(keys.name + ".used")


def _use(used: Path, *, again: bool) -> None:
    """Note that the keys serve this run.

    Raises:
        ConfigError: they serve another one that began meanwhile.
    """
    try:
        used.touch(mode=0o600, exist_ok=again)
    except FileExistsError:
        problem = f"{used.stem} serves another run, which began meanwhile: {ONCE}"
        raise ConfigError([problem], "mdl node --keys") from None


def _perform(orders: Orders, path: Path, used: Path) -> int:
    """Perform, and put what is reported on the screen and at the end of a file."""
    from mdl.node import perform  # brings in torch, which dealing keys does not need

    last = files.last_line(path)
    # Seconds go on from an earlier part's; how long the party was away they do not say.
    began = time.monotonic() - (last["seconds"] if last else 0.0)
    with path.open("a", buffering=1) as metrics:

        def report(event: Mapping[str, Any]) -> None:
            if event["kind"] == "linked":  # before anything is said that rests on the keys
                _use(used, again=orders.rejoin is not None)
            line = json.dumps({"seconds": round(time.monotonic() - began, 4), **event})
            metrics.write(line + "\n")
            if event["kind"] != "ledger":
                print(line, flush=True)  # noqa: T201 - a node by hand speaks to whoever started it

        return perform(orders, report)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which run a party takes part in: what it must know to come back.

    Attributes:
        run: the run's identity, in hexadecimal digits.
        resume: the epoch that the run went on from; 0 for a new one.
    """

    run: str
    resume: int


def _earlier_part(experiment: Experiment, party: PartyId, mine: Keys, out: Path, resume: int) -> _Part:
    """Find the part that a party comes back to.

    Raises:
        ConfigError: there is none, or nobody can come back to it.
    """
    name, path = party_name(party, experiment.party_zero), _part_path(out, party)
    part = msgspec.json.decode(path.read_bytes(), type=_Part) if path.exists() else None
    if resume:
        problem = "not with --resume: who comes back goes on from its own newest checkpoint"
    elif party == MANAGER:
        problem = f"the {name} cannot come back: deal new keys, and go on with --resume at all parties"
    elif not experiment.system.tolerates_loss:
        problem = (
            f"a run of {experiment.system.type} ends when a party is lost: there is none to come back to"
        )
    elif not experiment.led and experiment.linked:
        problem = (
            f"a run of {experiment.system.type} goes on without whoever it has lost, for good: its "
            "neighbours opened its keys"
        )
    elif part is None:
        problem = f"{out} holds nothing of {name}: it can come back to what it left there, or start without"
    elif part.run != mine.run.hex():
        problem = f"{name} was in another run in {out} than that of this key file"
    else:
        return part
    raise ConfigError([problem], "mdl node --rejoin")


def _part_path(out: Path, party: PartyId) -> Path:
    return out / f"part-{party}.json"


def _check_sockets(folder: Path) -> None:
    """Others must not listen or call in the name of a party; the handshake would refuse them, but late."""
    if not folder.is_dir():
        raise ConfigError([f"{folder} is no folder; do: mkdir -m 700 {folder}"], "mdl node --sockets")
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        raise ConfigError(
            [f"{folder} can be entered by others; do: chmod 700 {folder}"], "mdl node --sockets"
        )


def read_keys(path: Path) -> Keys:
    """Read a party's key file.

    Raises:
        ConfigError: it is missing, or others may read it, or it is no key file.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError([f"{path} can be read by others; do: chmod 600 {path}"], "mdl node --keys")
        return msgspec.msgpack.decode(path.read_bytes(), type=Keys)
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"], "mdl node --keys") from None
    except msgspec.MsgspecError:
        raise ConfigError(
            [f"{path} is no key file; make one with: mdl keys deal"], "mdl node --keys"
        ) from None


def write_keys(keys: Mapping[PartyId, Keys], out: Path) -> list[Path]:
    """Write a key file for each party into a new folder, all for the owner's eyes only.

    Raises:
        ConfigError: the folder exists, or cannot be made.
    """
    try:
        out.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise ConfigError(
            [f"cannot make the folder {out}: {error.strerror}"], "mdl keys deal --out"
        ) from None
    paths = []
    for party, mine in keys.items():
        path = out / f"party-{party}.key"
        files.write_atomically(path, msgspec.msgpack.encode(mine))  # for the owner alone
        paths.append(path)
    return paths
