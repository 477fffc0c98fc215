"""The way into a node's process. The launcher names it, and need not import torch for that."""

from multiprocessing.connection import Connection


def enter(pipe: Connection) -> None:
    """Become a party, as `mdl.node.main` says; there, torch is loaded already."""
    from mdl.node import main

    main(pipe)
