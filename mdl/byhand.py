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
from mdl.party import PartyId


def start(
    experiment: Experiment,
    party: PartyId,
    *,
    keys: Path,
    sockets: Path,
    out: Path,
    data_dir: Path | None,
    resume: int,
) -> int:
    """Play `party`'s part to its end; give the exit code.

    Raises:
        ConfigError: there is no such party, or its key file is not one, or that file or the folder of the
            sockets is not private.
    """
    if party not in experiment.system.roster(experiment.workers):
        raise ConfigError([f"--party {party}: this experiment has no {party_name(party)}"], "mdl node")
    mine = read_keys(keys)
    links = experiment.system.links(experiment.workers)
    if set(mine.secrets) != {caller for link in links if party in link for caller in link[1:]}:
        raise ConfigError([f"{keys} is not the key file of {party_name(party)}"], "mdl node --keys")
    _check_sockets(sockets)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"cannot make the folder {out}: {error.strerror}"], "mdl node --out") from None
    orders = Orders(
        experiment=experiment.model_dump(exclude_none=True),
        party=party,
        keys=mine,
        sockets=str(sockets),
        run_folder=str(out),
        data_dir=str(data_dir or ""),
        resume=resume,
    )
    from mdl.node import perform  # brings in torch, which dealing keys does not need

    began = time.monotonic()
    with (
        files.locked(out, f"lock-{party}"),
        (out / f"metrics-{party}.jsonl").open("a", buffering=1) as metrics,
    ):

        def report(event: Mapping[str, Any]) -> None:
            line = json.dumps({"seconds": round(time.monotonic() - began, 4), **event})
            metrics.write(line + "\n")
            if event["kind"] != "ledger":
                print(line, flush=True)  # noqa: T201 - a node by hand speaks to whoever started it

        return perform(orders, report)


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
        files.write_atomically(path, msgspec.msgpack.encode(mine))  # mkstemp's mode is 0600
        paths.append(path)
    return paths
