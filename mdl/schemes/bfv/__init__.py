"""Multiparty BFV: sums that a group opens together."""

from mdl.schemes.bfv.ring import Elements, total
from mdl.schemes.bfv.scheme import Ciphertexts, CollectiveKey, MultipartyBfv, Secret

__all__ = ["Ciphertexts", "CollectiveKey", "Elements", "MultipartyBfv", "Secret", "total"]
