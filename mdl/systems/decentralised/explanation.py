"""What a run of D-MHE will do, in words."""

from collections.abc import Sequence

from mdl.schemes.bfv.ring import DEGREE, MODULUS_BITS
from mdl.schemes.bfv.scheme import STANDARD_TERNARY
from mdl.system import Traits
from mdl.systems.decentralised.settings import DecentralisedSettings
from mdl.vectors import Blocks


def explain(system: DecentralisedSettings, *, workers: int, parameters: int) -> Sequence[str]:
    """See `System`."""
    graph = system.topology(workers)
    degrees = sorted(graph.degrees.values())
    said = [
        f"{workers} nodes and nobody above them: {len(graph.edges)} links, {degrees[0]} to {degrees[-1]} "
        "neighbours each. After an epoch of training each node goes on from the average of its neighbours' "
        f"parameters and its own (Metropolis-Hastings weights; spectral gap "
        f"{graph.spectral_gap(system.weight_bits):.3f}, where 1 is everybody with everybody).",
    ]
    if system.mode == "plain":
        size = 4 * parameters
        said.append("Nothing is hidden: each node sees its neighbours' parameters.")
    else:
        scheme = system.scheme(degrees[-1])
        size = 2 * scheme.ciphertext_bytes * Blocks(parameters, scheme.degree).count
        said += [
            "Neighbours' parameters are encrypted (multiparty BFV) under a key of the whole neighbourhood. "
            "A node learns the weighted sum over its neighbours, once an epoch. The whole neighbourhood must "
            "help to open it, so nobody else learns anything. A node whose neighbours but one collude with "
            "it learns that one's parameters; one that does not follow the protocol reads its neighbours.",
            f"Ring-LWE with N = {DEGREE} and log2 q = {MODULUS_BITS}: the standard allows "
            f"{STANDARD_TERNARY[DEGREE]} bits at 128 bits of security. Shares drown the ciphertexts' noise "
            f"in {scheme.drowning_bits} bits.",
        ]
    each = [f"{degree * size / 1e6:.1f}" for degree in sorted({degrees[0], degrees[-1]})]
    said += [
        f"{' to '.join(each)} MB sent by a node in an epoch, {sum(degrees) * size / 1e6:.1f} MB by all.",
        f"Parameters are multiples of 2^-{system.fraction_bits} within ±{system.encoding.range:.4g}; weights "
        f"are multiples of 2^-{system.weight_bits}; sums are exact. If a node is lost, the run ends.",
    ]
    return said


def traits(system: DecentralisedSettings, *, workers: int) -> Traits:
    """See `System`."""
    del workers
    learns = (
        "each node: its neighbours' models"
        if system.mode == "plain"
        else "each node: each epoch the weighted sum of its neighbours' models; it and its neighbours but "
        "one: that one's model"
    )
    return Traits(learns, "the run ends, and can be resumed")
