"""Virtual links and a virtual clock: the parties of a run in one thread, in an order drawn from a seed."""

from mdl.simulator.loop import Deadlock
from mdl.simulator.network import Network
from mdl.simulator.party import Sent
from mdl.simulator.run import Absence, MemoryJournal, Simulation, simulate

__all__ = ["Absence", "Deadlock", "MemoryJournal", "Network", "Sent", "Simulation", "simulate"]
