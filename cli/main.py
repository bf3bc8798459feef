"""The `kontora` command: one small module a command, each loading the house only when it runs."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from cli.factors import reset_second_factor
from cli.migrate import migrate
from cli.reference import events_reference, export_schema, permission_matrix, settings_reference, tables_reference
from cli.schedule import schedule
from cli.serve import serve
from cli.tokens import refresh_tokens
from cli.up import up
from cli.users import create_superadmin, seed_demo
from cli.verify import verify_audit, verify_billing, verify_ledger
from cli.work import work
from core.errors import KontoraError

app = typer.Typer(
    help="Kontora: a GraphQL back office for companies that sell software to other companies.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(up, serve, work, schedule, migrate, create_superadmin, reset_second_factor, seed_demo),
    *(export_schema, permission_matrix, settings_reference, events_reference, tables_reference),
):
    app.command(command.__name__.replace("_", "-"))(command)

verify = typer.Typer(help="Recompute what must always hold.", no_args_is_help=True)
verify.command("ledger")(verify_ledger)
verify.command("billing")(verify_billing)
verify.command("audit")(verify_audit)
app.add_typer(verify, name="verify")

tokens = typer.Typer(help="Tokens at amoCRM.", no_args_is_help=True)
tokens.command("refresh")(refresh_tokens)
app.add_typer(tokens, name="tokens")


def main() -> None:
    """Run the command; what the operator can mend is said plainly, without a traceback."""
    try:
        app()
    except KontoraError as error:
        sys.exit(f"kontora: {error.message}")
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(("KONTORA", *(str(part).upper() for part in problem["loc"])))
            reason = problem["msg"].removeprefix("Value error, ")
            print(f"kontora: {f'{name}: ' if problem['loc'] else ''}{reason}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        sys.exit(f"kontora: {error}")


if __name__ == "__main__":
    main()
