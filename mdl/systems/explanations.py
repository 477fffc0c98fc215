"""What a run of ∝MDL will do, in words, for `mdl check`."""

from collections.abc import Sequence
from typing import Final

from mdl.protocols import selection as select
from mdl.schemes.settings import Exponentiations
from mdl.systems.costs import EpochBytes, VersionBytes
from mdl.systems.promises import explain_noise
from mdl.systems.visibility import VisibilitySettings
from mdl.vectors import Blocks

PADDING_NOTED: Final = 0.02
"""Zeros that are sent beside the parameters, as a part of them, from which on it is said."""


def explain_coordinated(system: VisibilitySettings, *, workers: int, parameters: int) -> Sequence[str]:
    """Give a paragraph each on: who sees what, thresholds, the scheme, noise if any, coverage, costs."""
    return [
        _who_sees_what(system, workers),
        _thresholds(system, workers),
        _scheme(system, workers),
        *explain_noise(system, workers=workers, parameters=parameters),
        _coverage(system, workers, parameters),
        _costs(system, workers, parameters),
    ]


def explain_dynamic(
    system: VisibilitySettings,
    *,
    workers: int,
    parameters: int,
    printed: bool,
    download: str,
    admission: str,
) -> Sequence[str]:
    """Give a paragraph each on: who sees what, thresholds, the scheme, noise if any, pace, costs."""
    return [
        _printed_leak(system, workers) if printed else _who_sees_what(system, workers, download=download),
        _thresholds(system, workers, exactly=True, printed=printed),
        _scheme(system, workers),
        *explain_noise(system, workers=workers, parameters=parameters),
        _pace(system, workers, parameters, download=download, admission=admission),
        _version_costs(system, workers, parameters, printed=printed),
    ]


def _printed_leak(system: VisibilitySettings, workers: int) -> str:
    m = system.visibility_threshold(workers)
    return (
        'Who sees what: mode = "paper" LEAKS. Shares are given on arrival, so the manager and one worker '
        f"outside a set read the gradient of the {_ordinal(m)} that joined it, exactly, and see the sum of "
        f"the first {m - 1}; with more outsiders, more. `mdl audit collusion` shows it. It is for study."
    )


def _pace(system: VisibilitySettings, workers: int, parameters: int, *, download: str, admission: str) -> str:
    blocks = Blocks(parameters, system.block).count
    m = system.visibility_threshold(workers)
    what = _divided(parameters, system.block)
    took = f"{system.blocks_each(workers, blocks):,} blocks"
    offered = {
        "random": f"offers {took}, drawn at random",
        "balanced": f"offers {took}, assigned by public balanced selection",
        "magnitude": f"offers the {took} in which its gradient is largest",
    }[system.selection]
    seats = {
        "first-come": "go to whoever comes first, so fast workers contribute more",
        "reserved-seats": "are in part kept for workers that have contributed less than the average",
        "deficit": "are kept from workers that are far ahead of the last one",
    }[admission]
    got = {
        "contribution": "by those who contributed to them",
        "all": "by everybody, contributor or not",
        "quota": "after each epoch, those updated most often first, up to a quota",
        "stale-first": "after each epoch, those missed for longest first, up to a quota",
    }[download]
    return (
        f"Pace: {what}; after each epoch of its own a worker {offered}. A block's set closes at its "
        f"{_ordinal(m)} contribution; its seats {seats}. New values are downloaded {got}. An epoch of the "
        "run is complete when blocks have been updated once on average."
    )


def _divided(parameters: int, size: int) -> str:
    """Say how the parameters lie in blocks, and how much of what is sent is padding, if it is noticeable."""
    blocks = Blocks(parameters, size)
    padding = blocks.count * size - parameters
    if size == 1:
        return f"{parameters:,} parameters"
    count = f"{blocks.count:,} blocks" if blocks.count > 1 else "one block"
    said = f"{parameters:,} parameters in {count} of {size:,}"
    if padding > PADDING_NOTED * parameters:
        fitting = -(-parameters // blocks.count)
        said += f" ({padding:,} zeros fill up the last; block = {fitting} would need hardly any)"
    return said


def _version_costs(system: VisibilitySettings, workers: int, parameters: int, *, printed: bool) -> str:
    blocks, m = Blocks(parameters, system.block), system.visibility_threshold(workers)
    scheme = system.build_scheme(workers)
    epoch = VersionBytes(workers, m, blocks, scheme, printed)
    rows = blocks.count * blocks.size
    each = system.scheme.exponentiations(system.requirements(workers))
    work = _work(each, blocks, members=m, openers=scheme.threshold)
    if printed:
        work = (
            f"{(m * m + 5 * m) // 2 * rows:,} exponentiations by all workers (l + 2 for each parameter by "
            f"the l-th to join its set) and {m * m * rows:,} by the manager (2l - 1 an arrival)."
        )
    return (
        f"Costs of an epoch: {_size(epoch.up)} up and {_size(epoch.down)} down, over all links, and more "
        f"for what comes too late and is uploaded again; {work}"
    )


def _who_sees_what(system: VisibilitySettings, workers: int, *, download: str = "contribution") -> str:
    m = system.visibility_threshold(workers)
    if system.scheme.type == "plain":
        return (
            "Who sees what: the manager sees every worker's encoded gradient. This is the oracle that hides "
            "nothing."
        )
    if m <= 2:
        return f"Who sees what: m = {m} protects nobody" + (
            ": every worker holds the whole key."
            if m == 1
            else ": of two members each finds the other's gradient by subtraction."
        )
    values = {
        "contribution": "the global value of what it contributed to",
        "all": "every new global value, hence the sums too",
    }.get(download, "the global values that it downloads, contributor or not")
    where = (
        ' But selection = "magnitude" shows to the manager and to all workers in which blocks each gradient '
        "is large."
        if system.selection == "magnitude"
        else ""
    )
    return (
        f"Who sees what: the manager sees the global model, and of gradients only sums over at least {m} "
        f"workers. A worker sees its own model and {values}.{where} Against a semi-honest manager and up to "
        f"{m - 1} workers, colluding with each other and with the manager, no single gradient is opened; but "
        "a coalition that fills the rest of an active set reads its one honest member there, as the sum "
        "itself shows it. A manager that deviates from the protocol is not withstood. What a sum or the "
        "final model says about the data is not hidden."
    )


def _thresholds(
    system: VisibilitySettings, workers: int, *, exactly: bool = False, printed: bool = False
) -> str:
    m, openers = system.visibility_threshold(workers), system.openers(workers)
    given = f"ρ = {system.visibility:g} of n = {workers}" if system.visibility else f"of n = {workers}"
    enough = f"exactly {m}" if exactly else f"{m} or more"
    opened = f"the sum of a block is opened when {enough} have contributed"
    if printed:
        opened += ", by the shares that they gave as they came"
    elif system.scheme.members_first:
        opened += "; its set closes before they upload, and if one of them does not deliver, it is missed"
    elif system.scheme.type != "plain":
        opened += f"; {openers} workers answer to open it, members first"
    return f"Threshold: m = {m} ({given}): {opened}. The run goes on while {max(m, openers)} workers remain."


def _scheme(system: VisibilitySettings, workers: int) -> str:
    wanted = system.requirements(workers)
    return (
        f"Scheme: {system.scheme.describe(wanted)} Gradients are kept to "
        f"{wanted.fixed_point.fraction_bits} binary digits after the point, within "
        f"±{wanted.fixed_point.range:g}; what is larger saturates and is counted."
    )


def _coverage(system: VisibilitySettings, workers: int, parameters: int) -> str:
    blocks = Blocks(parameters, system.block).count
    m = system.visibility_threshold(workers)
    what = _divided(parameters, system.block)
    least = select.minimum_share(m, blocks, workers)
    if system.selection == "balanced":
        return (
            f"Coverage: {what}; balanced selection gives each block {system.contributors(workers)} of the "
            f"{workers} workers (k* = {least:,} blocks for each worker would just do), so none is missed "
            "while all are there. The assignment is public."
        )
    take = system.blocks_each(workers, blocks)
    chance = select.missing_probability(take / blocks, threshold=m, workers=workers)
    bound = select.missing_bound(take / blocks, threshold=m, workers=workers)
    return (
        f"Coverage: {what}; each worker draws k = {take:,} at random (k* = {least:,}); "
        f"{chance:.1%} are missed an epoch (the paper's bound: {bound:.1%})."
    )


def _costs(system: VisibilitySettings, workers: int, parameters: int) -> str:
    blocks = Blocks(parameters, system.block)
    members = system.contributors(workers)
    if system.selection == "random":
        members = round(system.blocks_each(workers, blocks.count) * workers / blocks.count)
    scheme = system.build_scheme(workers)
    epoch = EpochBytes(workers, members, blocks, scheme)
    about = "" if system.selection == "balanced" else "about "
    each = system.scheme.exponentiations(system.requirements(workers))
    work = _work(each, blocks, members=members, openers=scheme.threshold)
    return (
        f"Costs of an epoch: {about}{_size(epoch.up)} up and {_size(epoch.down)} down, over all links; {work}"
    )


def _work(each: Exponentiations, blocks: Blocks, *, members: int, openers: int) -> str:
    count = blocks.count
    encrypt, share, manager = (
        each.encrypt * count * members,
        each.share * count * openers,
        each.manager * count,
    )
    if not encrypt + share + manager:
        return "no exponentiations."
    what = "parameters" if blocks.size == 1 else "blocks"
    return (
        f"{encrypt:,} exponentiations to encrypt ({each.encrypt:,} for each of {count:,} {what} and of "
        f"{members} members) and {share:,} to open ({each.share:,} for each and of {openers} openers) over "
        f"all workers, {manager:,} by the manager."
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:,.1f} kB"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
