"""Loads the fixtures; holds nothing itself."""

pytest_plugins = [
    "tests.fixtures.properties",
    "tests.fixtures.slot",
    "tests.fixtures.postgres",
    "tests.fixtures.rabbitmq",
    "tests.fixtures.services",
    "tests.fixtures.first_start",
]
