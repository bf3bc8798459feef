"""Keeps the parts of the house running: children that crash start again, and all stop together."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from core.embedded import EmbeddedServerError, EmbeddedServers
from core.embedded.process import dies_with_parent

TICK_SECONDS = 0.2
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_AFTER_SECONDS = 30.0
STOP_SECONDS = 35.0


def say(text: str) -> None:
    """Tell the operator, at once."""
    print(text, flush=True)


class Part:
    """One child process, such as the API, that is meant to run for ever.

    Parameters:
        name: how the operator knows it.
        arguments: of the `kontora` command.
        pass_fds: open files that it inherits.
    """

    def __init__(self, name: str, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.pass_fds = pass_fds
        # -P: a folder of the caller's that happens to be named like one of ours is never imported.
        self.command = [sys.executable, "-P", "-m", "cli.main", *arguments]
        self.process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._delay = FIRST_DELAY_SECONDS

    def start(self) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches only the supervisor."""
        self._started_at = time.monotonic()
        self._start_again_at = 0.0
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(self.pass_fds),
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )

    def tend(self) -> None:
        """Start it again when it has ended: soon at first, later and later while it goes on crashing."""
        now = time.monotonic()
        if self._start_again_at:
            if now >= self._start_again_at:
                self.start()
        elif self.process is not None and self.process.poll() is not None:
            if now - self._started_at > STEADY_AFTER_SECONDS:
                self._delay = FIRST_DELAY_SECONDS
            say(f"{self.name} ended ({_how(self.process.returncode)}); starting it again in {self._delay:g} s.")
            self._start_again_at = now + self._delay
            self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)

    def ended(self) -> bool:
        """Whether it does not run."""
        return self.process is None or self.process.poll() is not None

    def send(self, signal_number: int) -> None:
        """Send a signal if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal_number)


class Supervisor:
    """The embedded servers and the parts above them.

    Parameters:
        servers: started already; started again when they die.
        parts: in the order of starting.
    """

    def __init__(self, servers: EmbeddedServers, parts: Sequence[Part]) -> None:
        self.servers = servers
        self.parts = parts
        self._signals = 0

    def run(self, each_tick: Callable[[], None]) -> None:
        """Run all parts, also those started already, until Ctrl-C, SIGTERM or SIGHUP.

        Parameters:
            each_tick: called several times a second.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        for part in self.parts:
            if part.process is None:
                part.start()
        while not self._signals:
            time.sleep(TICK_SECONDS)
            self._tend_servers()
            for part in self.parts:
                part.tend()
            each_tick()

    def stop(self) -> None:
        """Ask all parts to finish what they have in hand; a second signal does not wait for them."""
        for part in self.parts:
            part.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while not all(part.ended() for part in self.parts):
            if self._signals > 1 or time.monotonic() > deadline:
                for part in self.parts:
                    part.send(signal.SIGKILL)
            time.sleep(0.02)

    def _signalled(self, *_: object) -> None:
        self._signals += 1

    def _tend_servers(self) -> None:
        try:
            for name in self.servers.restart_dead():
                say(f"{name} had ended; it runs again.")
        except EmbeddedServerError as error:
            say(error.message)


def _how(code: int) -> str:
    return f"code {code}" if code >= 0 else signal.Signals(-code).name
