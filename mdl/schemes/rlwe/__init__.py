"""Ring-LWE masks: sums of long blocks behind short keys that any m workers open."""

from mdl.schemes.rlwe.scheme import TERMS_LIMIT, KeySharingName, Rlwe, capacity_problems, explain_capacity

__all__ = ["TERMS_LIMIT", "KeySharingName", "Rlwe", "capacity_problems", "explain_capacity"]
