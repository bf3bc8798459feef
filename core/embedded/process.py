"""Child processes that never outlive us, and folders that only one of us serves."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO

from core.errors import KontoraError

PR_SET_PDEATHSIG = 1
MAX_SOCKET_PATH = 100
NOBODY = 65534


class EmbeddedServerError(KontoraError):
    """An embedded server did not start; the message ends with its log."""

    code = "EMBEDDED_SERVER"


def dies_with_parent(signal_number: int) -> Callable[[], None]:
    """What a child runs before its program, so that the kernel stops it when this process is killed (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal_number)

    return prepare


def lock_folder(folder: Path) -> IO[str] | None:
    """An exclusive lock on ``folder`` for as long as the file stays open; None when another process holds it."""
    file = (folder / "servers.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def socket_folder(data_dir: Path) -> Path:
    """Where sockets go: the data folder, or a short one under the temp folder, for socket paths end at 107 bytes."""
    folder = data_dir / "run"
    if len(str(folder)) > MAX_SOCKET_PATH - 20:
        digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"kontora-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@lru_cache(maxsize=1)
def _unshare_works() -> bool:
    try:
        probe = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


_UNSHARE = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


def unprivileged(command: Sequence[str], *owned: Path) -> tuple[list[str], int | None]:
    """The command, and the user to run it as, for programs that refuse to run as root.

    Parameters:
        owned: folders handed to that user where a user namespace is forbidden.
    """
    if os.getuid() != 0:
        return list(command), None
    if _unshare_works():
        return [*_UNSHARE, *command], None
    for folder in owned:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return list(command), NOBODY


def spawn(command: Sequence[str], *, log: Path, death_signal: int, user: int | None = None) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own (the terminal's Ctrl-C is ours to pass on), its output to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=dies_with_parent(death_signal),
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )


def stop(process: subprocess.Popen[bytes], signal_number: int, timeout_seconds: float = 10) -> None:
    """Ask a server to stop and make sure that it did."""
    if process.poll() is not None:
        return
    process.send_signal(signal_number)
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
