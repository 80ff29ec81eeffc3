"""How a child process begins: ``python -m profiler.parentage MODULE PARENT_PID`` runs ``main()`` of a module.

Its life is tied to its parent's before the module is imported, since that can take seconds on a busy machine: one whose
parent died meanwhile would load a runtime beside whoever measures then.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run the module that the command line names."""
    module, parent = sys.argv[1:]
    die_with_parent(int(parent))
    importlib.import_module(module).main()


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` dies, and leave Ctrl-C to the parent.

    Where there is no such call, the end of file on stdin ends the process once it has finished its block.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")


if __name__ == "__main__":
    main()
