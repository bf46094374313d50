"""Runs a daemon and takes leave of its orphans: `python -m deploy.adopting libvirtd …`.

QEMU makes itself a daemon, so what libvirtd kills is left to the first process of the
machine. In a container that may be one that never asks for it; the dead then stay, and
libvirtd waits for each of them for 40 seconds.
"""

import ctypes
import os
import signal
import subprocess
import sys

_ADOPT = 36  # PR_SET_CHILD_SUBREAPER, see prctl(2)


def main(command: list[str]) -> int:
    """Run the command until it ends; its exit status, or 128 + the signal's number."""
    ctypes.CDLL(None, use_errno=True).prctl(_ADOPT, 1, 0, 0, 0)
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: child.send_signal(number))
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
