"""What a run of D-MHE will do, in words."""

from collections.abc import Iterator, Sequence

from mdl.privacy.ldp import mean_variance
from mdl.protocols.exposure import explain_exposure
from mdl.protocols.observations import of_neighbours, of_one_group
from mdl.schemes.bfv import MultipartyBfv
from mdl.schemes.bfv.ring import DEGREE, MODULUS_BITS
from mdl.schemes.bfv.scheme import STANDARD_TERNARY
from mdl.system import Traits
from mdl.systems.decentralised.settings import DecentralisedSettings
from mdl.systems.decentralised.topology import GROUP_NODE
from mdl.systems.promises import promise
from mdl.vectors import Blocks


def explain(system: DecentralisedSettings, *, workers: int, parameters: int) -> Sequence[str]:
    """See `System`."""
    largest = max(len(each.members) for each in system.neighbourhoods(workers).values())
    scheme = system.scheme(largest - 1)
    place = _group(workers) if system.in_group else _graph(system, workers)
    secrecy = ["Nothing is hidden: a node sees its neighbours' parameters."]
    if system.mode == "bfv":
        secrecy = [_who_reads(system), _exposure(system, workers), _hardness(scheme)]
    weights = "" if system.in_group else f"weights are multiples of 2^-{system.weight_bits}; "
    return [
        place,
        *secrecy,
        *_privacy(system, workers=workers, parameters=parameters),
        *_losses(system),
        _bytes(system, scheme, workers=workers, parameters=parameters),
        f"Parameters are multiples of 2^-{system.fraction_bits} within ±{system.encoding.range:.4g}; "
        f"{weights}sums are exact.",
    ]


def _graph(system: DecentralisedSettings, workers: int) -> str:
    graph = system.topology(workers)
    degrees = sorted(graph.degrees.values())
    return (
        f"{workers} nodes and nobody above them: {len(graph.edges)} links, {_span(degrees)} "
        "neighbours each. After an epoch of training each node goes on from the average of its neighbours' "
        "parameters and its own (Metropolis-Hastings weights; spectral gap "
        f"{graph.spectral_gap(system.weight_bits):.3f}, where 1 is everybody with everybody)."
    )


def _span(values: Sequence[int]) -> str:
    """Write the least and the largest of ascending numbers."""
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _group(workers: int) -> str:
    return (
        f"{workers} nodes in one group. After an epoch of training all go on from the average over all: "
        f"node {GROUP_NODE} collects, and hands everybody the sum. It has no other part than the others: it "
        "trains too."
    )


def _who_reads(system: DecentralisedSettings) -> str:
    remain = "" if system.threshold is None else ", as far as it remains,"
    if system.in_group:
        return (
            f"Parameters are encrypted (multiparty BFV) under a key of all. The whole group{remain} must "
            f"help to open the sum, once an epoch; node {GROUP_NODE} sees no more than the others, who are "
            "handed it. All nodes but one together learn that one's parameters. If node "
            f"{GROUP_NODE} does not follow the protocol, it reads single nodes' parameters, or hands out "
            "wrong sums, unnoticed."
        )
    return (
        "Neighbours' parameters are encrypted (multiparty BFV) under a key of the whole neighbourhood. "
        f"A node learns the weighted sum over its neighbours, once an epoch. The whole neighbourhood{remain} "
        "must help to open it, so nobody else learns anything. A node whose neighbours but one collude with "
        "it learns that one's parameters; one that does not follow the protocol reads its neighbours."
    )


def _privacy(system: DecentralisedSettings, *, workers: int, parameters: int) -> Iterator[str]:
    if system.noise is None:
        return
    deviation = mean_variance(system.noise, system.noisy_members(workers)) ** 0.5
    yield (
        f"Privacy: {promise(system.noise, parameters)} The average that a node learns in an epoch has noise "
        f"of standard deviation {deviation:.3g} at least: of the gradient, so in parameters times the "
        "learning rate, and with the node's own noise, which it knows. A node's own model has the noise too."
    )


def _exposure(system: DecentralisedSettings, workers: int) -> str:
    graph = system.topology(workers)
    if system.in_group:
        return explain_exposure(of_one_group(graph.parties, threshold=system.threshold))
    return explain_exposure(of_neighbours(graph, system.weight_bits, threshold=system.threshold))


def _hardness(scheme: MultipartyBfv) -> str:
    return (
        f"Ring-LWE with N = {DEGREE} and log2 q = {MODULUS_BITS}: the standard allows "
        f"{STANDARD_TERNARY[DEGREE]} bits at 128 bits of security. Shares drown the ciphertexts' noise "
        f"in {scheme.drowning_bits} bits."
    )


def _losses(system: DecentralisedSettings) -> Iterator[str]:
    if system.threshold is None:
        yield "If a node is lost, the run ends."
        return
    ends = f" Without node {GROUP_NODE} the run ends." if system.in_group else ""
    yield (
        f"Once training has begun, a neighbourhood goes on as long as {system.threshold} of its nodes "
        f"remain, and with fewer ends by name. Who is lost does not come back.{ends}"
    )
    if system.mode == "bfv":
        yield (
            f"{system.threshold} of a neighbourhood's nodes recover the secret of one that is lost. So any "
            f"{system.threshold} that collude, its node among them, read every single value in it; the lost "
            "count, who keep their shares."
        )
        yield _differences(system)


def _differences(system: DecentralisedSettings) -> str:
    later = (
        "After a loss sums have one model less, and where models hardly change, the difference of two "
        "epochs' sums shows about the lost one's."
    )
    if system.in_group:
        return later
    return (
        "In the epoch of a loss, or until all have noticed it, some nodes' sums may have the lost one's "
        "model and others' not: two that collude then read it, or another's, from the difference. "
        f"{later} `mdl audit topology --lost NODE` says who exposes whom from then on."
    )


def _bytes(system: DecentralisedSettings, scheme: MultipartyBfv, *, workers: int, parameters: int) -> str:
    graph = system.topology(workers)
    plain = system.mode == "plain"
    ciphertext = (
        4 * parameters if plain else scheme.ciphertext_bytes * Blocks(parameters, scheme.degree).count
    )
    if system.in_group:
        others, total = workers - 1, 4 * (parameters + 1)
        handed = others * (total if plain else ciphertext // 2 + total)
        given = ciphertext if plain else 3 * ciphertext // 2
        return (
            f"{handed / 1e6:.1f} MB sent by node {GROUP_NODE} in an epoch, {given / 1e6:.1f} MB by each "
            f"other, {(handed + others * given) / 1e6:.1f} MB by all, which grows with the number of nodes."
        )
    size, degrees = (1 if plain else 2) * ciphertext, sorted(graph.degrees.values())
    each = [f"{degree * size / 1e6:.1f}" for degree in sorted({degrees[0], degrees[-1]})]
    return f"{' to '.join(each)} MB sent by a node in an epoch, {sum(degrees) * size / 1e6:.1f} MB by all."


def traits(system: DecentralisedSettings, *, workers: int) -> Traits:
    """See `System`."""
    del workers
    return Traits(_learns(system), _loses(system))


def _learns(system: DecentralisedSettings) -> str:
    if system.mode == "plain":
        who = f"node {GROUP_NODE}: all models; others: their sum"
        return who if system.in_group else "each node: its neighbours' models"
    colluders = f"; {system.threshold} of a neighbourhood: all its models" if system.threshold else ""
    if system.in_group:
        return f"all: each epoch the sum of all models; all but one: that one's model{colluders}"
    return (
        "each node: each epoch the weighted sum of its neighbours' models; with all neighbours but "
        f"one: that one's model{colluders}"
    )


def _loses(system: DecentralisedSettings) -> str:
    if system.threshold is None:
        return "the run ends, and can be resumed"
    ends = f", without node {GROUP_NODE} it ends" if system.in_group else ""
    return f"the run goes on while {system.threshold} nodes of each neighbourhood remain{ends}"
