"""`kontora work`: a worker process."""

from __future__ import annotations

from cli.servers import servers_for_command


def work() -> None:
    """Handle jobs until told to stop; run as many as the load wants."""
    with servers_for_command(redis=True):
        from workers.run import main

        main()
