"""Whatever is changed in a widget's one-time token, it is refused; what may differ, is not (ACC-7)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

from gateways.amocrm.signatures import CLOCK_SKEW, LONGEST_LIFE, BadToken, WidgetClaims, read_token

SECRET = "a-secret-as-long-as-they-should-be"
CLIENT = "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"
AUDIENCE = "https://kontora.example"
NOW = 1_700_000_000
SKEW = int(CLOCK_SKEW.total_seconds())
LIFE = int(LONGEST_LIFE.total_seconds())
REMOVED = object()

GOOD: dict[str, Any] = {
    "iss": "https://devteam.amocrm.ru",
    "aud": AUDIENCE,
    "jti": "a7b2c3d4-0000-4000-8000-000000000001",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 1800,
    "account_id": 30896271,
    "user_id": 8375357,
    "client_uuid": CLIENT,
    "subdomain": "devteam",
    "is_admin": True,
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    told = {name: value for name, value in claims.items() if value is not REMOVED}
    return jwt.encode({"alg": algorithm}, told, OctKey.import_key(secret), algorithms=[algorithm])


def read(token: str, now: int = NOW) -> WidgetClaims:
    when = datetime.fromtimestamp(now, UTC)
    return read_token(token, secret=SECRET, client_uuid=CLIENT, audience=AUDIENCE, now=when)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def acceptable(name: str, value: Any) -> bool:
    """The rule, said a second time: which values of one claim leave a good token good at NOW."""
    match name:
        case "iss":
            return value in ("https://devteam.amocrm.ru", "https://other.kommo.com", "https://x.amocrm.com")
        case "aud" | "client_uuid":
            return bool(value == GOOD[name])
        case "jti":
            return isinstance(value, str) and 1 <= len(value) <= 100
        case "iat" | "nbf":
            earliest = GOOD["exp"] - LIFE if name == "iat" else 1
            return is_whole(value) and earliest <= value <= NOW + SKEW
        case "exp":
            return is_whole(value) and NOW - SKEW < value <= GOOD["iat"] + LIFE
        case _:
            return is_whole(value) and 0 < value < 2**63


CHECKED = ("iss", "aud", "jti", "iat", "nbf", "exp", "account_id", "user_id", "client_uuid")
NEAR = st.integers(NOW - 2 * LIFE, NOW + 2 * LIFE)
HOSTS = st.sampled_from(
    [
        "https://other.kommo.com",
        "https://x.amocrm.com",
        "http://devteam.amocrm.ru",
        "https://amocrm.ru",
        "https://devteam.amocrm.ru.evil.example",
        "https://devteam.amocrm.ru/",
        "https://a.b.amocrm.ru",
        "https://u@devteam.amocrm.ru",
        "https://devteam.amocrm.ru:443",
        "devteam.amocrm.ru",
        "https://[::1]",
    ]
)


@given(name=st.sampled_from(CHECKED), value=st.just(REMOVED) | ANYTHING | NEAR | HOSTS)
def test_each_claim_alone_decides(name: str, value: Any) -> None:
    token = signed({**GOOD, name: value})
    if value is not REMOVED and acceptable(name, value):
        read(token)
    else:
        with pytest.raises(BadToken):
            read(token)


@given(seconds=st.integers(-2 * LIFE, 2 * LIFE))
def test_it_is_good_from_its_beginning_to_its_end_and_a_skew_around(seconds: int) -> None:
    inside = -SKEW <= seconds < 1800 + SKEW
    if inside:
        assert read(signed(GOOD), NOW + seconds).account_id == GOOD["account_id"]
    else:
        with pytest.raises(BadToken):
            read(signed(GOOD), NOW + seconds)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_byte_of_it_can_be_changed(place: int, bit: int) -> None:
    """Each part is changed as bytes, for the last character of base64 has bits that mean nothing."""
    parts = [bytearray(base64.urlsafe_b64decode(part + "===")) for part in signed(GOOD).split(".")]
    part = parts[place % 3]
    part[place // 3 % len(part)] ^= 1 << bit
    changed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    with pytest.raises(BadToken):
        read(changed)


@given(
    claims=st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING),
    header=st.dictionaries(st.text(max_size=4), ANYTHING),
)
def test_unsigned_and_foreign_ones_are_refused_without_a_stumble(
    claims: dict[str, Any], header: dict[str, Any]
) -> None:
    def encoded(value: Any) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(value, default=str)).decode().rstrip("=")

    try:
        body = encoded({**GOOD, **claims})
        heads = [encoded({**header, "alg": name}) for name in ("none", "HS256", "HS512", "RS256")]
    except TypeError:  # Beyond 64 bits there is no JSON number to send.
        return
    for head in heads:
        for signature in ("", "AAAA", signed(GOOD).rpartition(".")[2]):
            with pytest.raises(BadToken):
                read(f"{head}.{body}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_hs256(algorithm: str) -> None:
    with pytest.raises(BadToken):
        read(signed(GOOD, algorithm=algorithm))


@given(token=st.text(max_size=60))
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(BadToken):
        read(token)
