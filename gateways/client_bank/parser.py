"""Reads 1CClientBankExchange files: every trouble is told with its line, and nothing is guessed (INV-5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from core.errors import UserError

HEAD = "1CClientBankExchange"
END = "КонецФайла"
VERSION_KEY = "ВерсияФормата"
VERSIONS = frozenset({"1.00", "1.01", "1.02", "1.03"})
SECTION, SECTION_END = "СекцияРасчСчет", "КонецРасчСчет"
DOCUMENT, DOCUMENT_END = "СекцияДокумент", "КонецДокумента"
ACCOUNT = "РасчСчет"
MOST_DOCUMENTS = 100_000
MOST_ACCOUNTS = 100
MOST_PROBLEMS = 100
LONGEST_VALUE = 1_000
LARGEST_AMOUNT = Decimal("999999999999.99")

_ENCODINGS = ("utf-8-sig", "cp1251", "cp866")
_AMOUNT = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{1,2})?")
_DIGITS = re.compile(r"[0-9]{20}")
_INN = re.compile(r"[0-9]{10}(?:[0-9]{2})?")
_NAMED_INN = re.compile(r"ИНН\s*([0-9]{12}|[0-9]{10})\b")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file.

    Parameters:
        line: number of the line, from 1.
        field: the key at fault, in the file's own word.
    """

    line: int
    field: str
    message: str


class MalformedStatement(UserError):
    """The file cannot be read as a whole, so nothing of it was taken."""

    code = "MALFORMED_STATEMENT"

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        super().__init__(f"line {first.line}, {first.field}: {first.message}")
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A movement of money on one of the statement's accounts.

    Parameters:
        line: where it begins in the file.
        account: ours.
        incoming: whether money came.
        day: when it came or went.
    """

    line: int
    kind: str
    account: str
    incoming: bool
    number: str
    day: date
    amount: Decimal
    payer_name: str
    payer_inn: str | None
    payer_account: str | None
    purpose: str


@dataclass
class Statement:
    """A whole file.

    Parameters:
        told_incoming: what came by the bank's own sum; None where it tells none.
    """

    accounts: list[str] = field(default_factory=list)
    period_start: date | None = None
    period_end: date | None = None
    told_incoming: Decimal | None = None
    documents: list[Document] = field(default_factory=list)


Keyed = dict[str, tuple[int, str]]


def parse(content: bytes) -> Statement:
    """Read a file in windows-1251, cp866 or UTF-8, with either line end.

    Raises:
        MalformedStatement: another form or version, cut off, or a document that is not complete; tells every line.
    """
    reading = _Reading()
    for number, line in _lines(content):
        reading.take(number, line)
    return reading.finished()


class _Reading:
    """The state between two lines."""

    def __init__(self) -> None:
        self.statement = Statement()
        self.problems: list[Problem] = []
        self.header: Keyed = {}
        self.raw: list[tuple[int, str, Keyed]] = []
        self.part: Keyed | None = None
        self.kind = ""
        self.begun_at = 0
        self.ended = False
        self.last = 0

    def take(self, number: int, line: str) -> None:
        """One line."""
        self.last = number
        if not line or self.ended:
            return
        key, _, value = (text.strip() for text in line.partition("="))
        if key == END:
            self.ended = True
        elif key in (SECTION, DOCUMENT):
            if self.part is not None:
                self.wrong(number, key, "the part before it has no end")
            self.part, self.kind, self.begun_at = {}, value if key == DOCUMENT else SECTION, number
        elif key in (SECTION_END, DOCUMENT_END):
            self._end_part(number, key)
        elif key != HEAD:
            where = self.header if self.part is None else self.part
            if key == ACCOUNT and self.part is None:
                self._account(value)
            where[key] = (number, _UNPRINTABLE.sub(" ", value)[:LONGEST_VALUE])

    def wrong(self, line: int, name: str, message: str) -> None:
        """Keep one problem, of those that there is room for."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line, name, message))

    def _account(self, account: str) -> None:
        if account and account not in self.statement.accounts and len(self.statement.accounts) <= MOST_ACCOUNTS:
            self.statement.accounts.append(account)

    def _end_part(self, number: int, key: str) -> None:
        if self.part is None or (key == SECTION_END) != (self.kind == SECTION):
            self.wrong(number, key, "nothing of this sort was begun")
        elif self.kind == SECTION:
            self._section(self.part)
        elif len(self.raw) <= MOST_DOCUMENTS:
            self.raw.append((self.begun_at, self.kind, self.part))
        self.part = None

    def _section(self, part: Keyed) -> None:
        self._account(part.get(ACCOUNT, (0, ""))[1])
        if "ВсегоПоступило" in part:
            told = self._amount(part, "ВсегоПоступило", zero=True)
            self.statement.told_incoming = (self.statement.told_incoming or Decimal(0)) + told

    def finished(self) -> Statement:
        """The statement, if all of it could be read."""
        if self.part is not None:
            self.wrong(self.last, END, "the file is cut off inside a part")
        elif not self.ended:
            self.wrong(self.last, END, "the file is cut off: its last line is missing")
        version = self.header.get(VERSION_KEY, (1, ""))
        if version[1] not in VERSIONS:
            self.wrong(version[0], VERSION_KEY, f"{version[1][:20]!r} is not a version that is known")
        if not self.statement.accounts:
            self.wrong(1, ACCOUNT, "the file names no account")
        if len(self.statement.accounts) > MOST_ACCOUNTS:
            self.wrong(1, ACCOUNT, f"more than {MOST_ACCOUNTS} accounts")
        self.statement.period_start = self._day(self.header, "ДатаНачала", needed=False)
        self.statement.period_end = self._day(self.header, "ДатаКонца", needed=False)
        if len(self.raw) > MOST_DOCUMENTS:
            self.wrong(1, DOCUMENT, f"more than {MOST_DOCUMENTS} documents")
        else:
            for begun_at, kind, part in self.raw:
                self.begun_at = begun_at
                document = self._document(begun_at, kind, part)
                if document is not None:
                    self.statement.documents.append(document)
        if self.problems:
            raise MalformedStatement(self.problems)
        return self.statement

    def _document(self, line: int, kind: str, part: Keyed) -> Document | None:
        payee = _first(part, "ПолучательРасчСчет", "ПолучательСчет")
        payer = _first(part, "ПлательщикРасчСчет", "ПлательщикСчет")
        incoming, outgoing = payee in self.statement.accounts, payer in self.statement.accounts
        if incoming == outgoing:
            # Between two accounts of ours, money neither comes nor goes.
            if not incoming:
                self.wrong(line, "ПолучательСчет", "neither account is one of the file's own")
            return None
        day = self._day(part, "ДатаПоступило" if incoming else "ДатаСписано", needed=False)
        if day is None:
            # The bank has not executed it.
            return None
        amount = self._amount(part, "Сумма")
        number = part.get("Номер", (line, ""))[1]
        if not number:
            self.wrong(line, "Номер", "is missing")
        if self.problems:
            return None
        name = _first(part, "Плательщик", "Плательщик1") or ""
        inn = _first(part, "ПлательщикИНН")
        named = _NAMED_INN.search(name)
        if (inn is None or not _INN.fullmatch(inn)) and named:
            inn = named.group(1)
        purpose = _first(part, "НазначениеПлатежа") or " ".join(
            part[f"НазначениеПлатежа{n}"][1] for n in range(1, 7) if f"НазначениеПлатежа{n}" in part
        )
        return Document(
            line=line,
            kind=kind[:100],
            account=(payee if incoming else payer) or "",
            incoming=incoming,
            number=number[:100],
            day=day,
            amount=amount,
            payer_name=name[:300],
            payer_inn=inn if inn and _INN.fullmatch(inn) else None,
            payer_account=payer if payer and _DIGITS.fullmatch(payer) else None,
            purpose=purpose,
        )

    def _amount(self, part: Keyed, key: str, *, zero: bool = False) -> Decimal:
        line, text = part.get(key, (self.begun_at, ""))
        plain = text.replace(" ", "").replace("\u00a0", "")
        try:
            value = Decimal(plain.replace(",", ".")) if _AMOUNT.fullmatch(plain) else None
        except InvalidOperation:
            value = None
        if value is None or value > LARGEST_AMOUNT or (value == 0 and not zero):
            self.wrong(line, key, f"{text[:30]!r} is not an amount")
            return Decimal(0)
        return value.quantize(Decimal("0.01"))

    def _day(self, part: Keyed, key: str, *, needed: bool) -> date | None:
        line, text = part.get(key, (self.last, ""))
        if not text and not needed:
            return None
        try:
            return datetime.strptime(text, "%d.%m.%Y").date()  # noqa: DTZ007 - a bank's day has no time zone
        except ValueError:
            self.wrong(line, key, f"{text[:30]!r} is not a day such as 31.12.2026")
            return None


def _first(part: Keyed, *keys: str) -> str | None:
    return next((part[key][1] for key in keys if part.get(key, (0, ""))[1]), None)


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(HEAD.encode()):
        raise MalformedStatement([Problem(1, HEAD, "the file does not begin with this word")])
    text = _decoded(content)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    yield from enumerate((line.strip() for line in lines), start=1)


def _decoded(content: bytes) -> str:
    """The text in the encoding in which its own key words can be read."""
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if VERSION_KEY in text or END in text:
            return text
    raise MalformedStatement([Problem(1, "Кодировка", "neither windows-1251 nor UTF-8 nor cp866")])
