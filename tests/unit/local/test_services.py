"""What each program is told: its own database, loopback addresses, no proxy for them."""

from pathlib import Path

from deploy.local.paths import layout_of
from deploy.local.services import PREFERRED_PORTS, Backing, programs_for, settings_for, without_proxy

BACKING = Backing({"chat": "db-chat", "webhooks": "db-webhooks", "metrics": "db-metrics"}, "amqp://broker")
SECRETS = {"serviceToken": "service", "masterKeys": "id:key", "adminToken": "admin"}


def test_a_service_is_given_its_own_database_only() -> None:
    for service, database in BACKING.databases.items():
        settings = settings_for(PREFERRED_PORTS, BACKING, SECRETS, service)

        assert settings[f"{service.upper()}_DATABASE_URL"] == database
        assert not set(BACKING.databases.values()) - {database} & set(settings.values())
        assert [name for name in settings if name.endswith("_DATABASE_URL")] == [
            f"{service.upper()}_DATABASE_URL"
        ]


def test_every_service_listens_on_loopback_only() -> None:
    for service in BACKING.databases:
        settings = settings_for(PREFERRED_PORTS, BACKING, SECRETS, service)

        assert settings[f"{service.upper()}_HOST"] == settings[f"{service.upper()}_OPS_HOST"] == "127.0.0.1"


def test_only_chat_is_given_the_admin_token_and_only_the_dispatcher_may_reach_loopback() -> None:
    chat, webhooks, metrics = (
        settings_for(PREFERRED_PORTS, BACKING, SECRETS, service)
        for service in ("chat", "webhooks", "metrics")
    )

    assert chat["CHATSDK_ADMIN_TOKEN"] == "admin"
    assert "CHATSDK_ADMIN_TOKEN" not in webhooks | metrics
    assert chat["CHAT_OUTGOING_ALLOWED_NETWORKS"] == "127.0.0.0/8"
    assert webhooks["WEBHOOKS_ALLOWED_NETWORKS"] == "127.0.0.0/8"
    assert "WEBHOOKS_ALLOWED_NETWORKS" not in chat | metrics


def test_loopback_is_added_to_what_the_person_keeps_off_the_proxy() -> None:
    environment = without_proxy({"HTTP_PROXY": "http://proxy", "NO_PROXY": "intern.example"})

    assert environment["no_proxy"] == environment["NO_PROXY"] == "intern.example,127.0.0.1,localhost"
    assert environment["HTTP_PROXY"] == "http://proxy"
    assert without_proxy(environment) == environment


def test_the_demo_receiver_gets_no_secret_of_the_services(tmp_path: Path) -> None:
    programs = programs_for(layout_of(tmp_path), PREFERRED_PORTS, BACKING, SECRETS)

    receiver = next(program for program in programs if program.name == "demo-receiver")
    assert not {"admin", "service", "id:key", "db-webhooks"} & set(receiver.environment.values())
    assert [program.name for program in programs] == [
        "chat",
        "webhook-dispatcher",
        "metrics",
        "demo-receiver",
    ]


def test_only_chat_keeps_files_and_keeps_them_with_the_state_of_the_clone(tmp_path: Path) -> None:
    layout = layout_of(tmp_path)

    programs = programs_for(layout, PREFERRED_PORTS, BACKING, SECRETS)

    kept = {program.name: program.environment.get("CHAT_UPLOADS_DIRECTORY") for program in programs}
    assert {name: place for name, place in kept.items() if place} == {"chat": str(layout.state / "uploads")}
