"""`kontora schedule`: the scheduler and the outbox relay."""

from __future__ import annotations

from cli.servers import servers_for_command


def schedule() -> None:
    """Fire due jobs and relay the outbox until told to stop; several may run, each job still fires once."""
    with servers_for_command(redis=True):
        from workers.schedule import main

        main()
