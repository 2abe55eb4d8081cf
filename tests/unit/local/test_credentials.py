"""Secrets are made once, kept, and nobody else's to read."""

import base64
import json
from pathlib import Path

from deploy.local.credentials import MAKERS, load_credentials


def test_credentials_are_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"

    first = load_credentials(file)

    assert load_credentials(file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(set(first.values())) == len(MAKERS)


def test_the_master_key_is_an_id_and_32_bytes(tmp_path: Path) -> None:
    name, _, key = load_credentials(tmp_path / "secrets.json")["masterKeys"].partition(":")

    assert name == "local1"
    assert len(base64.b64decode(key, validate=True)) == 32


def test_a_credential_that_a_newer_release_needs_is_added(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    before = load_credentials(file)
    file.write_text(json.dumps({name: value for name, value in before.items() if name != "adminToken"}))

    after = load_credentials(file)

    assert after["adminToken"] != before["adminToken"]
    assert after | {"adminToken": ""} == before | {"adminToken": ""}
