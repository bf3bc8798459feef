"""The worker process: Dramatiq threads over one event loop, stopped gently by SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import threading

from dramatiq import Worker
from dramatiq.asyncio import get_event_loop_thread

from core import tracing
from core.logging import configure_logging, get_logger
from core.settings import get_settings
from domain.monitoring import ProcessKind
from workers.broker import WORKER_TIMEOUT_MS, redis_broker
from workers.handlers import register_handlers
from workers.heartbeat import beat_until
from workers.outbox import declare_actors

STOP_TIMEOUT_MS = 30_000
GOOD_BYE_SECONDS = 15

log = get_logger("workers.run")


def main() -> None:
    """Handle messages until told to stop; messages in hand are finished first."""
    tracing.start("kontora-worker")
    configure_logging()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    register_handlers()
    broker = redis_broker()
    declare_actors(broker)
    threads = get_settings().worker_threads
    worker = Worker(broker, worker_timeout=WORKER_TIMEOUT_MS, worker_threads=threads)
    worker.start()
    log.info("worker started", threads=threads)
    loop_thread = get_event_loop_thread()
    assert loop_thread is not None, "the broker's middleware starts it with the worker"
    silent = asyncio.Event()
    beats = asyncio.run_coroutine_threadsafe(beat_until(silent, ProcessKind.WORKER), loop_thread.loop)
    stopping.wait()
    loop_thread.loop.call_soon_threadsafe(silent.set)
    beats.result(GOOD_BYE_SECONDS)
    worker.stop(timeout=STOP_TIMEOUT_MS)
    tracing.stop()
    log.info("worker stopped")
