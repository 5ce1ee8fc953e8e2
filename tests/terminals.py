"""Commands on a pseudo terminal of their own, as a person sits before one."""

import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

COMMAND = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
from covrules.cli import main
main(sys.argv[1:])
"""


class Terminal:
    """A command on a terminal."""

    def __init__(self, folder, arguments):
        self.pty, terminal = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
            start_new_session=True, env={**os.environ, "TERM": "dumb", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        os.close(terminal)
        self.said = ""

    def wait_for(self, text):
        deadline = time.monotonic() + 60
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            if select.select([self.pty], [], [], 1)[0]:
                try:
                    self.said += os.read(self.pty, 4096).decode()
                except OSError:  # on Linux, the other side has hung up
                    break
        assert text in self.said, self.said
        self.said = self.said.partition(text)[2]

    def type(self, text):
        self.wait_for("> ")
        os.write(self.pty, text.encode())

    def end(self, last):
        self.wait_for(last)
        return self.process.wait(60)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.pty)


@contextmanager
def terminals(folder):
    """Give what opens terminals in a folder, each for a command line of covrules."""
    if not hasattr(os, "openpty"):
        pytest.skip("no pseudo terminals here")
    opened = []

    def open_(*arguments):
        opened.append(Terminal(folder, arguments))
        return opened[-1]

    try:
        yield open_
    finally:
        for each in opened:
            each.close()
