"""verify(): what a receiver relies on, tried with headers made by the independent package."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chatsdk import (
    ChatSDKError,
    EventHead,
    InvalidSecretError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    MissingHeaderError,
    TimestampError,
    WebhookVerificationError,
    verify,
)
from chatsdk_contracts.envelope import encode
from chatsdk_contracts.ids import AppId, EventId, WebhookId
from chatsdk_contracts.signatures import sign_chatsdk
from chatsdk_contracts.webhooks import WebhookTest, WebhookTestCall

NOW_S = 1_760_745_600
SECRET = "whsec_H0D8ktokFpR1CXnubPWC8tXX0o4YM13gWrxU0FYOD1M="
OLD_SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
EVENT = WebhookTest(
    id=EventId("0199f3a1-7c00-7000-8000-0123456789ab"),
    subject="webhooks/wh-1",
    time=datetime.fromtimestamp(NOW_S, UTC),
    appid=AppId("app-1"),
    epoch=1,
    data=WebhookTestCall(webhook_id=WebhookId("wh-1"), message="hello"),
)
BODY = encode(EVENT)


def standard_headers(body: bytes = BODY, secret: str = SECRET, at_s: int = NOW_S) -> dict[str, str]:
    signature = Webhook(secret).sign(EVENT.id, datetime.fromtimestamp(at_s, UTC), body.decode())
    return {"webhook-id": EVENT.id, "webhook-timestamp": str(at_s), "webhook-signature": signature}


def test_a_standard_signature_gives_the_typed_event() -> None:
    assert verify(BODY, standard_headers(), SECRET, now_s=NOW_S) == EVENT


def test_a_body_signature_alone_gives_the_typed_event() -> None:
    assert verify(BODY, {"X-ChatSDK-Signature": sign_chatsdk(SECRET, BODY)}, SECRET) == EVENT


def test_header_names_match_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in standard_headers().items()}
    assert verify(BODY, shouted, SECRET, now_s=NOW_S) == EVENT
    assert verify(BODY, {"x-chatsdk-signature": sign_chatsdk(SECRET, BODY)}, SECRET) == EVENT


def test_any_of_several_secrets_will_do_while_a_rotation_overlaps() -> None:
    assert verify(BODY, standard_headers(secret=OLD_SECRET), [SECRET, OLD_SECRET], now_s=NOW_S) == EVENT
    both = standard_headers()
    both["webhook-signature"] += " " + standard_headers(secret=OLD_SECRET)["webhook-signature"]
    assert verify(BODY, both, OLD_SECRET, now_s=NOW_S) == EVENT


def test_the_clock_is_read_when_no_time_is_given() -> None:
    assert verify(BODY, standard_headers(at_s=int(datetime.now(UTC).timestamp())), SECRET) == EVENT
    with pytest.raises(TimestampError):
        verify(BODY, standard_headers(), SECRET)


@pytest.mark.parametrize(
    "change", [{"type": "message.teleported"}, {"dataschema": "urn:chatsdk:event:webhook.test:2"}]
)
def test_an_event_of_a_later_release_arrives_as_its_head(change: dict[str, str]) -> None:
    body = json.dumps(json.loads(BODY) | change).encode()
    event = verify(body, standard_headers(body), SECRET, now_s=NOW_S)
    assert isinstance(event, EventHead)
    assert (event.id, event.subject) == (EVENT.id, EVENT.subject)


@pytest.mark.parametrize("distance_s", [-300, 300])
def test_the_tolerance_is_inclusive(distance_s: int) -> None:
    assert verify(BODY, standard_headers(), SECRET, now_s=NOW_S + distance_s) == EVENT


@pytest.mark.parametrize("distance_s", [-301, 301])
def test_a_time_beyond_the_tolerance_is_refused_either_way(distance_s: int) -> None:
    with pytest.raises(TimestampError, match="301 s away from now, more than 300 s"):
        verify(BODY, standard_headers(), SECRET, now_s=NOW_S + distance_s)


@pytest.mark.parametrize("timestamp", ["", "-1", "1.5", "0x10", "1e9", "١٢٣", "9" * 5000, " 1760745600"])
def test_an_unreadable_time_is_refused(timestamp: str) -> None:
    with pytest.raises(TimestampError, match="not a number of seconds"):
        verify(BODY, standard_headers() | {"webhook-timestamp": timestamp}, SECRET, now_s=NOW_S)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_header_that_belongs_to_the_signature_must_be_there(name: str) -> None:
    headers = standard_headers()
    del headers[name]
    with pytest.raises(MissingHeaderError, match=name):
        verify(BODY, headers, SECRET, now_s=NOW_S)


def test_an_unsigned_request_is_refused() -> None:
    with pytest.raises(MissingHeaderError, match="neither webhook-signature nor X-ChatSDK-Signature"):
        verify(BODY, {}, SECRET)


def test_a_changed_body_is_refused_by_either_family() -> None:
    changed = BODY.replace(b"hello", b"hallo")
    with pytest.raises(InvalidSignatureError, match="webhook-signature"):
        verify(changed, standard_headers(), SECRET, now_s=NOW_S)
    with pytest.raises(InvalidSignatureError, match="X-ChatSDK-Signature"):
        verify(changed, {"X-ChatSDK-Signature": sign_chatsdk(SECRET, BODY)}, SECRET)


def test_a_wrong_standard_signature_is_not_outweighed_by_a_right_body_signature() -> None:
    headers = standard_headers(secret=OLD_SECRET) | {"X-ChatSDK-Signature": sign_chatsdk(SECRET, BODY)}
    with pytest.raises(InvalidSignatureError):
        verify(BODY, headers, SECRET, now_s=NOW_S)


def test_a_signed_body_that_is_no_event_says_what_is_wrong_with_it() -> None:
    with pytest.raises(InvalidWebhookBodyError, match="the body is no event: specversion: Field required"):
        verify(b"{}", standard_headers(b"{}"), SECRET, now_s=NOW_S)


@pytest.mark.parametrize("parsed", [BODY.decode(), json.loads(BODY)])
def test_a_body_that_went_through_a_parser_is_refused_with_the_fix(parsed: Any) -> None:
    with pytest.raises(InvalidWebhookBodyError, match="raw body as bytes"):
        verify(parsed, standard_headers(), SECRET, now_s=NOW_S)


@pytest.mark.parametrize("secret", ["", "whsec_", "secret", [], [SECRET, "whsec_AAAA"]])
def test_what_is_no_secret_is_the_callers_mistake_and_not_the_senders(secret: str | list[str]) -> None:
    with pytest.raises(InvalidSecretError) as refused:
        verify(BODY, standard_headers(), secret, now_s=NOW_S)
    assert not isinstance(refused.value, WebhookVerificationError)


HOSTILE = st.text(alphabet=st.characters(codec=None), max_size=50)
NAMES = (
    st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "X-ChatSDK-Signature"]) | HOSTILE
)


@given(st.binary(), st.dictionaries(NAMES, HOSTILE | st.just(str(NOW_S)), max_size=5))
def test_no_request_makes_it_raise_an_undocumented_error(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(ChatSDKError):
        verify(body, headers, SECRET, now_s=NOW_S)
