"""What the processes say: to the terminal, and to a log that does not grow for ever."""

import logging
import logging.handlers
import queue
import threading
from pathlib import Path

_LOG_BYTES, _LOGS_KEPT = 5 << 20, 3
_WAITING_LINES = 2000


class Output:
    """Lines with their speaker's name. A terminal nobody reads never holds anyone up."""

    def __init__(self, path: Path) -> None:
        self._log = logging.getLogger("kvmweb.supervisor")
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._log.addHandler(handler)
        self._lines: queue.Queue[str] = queue.Queue(_WAITING_LINES)
        self._terminal_is_gone = False
        threading.Thread(target=self._write, daemon=True).start()

    def line(self, name: str, text: str, *, shown: bool = True) -> None:
        """One line of a process; the log has it even when it is not shown."""
        self._log.info("%-9s %s", name, text)
        if shown and text:
            self._put(f"{name:<9} | {text}")

    def say(self, text: str) -> None:
        """One line of the supervisor itself, for the person at the terminal."""
        self._put(text)

    def close(self) -> None:
        """Wait a moment for the terminal to take the last lines."""
        last = threading.Thread(target=self._lines.join, daemon=True)
        last.start()
        last.join(0.5)

    def _put(self, text: str) -> None:
        try:
            self._lines.put_nowait(text)
        except queue.Full:  # the log has it
            return

    def _write(self) -> None:
        while True:
            text = self._lines.get()
            if not self._terminal_is_gone:
                try:
                    print(text, flush=True)
                except (OSError, ValueError):
                    self._terminal_is_gone = True
            self._lines.task_done()
