"""Known answers of ElGamal under fixed randomness.

``python -m tests.schemes.known_answers > tests/vectors/elgamal.json`` writes them anew: only where the
bytes are meant to change.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.threshold import Context

FILE: Final = Path(__file__).parents[1] / "vectors" / "elgamal.json"

PLAINTEXTS: Final = {1: [[16, -16], [3, 0]], 4: [[16, -16], [-4, 1]]}
"""By member, two blocks of two."""

SCHEMES: Final[Sequence[Sequence[str]]] = [
    ("insecure_schnorr96", "lifted"),
    ("insecure64", "exponential"),
    ("insecure256", "exponential"),
    ("schnorr2048", "lifted"),
    ("secp256k1", "lifted"),
    ("insecure256", "exponential", "grid"),
    ("secp256k1", "lifted", "grid"),
]
"""Group, encoding, and the form where it is not the single one."""


def scheme(group: str, encoding: Any, form: Any = "single") -> ElGamal:
    return ElGamal(
        group=group,
        encoding=encoding,
        block=2,
        threshold=2,
        fixed_point=FixedPoint(range=1, fraction_bits=4),
        members_limit=2,
        form=form,
    )


def known_answer(group: str, encoding: str, *form: str) -> dict[str, Any]:
    """Play a whole exchange: members 1 and 4, openers 2 and 4."""
    elgamal, rng = scheme(group, encoding, *form), insecure_seeded(2017)
    context = Context(b"known answer", 1, blocks=[0, 1], members=(1, 4), openers=(2, 4))
    public_key, key_shares = elgamal.deal((1, 2, 3, 4), rng=rng)
    ciphertexts = {
        member: elgamal.encrypt(public_key, key_shares[member], np.array(plaintext), context, rng=rng)
        for member, plaintext in PLAINTEXTS.items()
    }
    body = elgamal.add([ciphertexts[member].body for member in context.members], context)
    hints = [ciphertexts[member].hint for member in context.members]
    shares = {o: elgamal.decryption_share(key_shares[o], hints, context, rng=rng) for o in context.openers}
    return {
        "names": [group, encoding, *form],
        "public_key": public_key.hex(),
        "key_shares": {str(point): share.secret.hex() for point, share in key_shares.items()},
        "bodies": {str(member): ciphertext.body.hex() for member, ciphertext in ciphertexts.items()},
        "hints": {str(member): ciphertext.hint.hex() for member, ciphertext in ciphertexts.items()},
        "body": body.hex(),
        "shares": {str(opener): share.hex() for opener, share in shares.items()},
        "rebased": elgamal.rebase(shares[2], 2, context, (2, 3)).hex(),
        "sum": elgamal.combine(body, shares, context).tolist(),
    }


if __name__ == "__main__":
    print(json.dumps([known_answer(*names) for names in SCHEMES], indent=1))  # noqa: T201
