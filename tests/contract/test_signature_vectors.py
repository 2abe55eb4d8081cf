"""The signature vectors, held against our code and against two tools that know nothing of it."""

import json
import os
import subprocess
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from standardwebhooks import Webhook

from chatsdk_contracts.signatures import (
    parse_secret,
    sign_chatsdk,
    sign_standard,
    verify_chatsdk,
    verify_standard,
)

VECTORS = json.loads(
    files("chatsdk_contracts").joinpath("vectors/signatures.json").read_text(encoding="utf-8")
)


def cases(group: str) -> pytest.MarkDecorator:
    """Parametrises over one group of vectors."""
    return pytest.mark.parametrize(
        "vector", VECTORS[group], ids=[vector["name"] for vector in VECTORS[group]]
    )


@cases("accepted")
def test_we_sign_as_the_vectors_say(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    standard = sign_standard(vector["secrets"], vector["webhookId"], vector["webhookTimestamp"], body)
    assert standard == vector["webhookSignature"]
    assert sign_chatsdk(vector["secrets"][0], body) == vector["chatsdkSignature"]


@cases("accepted")
def test_the_standardwebhooks_package_signs_the_same(vector: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(vector["webhookTimestamp"], UTC)
    entries = [Webhook(secret).sign(vector["webhookId"], at, vector["body"]) for secret in vector["secrets"]]
    assert " ".join(entries) == vector["webhookSignature"]


@cases("accepted")
def test_a_shell_with_openssl_signs_the_same(vector: dict[str, Any]) -> None:
    process = subprocess.run(
        ["/bin/sh", "-c", 'openssl dgst -sha256 -hmac "$SECRET"'],
        input=vector["body"].encode(),
        env={"PATH": os.environ["PATH"], "SECRET": vector["secrets"][0]},
        capture_output=True,
        check=True,
    )
    assert "sha256=" + process.stdout.decode().split()[-1] == vector["chatsdkSignature"]


@cases("accepted")
def test_each_secret_alone_verifies_its_entry(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    for secret in vector["secrets"]:
        assert verify_standard(
            [secret], vector["webhookSignature"], vector["webhookId"], vector["webhookTimestamp"], body
        )
    assert verify_chatsdk(vector["secrets"], vector["chatsdkSignature"], body)


@cases("rejected")
def test_we_reject_both_signatures(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    assert not verify_standard(
        vector["secrets"], vector["webhookSignature"], vector["webhookId"], vector["webhookTimestamp"], body
    )
    assert not verify_chatsdk(vector["secrets"], vector["chatsdkSignature"], body)


@cases("replayed")
def test_we_reject_a_signature_moved_to_another_id_or_time(vector: dict[str, Any]) -> None:
    assert not verify_standard(
        vector["secrets"],
        vector["webhookSignature"],
        vector["webhookId"],
        vector["webhookTimestamp"],
        vector["body"].encode(),
    )


@cases("invalidSecrets")
def test_we_refuse_what_is_no_secret_and_name_the_fix(vector: dict[str, str]) -> None:
    with pytest.raises(
        ValueError, match=r"use whsec_ followed by the standard base64 of 24 to 64 random bytes"
    ):
        parse_secret(vector["secret"])
