"""Send a bank statement (1CClientBankExchange) to Kontora and tell what comes of it.

    KONTORA_API_TOKEN=kat_… python client-examples/import_bank_statement.py statement.txt [--dry-run]

The token needs `outside_payment:write`. Only httpx is needed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx

URL = os.environ.get("KONTORA_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("KONTORA_API_TOKEN", "")


def main(file: Path, dry_run: bool) -> None:
    """Send the file, whole and as it is."""
    answer = httpx.post(
        f"{URL}/api/external/bank-statements",
        params={"fileName": file.name, "dryRun": str(dry_run).lower()},
        content=file.read_bytes(),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    )
    told = answer.json()
    if answer.is_error:
        error = told["error"]
        print(f"refused: {error['code']}: {error['message']}")
        for problem in error.get("problems", []):
            print(f"  line {problem['line']}, {problem['field']}: {problem['message']}")
        sys.exit(1)
    print(f"{told['documents']} documents, {told['incoming']} incoming over {told['incomingTotal']}")
    if told["bankTotal"] is not None and told["bankTotal"] != told["incomingTotal"]:
        print(f"the bank's own sum is {told['bankTotal']}: look whether documents are missing")
    print(f"{told['repeated']} came in an earlier statement")
    for outcome, count in told["expected"].items():
        print(f"{count} {outcome}")
    print("nothing was written" if dry_run else f"statement {told['bankStatementId']} is being matched")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--dry-run"]
    if len(words) != 1 or not TOKEN:
        sys.exit(__doc__)
    main(Path(words[0]), "--dry-run" in sys.argv)
