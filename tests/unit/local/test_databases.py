"""Whose databases are used: those given by the environment, else our own."""

from deploy.local.databases import given_urls


def test_without_a_setting_all_databases_are_ours_to_run() -> None:
    assert given_urls({}) == {}


def test_a_server_given_once_serves_all_three_under_their_own_names() -> None:
    urls = given_urls({"DATABASE_URL": "postgresql://u:p@db:6432/whatever?sslmode=require"})

    assert urls == {
        "chat": "postgresql://u:p@db:6432/chatsdk_chat?sslmode=require",
        "webhooks": "postgresql://u:p@db:6432/chatsdk_webhooks?sslmode=require",
        "metrics": "postgresql://u:p@db:6432/chatsdk_metrics?sslmode=require",
    }


def test_a_services_own_url_goes_before_the_common_one() -> None:
    urls = given_urls({"DATABASE_URL": "postgresql://db/x", "METRICS_DATABASE_URL": "postgresql://other/m"})

    assert urls["metrics"] == "postgresql://other/m"
    assert urls["chat"] == "postgresql://db/chatsdk_chat"


def test_one_given_database_leaves_the_others_to_us() -> None:
    assert given_urls({"CHAT_DATABASE_URL": "postgresql://db/c"}) == {"chat": "postgresql://db/c"}
