"""The banner's lines work when pasted: they are run here by a shell, against a server that checks them."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy.local import packages
from deploy.local.banner import curl_lines, curl_prefix, render
from deploy.local.console import Console
from deploy.local.proof import Demo, Proof

DEMO = Demo(app_id="app1", api_key="key_abc", webhook_id="wh1", channel_id="ch1")
PROOF = Proof(message_id="m1", event_id="e1", latency_ms=7.4)


class _Asked(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str | None, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer("POST", body)

    def do_GET(self) -> None:
        self._answer("GET", None)

    def _answer(self, method: str, body: Any) -> None:
        who = self.headers["X-API-Key"] or self.headers["Authorization"]
        self.seen.append((method, self.path, who, body))
        reply = json.dumps({"token": "aaa.bbb-c_c.ddd", "expiresAt": "later"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module", autouse=True)
def _curl(tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("curl") is None:
        packages.install(["curl"], Console(), tmp_path_factory.mktemp("logs"))


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    _Asked.seen = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _Asked)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}", _Asked.seen
    listening.shutdown()
    thread.join()
    listening.server_close()


def _urls(url: str) -> dict[str, str]:
    names = ("chat", "webhook-dispatcher", "metrics", "demo-receiver")
    return {**dict.fromkeys(names, url), **{f"{name}-ops": url for name in names}}


def test_the_lines_work_in_a_plain_shell_with_a_proxy_set(server: tuple[str, list[Any]]) -> None:
    url, seen = server
    environment = {"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:9"}
    lines = [line for _, line in curl_lines(_urls(url), DEMO, curl_prefix(environment))]

    subprocess.run(["/bin/sh", "-e"], input="\n".join(lines[:4]), text=True, env=environment, check=True)

    assert seen == [
        ("POST", "/api/auth/tokens", "key_abc", {"userId": "alice"}),
        ("POST", "/api/channels/ch1/messages", "Bearer aaa.bbb-c_c.ddd", {"text": "hello"}),
        ("GET", "/api/webhooks/wh1/deliveries?limit=3", "key_abc", None),
        ("GET", "/received", None, None),
    ]


def test_curl_is_told_of_the_proxy_only_where_there_is_one() -> None:
    assert curl_prefix({}) == "curl -s"
    assert "--noproxy" in curl_prefix({"http_proxy": "http://proxy"})
    assert "--noproxy" in curl_prefix({"ALL_PROXY": "socks5://proxy"})


def test_the_banner_tells_addresses_key_proof_and_times() -> None:
    urls = _urls("http://127.0.0.1:5500")

    text = render(urls, DEMO, PROOF, [("RabbitMQ", 4.0), ("prove it", 0.25)], total_s=6.04, environment={})

    assert "http://127.0.0.1:5500" in text
    assert "key_abc   (app app1)" in text
    assert "message m1" in text
    assert "7 ms after its commit" in text
    assert "RabbitMQ 4.0 s, prove it 0.2 s; in all 6.0 s" in text
