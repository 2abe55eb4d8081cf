"""The three databases with a role each, which can connect to its own database and no other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from deploy.local.postgres import Postgres

DATABASES = {"chat": "chatsdk_chat", "webhooks": "chatsdk_webhooks", "metrics": "chatsdk_metrics"}
"""Database by the prefix of its service's settings. The owning role has the same name."""

_PROVISION = """
select 'create role {name} login' where not exists (select from pg_roles where rolname = '{name}') \\gexec
alter role {name} with login nosuperuser nocreatedb nocreaterole password '{password}';
select 'create database {name} owner {name}'
 where not exists (select from pg_database where datname = '{name}') \\gexec
revoke all on database {name} from public;
"""

_CLOSE_OTHERS = (
    "revoke connect on database postgres from public;\nrevoke connect on database template1 from public;\n"
)


def given_urls(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The database URLs that the caller's environment gives, by service. What is absent is ours to run."""
    env = os.environ if environment is None else environment
    urls: dict[str, str] = {}
    for service, database in DATABASES.items():
        if own := env.get(f"{service.upper()}_DATABASE_URL"):
            urls[service] = own
        elif server := env.get("DATABASE_URL"):
            urls[service] = urlunsplit(urlsplit(server)._replace(path=f"/{database}"))
    return urls


def provision(postgres: Postgres, passwords: Mapping[str, str]) -> dict[str, str]:
    """Create what is missing and set the passwords. Idempotent. Returns the URLs by service."""
    statements = [
        _PROVISION.format(name=name, password=passwords[service]) for service, name in DATABASES.items()
    ]
    postgres.sql("".join(statements) + _CLOSE_OTHERS)
    return {
        service: postgres.dsn(name, role=name, password=passwords[service])
        for service, name in DATABASES.items()
    }
