"""What a refund takes back: parts always sum to the whole, to the last digit of coins and kopecks (INV-2)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.money import MINOR_UNIT
from domain.proration import part_of
from domain.refunds import RefundNotice, coins_of, money_for, refund_notice
from domain.wallets import COIN_STEP

MONEY = st.decimals("0.01", 10_000, places=2)
COINS = st.decimals("0.001", 100_000, places=3)


@st.composite
def parts(draw: st.DrawFn) -> tuple[Decimal, list[Decimal]]:
    """A sum, and parts that it is given back in, one after the other."""
    kopecks = draw(st.integers(1, 1_000_000))
    cuts = draw(st.sets(st.integers(1, kopecks), max_size=12)) | {kopecks}
    ends = [Decimal(0), *(Decimal(cut) / 100 for cut in sorted(cuts))]
    return ends[-1], [end - start for start, end in pairwise(ends)]


@given(bought=COINS, refund=parts())
def test_any_parts_take_back_all_coins_and_no_more(bought: Decimal, refund: tuple[Decimal, list[Decimal]]) -> None:
    total, amounts = refund
    taken = money = Decimal(0)
    for amount in amounts:
        money += amount
        coins = coins_of(bought, total, money) - taken
        assert coins >= 0
        taken += coins
        assert abs(taken - bought * money / total) <= Decimal("0.0005")
    assert taken == bought


@given(bought=COINS, total=MONEY, share=st.integers(0, 1000))
def test_the_most_money_is_told_to_the_kopeck(bought: Decimal, total: Decimal, share: int) -> None:
    left = (bought * share / 1000).quantize(COIN_STEP)
    money = money_for(bought, total, left)
    assert 0 <= money <= total
    assert coins_of(bought, total, money) <= left
    assert money == total or coins_of(bought, total, money + MINOR_UNIT) > left


@given(
    lines=st.lists(st.integers(1, 100_000), min_size=1, max_size=6), shares=st.lists(st.integers(1, 100), max_size=6)
)
def test_receipts_of_parts_give_each_line_back_once(lines: list[int], shares: list[int]) -> None:
    left = [Decimal(line) / 100 for line in lines]
    for share in [*shares, 100]:
        whole = sum(left, Decimal(0))
        part = (whole * share / 100).quantize(MINOR_UNIT)
        told = part_of(left, part)
        assert sum(told, Decimal(0)) == part
        left = [line - back for line, back in zip(left, told, strict=True)]
        assert min(left) >= 0
    assert not any(left)


def test_a_notice_is_taken_for_one_refund_only() -> None:
    earlier = [Decimal(100), Decimal(50)]
    for told, expected in ((100, "REPEAT"), (50, "REPEAT"), (150, "REPEAT"), (200, "UNCLEAR"), (170, "NEW")):
        assert refund_notice(Decimal(told), earlier=earlier, paid=Decimal(300)) == RefundNotice(expected)
