"""The last thing that `make run` prints: where everything is, lines to paste, and the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.local.proof import Demo, Proof

RULE = "-" * 100


def curl_prefix(environment: Mapping[str, str]) -> str:
    """`curl -s`, told to keep off a proxy where the person's shell has one."""
    proxied = any(environment.get(name) for name in ("http_proxy", "all_proxy", "ALL_PROXY"))
    return "curl -s --noproxy '*'" if proxied else "curl -s"


def curl_lines(urls: Mapping[str, str], demo: Demo, curl: str) -> list[tuple[str, str]]:
    """What to paste, each with a word about it. Needs curl and sed, nothing else."""
    json_type = "-H 'Content-Type: application/json'"
    token = (
        f"TOKEN=$({curl} -X POST {urls['chat']}/api/auth/tokens -H 'X-API-Key: {demo.api_key}' {json_type} "
        """-d '{"userId":"alice"}' | sed -E 's/.*"token": ?"([^"]+)".*/\\1/')"""
    )
    send = (
        f"{curl} -X POST {urls['chat']}/api/channels/{demo.channel_id}/messages "
        f"""-H "Authorization: Bearer $TOKEN" {json_type} -d '{{"text":"hello"}}'"""
    )
    deliveries = (
        f"{curl} '{urls['webhook-dispatcher']}/api/webhooks/{demo.webhook_id}/deliveries?limit=3' "
        f"-H 'X-API-Key: {demo.api_key}'"
    )
    return [
        ("a token for alice", token),
        ("she says hello", send),
        ("what was delivered", deliveries),
        ("what the demo receiver verified", f"{curl} {urls['demo-receiver']}/received"),
        ("what was counted", f"{curl} {urls['metrics']}/metrics | grep chatsdk_messages_total"),
    ]


def proof_line(proof: Proof) -> str:
    """One line that says what was shown."""
    return (
        f"Proof: message {proof.message_id} was stored, published, signed, delivered and verified by the demo "
        f"receiver {proof.latency_ms:.0f} ms after its commit (event {proof.event_id})."
    )


def render(
    urls: Mapping[str, str],
    demo: Demo,
    proof: Proof,
    phases: Sequence[tuple[str, float]],
    *,
    total_s: float,
    environment: Mapping[str, str],
) -> str:
    """The whole banner."""
    rows = [
        ("chat", urls["chat"], "REST; operations at " + urls["chat-ops"]),
        ("webhooks", urls["webhook-dispatcher"], "REST; operations at " + urls["webhook-dispatcher-ops"]),
        ("metrics", urls["metrics"], "/metrics; operations at " + urls["metrics-ops"]),
        ("demo receiver", urls["demo-receiver"], "GET /received"),
    ]
    lines = ["", RULE, "ChatSDK is running.", ""]
    lines += [f"  {name:<14} {url:<24} {note}" for name, url, note in rows]
    lines += ["", f"  API key        {demo.api_key}   (app {demo.app_id})", ""]
    lines.append("Paste these:")
    for about, line in curl_lines(urls, demo, curl_prefix(environment)):
        lines += ["", f"# {about}", line]
    lines += ["", proof_line(proof)]
    lines.append(
        "Time: " + ", ".join(f"{name} {took:.1f} s" for name, took in phases) + f"; in all {total_s:.1f} s."
    )
    lines.append("Logs: .local/logs/   Addresses and pids: .local/stack.json   End: make stop")
    lines.append(RULE)
    return "\n".join(lines)
