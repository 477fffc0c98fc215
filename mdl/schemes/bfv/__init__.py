"""Multiparty BFV: sums that a group opens together."""

from mdl.schemes.bfv.ring import Elements, total
from mdl.schemes.bfv.scheme import Ciphertexts, CollectiveKey, MultipartyBfv, Secret
from mdl.schemes.bfv.sealed_shares import SealedShares, recover

__all__ = [
    "Ciphertexts",
    "CollectiveKey",
    "Elements",
    "MultipartyBfv",
    "SealedShares",
    "Secret",
    "recover",
    "total",
]
