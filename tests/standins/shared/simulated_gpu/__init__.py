"""A GPU that is not there: memory behind fake pointers, streams with a simulated clock, captured graphs, faults.

The stand-ins for ``cuda.bindings`` and ``tensorrt`` share the one device of this process. Rule: what a right program
can meet comes back as the real interface gives it (an error code, ``None``, ``False`` and a logged line); what only a
wrong program does (use after free, synchronising while capturing, reading memory that nobody wrote) raises
:class:`Misuse`.
"""

from simulated_gpu.device import SimulatedGpu, gpu
from simulated_gpu.misuse import Misuse
from simulated_gpu.scenario import Fault, Scenario

__all__ = ["Fault", "Misuse", "Scenario", "SimulatedGpu", "gpu"]
