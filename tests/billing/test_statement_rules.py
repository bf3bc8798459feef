"""How bank statements are read, and how sums are decided: rules without I/O (INV-5)."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing import InvoiceStatus
from domain.outside_payments import PAYABLE, Candidate, Money, UnmatchedReason, decide, numbers_in
from gateways.client_bank.parser import MalformedStatement, parse
from tests.billing.test_outside_payments import document, statement


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**11),
            st.text(st.characters(codec="cp1251", exclude_categories=("Cc", "Zl", "Zp")), max_size=60),
            st.dates(date(2020, 1, 1), date(2030, 12, 31)),
        ),
        max_size=5,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read(documents: list[tuple[int, str, date]], newline: str) -> None:
    text = statement(
        *(
            document(str(n), f"{kopecks // 100}.{kopecks % 100:02}", purpose, ДатаПоступило=day.strftime("%d.%m.%Y"))
            for n, (kopecks, purpose, day) in enumerate(documents, start=1)
        )
    )
    read = parse(text.replace("\n", newline).encode("cp1251"))
    assert [(int(one.amount * 100), one.purpose, one.day) for one in read.documents] == [
        (kopecks, purpose.strip(), day) for kopecks, purpose, day in documents
    ]


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: f"1CClientBankExchange\n{text}".encode()))
)
def test_nothing_but_the_one_failure_comes_of_noise(content: bytes) -> None:
    with suppress(MalformedStatement):
        assert parse(content).accounts


@given(st.data())
def test_lines_cut_doubled_or_swapped_never_break_the_reader(data: st.DataObject) -> None:
    lines = statement(document("1", "5", "x"), document("2", "7", "y")).split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["cut", "double", "swap"])):
            case "cut":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case _:
                lines[at], lines[-1] = lines[-1], lines[at]
        if not lines:
            return
    try:
        read = parse("\n".join(lines).encode("cp1251"))
    except MalformedStatement:
        return
    assert all(one.amount > 0 and one.number for one in read.documents)


candidates = st.builds(
    Candidate,
    invoice_id=st.integers(1, 5),
    number=st.sampled_from(["2026-000001", "2026-000002"]),
    status=st.sampled_from(list(InvoiceStatus)),
    total=st.sampled_from([Decimal(1), Decimal(2)]),
    currency=st.sampled_from(["RUB", "USD"]),
    partner_inn=st.sampled_from([None, "1", "2"]),
)


@given(
    st.builds(
        Money,
        amount=st.sampled_from([Decimal(1), Decimal(2)]),
        currency=st.just("RUB"),
        payer_inn=st.sampled_from([None, "1"]),
        purpose=st.sampled_from(["", "счет 2026-000001", "счета 2026-000001, 2026-000002"]),
    ),
    st.lists(candidates, max_size=2),
    st.lists(candidates, max_size=3),
)
def test_nothing_is_settled_in_doubt(money: Money, named: list[Candidate], of_payer: list[Candidate]) -> None:
    verdict = decide(money, named if numbers_in(money) else [], of_payer)
    if isinstance(verdict, UnmatchedReason):
        return
    assert verdict.status in PAYABLE
    assert (verdict.total, verdict.currency) == (money.amount, money.currency)
    assert not (money.payer_inn and verdict.partner_inn and money.payer_inn != verdict.partner_inn)
    assert verdict in (named if numbers_in(money) else of_payer)


@pytest.mark.parametrize(
    ("purpose", "numbers"),
    [
        ("Оплата по счету № 2026-000123 от 12.11.2026", {"2026-000123"}),
        ("счет№2026-000123,2026-000124", {"2026-000123", "2026-000124"}),
        ("СЧ.ООО-2026-000007", set()),
        ("acme-2026-000007", {"acme-2026-000007"}),
        ("тел. 8-2026-000007", {"8-2026-000007"}),
        ("договор 12026-000007", set()),
        ("", set()),
    ],
)
def test_numbers_are_found_in_what_people_write(purpose: str, numbers: set[str]) -> None:
    assert numbers_in(Money(Decimal(1), "RUB", None, purpose)) == numbers


@pytest.mark.parametrize(
    ("many", "field"),
    [("РасчСчет=4080200000000{n:07d}\n", "РасчСчет"), ("КонецДокумента\n", "КонецДокумента")],
)
def test_a_file_made_to_exhaust_is_told_of_in_few_words(many: str, field: str) -> None:
    text = statement("".join(many.format(n=n) for n in range(200_000)))
    with pytest.raises(MalformedStatement) as refused:
        parse(text.encode("cp1251"))
    assert refused.value.problems[0].field == field
    assert len(refused.value.problems) <= 100
