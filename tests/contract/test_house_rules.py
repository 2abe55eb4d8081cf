"""The house rules hold for the repository, and each of them can fail.

A rule that finds nothing may be a rule that looks at nothing. So every one is shown a planted violation, and
beside it the same thing done well.
"""

from __future__ import annotations

import pytest

from tests.contract.house_rules import RULES, Rule, Source, findings, repository_files
from tests.contract.house_rules.exceptions import EXCEPTIONS
from tests.contract.house_rules.sizes import SOFT_MODULE_LINES, modules_over_the_soft_limit

BY_NAME = {rule.__name__: rule for rule in RULES}
STORE = "services/chat/chat_service/messages/store.py"
API = "services/chat/chat_service/messages/api.py"
PURE = "services/chat/chat_service/messages/rules.py"
TEST = "tests/unit/chat_service/test_messages.py"
MIGRATION = "services/chat/chat_service/migrations/versions/0002_more.sql"
CONTRACT = "services/chat/chat_service/migrations/versions/0003_contract_more.sql"

LONG_BODY = "def f():\n" + "    g()\n" * 51
FITTING_BODY = 'def f():\n    """What it does."""\n' + "    g()\n" * 50

# rule, path, a violation, the same done well
PLANTED = [
    ("names_say_what_a_file_does", "services/chat/chat_service/utils.py", "x = 1", None),
    ("names_say_what_a_file_does", "services/chat/chat_service/core/ids.py", "x = 1", None),
    ("every_module_has_a_docstring", API, "x = 1\n", '"""The door of messages."""\nx = 1\n'),
    ("public_names_have_docstrings", API, "def f(): ...", "def f():\n  'What it does.'\ndef _g(): ..."),
    ("public_names_have_docstrings", API, "class A:\n  x = 1", "class A:\n  'What it is.'\n  def m(self): ..."),
    ("the_environment_is_read_in_settings", API, "import os\nos.environ['A']", "import os\nos.getpid()"),
    ("the_environment_is_read_in_settings", API, "import os\nos.getenv('A')", None),
    ("the_environment_is_read_in_settings", API, "from os import environ", "from os import getpid"),
    ("log_events_have_constant_names", API, "log.info(f'sent {n}')", "log.info('sent', n=n)"),
    ("log_events_have_constant_names", API, "self._log.error('sent ' + n)", "self._log.error(SENT, n=n)"),
    ("log_events_have_constant_names", API, "log.warning('It went wrong')", "log.warning('went_wrong')"),
    ("only_commands_print", API, "print('x')", "log.info('x')"),
    ("errors_are_caught_by_name", API, "try: f()\nexcept Exception: g()", "try: f()\nexcept OSError: g()"),
    ("errors_are_caught_by_name", API, "try: f()\nexcept: g()", "try: f()\nexcept Exception:\n  g()\n  raise"),
    ("errors_are_caught_by_name", API, "try: f()\nexcept (OSError, BaseException): g()", None),
    ("decisions_get_the_time_passed_in", PURE, "def f(): return datetime.now(UTC)", "def f(now): return now"),
    ("nothing_happens_at_import", API, "x = open('a')", "def f(): return open('a')"),
    ("nothing_happens_at_import", API, "class A:\n  x = Path('a').read_text()", "x = lambda: open('a')"),
    ("nothing_happens_at_import", API, "def f(x=open('a')): ...", "if __name__ == '__main__': asyncio.run(f())"),
    ("work_is_done_or_not_begun", API, "x = 1  # TODO: more", "x = 'TODO'  # a word that people write"),
    ("work_is_done_or_not_begun", API, "def f(): raise NotImplementedError", None),
    ("modules_are_short", API, "x = 1\n" * 401, "x = 1\n" * 400),
    ("functions_are_short", API, LONG_BODY, FITTING_BODY),
    ("functions_take_few_parameters", API, "def f(a, b, c, d, *, e, f, g, h): ...", "def f(self, a, b, c, d, *, e, f, g): ..."),
    ("sql_stands_in_stores", API, "x = 'select id from message'", "x = 'Delete the message instead.'"),
    ("sql_stands_in_stores", API, 'x = """\nINSERT INTO message\nvalues ($1)"""', 'def f():\n  """create table as in the store"""'),
    ("sql_stands_in_stores", API, "x = f'update {t} set a = 1'", "x = f'update of {t}'"),
    ("sql_stands_in_stores", API, "x = 'with a as (select 1) select * from a'", "x = 'with a reason'"),
    ("statements_get_values_as_parameters", STORE, "x = f'select * from a where b = {b}'", "x = f'select {COLUMNS} from a where b = $1'"),
    ("statements_get_values_as_parameters", STORE, "x = 'select * from a where b = %s' % b", "x = 'select 1 ' + TAIL"),
    ("statements_get_values_as_parameters", STORE, "x = 'select {}'.format(b)", None),
    ("migrations_only_expand", MIGRATION, "alter table a drop column b;", "alter table a add column b text;"),
    ("migrations_only_expand", MIGRATION, "alter table a rename column b to c;", "comment on table a is 'drop table b';"),
    ("migrations_only_expand", MIGRATION, "alter table a alter column b type bigint;", "-- drop table a\nselect 1;"),
    ("migrations_only_expand", MIGRATION, "alter table a alter b set not null;", "alter table a alter b drop not null;"),
    ("migrations_only_expand", MIGRATION, "alter table a add column b int not null;", "alter table a add column b int not null default 0;"),
    ("revisions_rise", MIGRATION.replace(".sql", ".py"), 'revision = "0003"', 'revision = "0002"'),
    ("revisions_rise", MIGRATION.replace(".sql", ".py"), 'down_revision = "0003"', 'down_revision = "0001"'),
    ("migrations_only_expand", MIGRATION.replace(".sql", ".py"), "op.drop_column('a', 'b')", "op.execute('create table a (b int not null)')"),
    ("tests_use_the_real_parts", TEST, "from unittest.mock import Mock", "import pytest"),
    ("tests_use_the_real_parts", TEST, "from unittest import mock", "from unittest import TestCase"),
    ("tests_use_the_real_parts", TEST, "def test_x(monkeypatch): monkeypatch.setattr(a, 'b', 1)", "def test_x(monkeypatch): monkeypatch.setenv('A', '1')"),
    ("tests_use_the_real_parts", TEST, "def test_x(mocker): ...", None),
    ("tests_wait_for_conditions", TEST, "async def test_x(): await asyncio.sleep(0.1)", "async def test_x(): await asyncio.sleep(0)"),
    ("tests_wait_for_conditions", TEST, "PAUSE = 2\ndef test_x(): time.sleep(PAUSE)", "def test_x(): sleep(pause)"),
    ("every_test_runs", TEST, "@pytest.mark.skipif(True)\ndef test_x(): ...", "@pytest.mark.timeout(9)\ndef test_x(): ..."),
    ("every_test_runs", TEST, "def test_x(): pytest.skip('no')", "def test_x(): pytest.fail('no')"),
    ("every_test_runs", TEST, "from pytest import importorskip", "from pytest import raises"),
    ("suppressions_name_their_warning", API, "x = 1  # noqa", "x = 1  # noqa: S105 - no secret"),
    ("suppressions_name_their_warning", API, "x = 1  # type: ignore", "x = 1  # type: ignore[misc]  # it is frozen"),
    ("suppressions_give_their_reason", API, "x = 1  # noqa: S105, S106", "# it is no secret\nx = 1  # noqa: S105"),
    ("suppressions_give_their_reason", API, "x = 1  # type: ignore[misc]  # noqa: S105", None),
    ("no_package_index_is_named", "deploy/install.sh", "pip install --index" + "-url x", "pip install x"),
    ("no_package_index_is_named", "docs/a.md", "https://pypi." + "org/simple", "https://example.org/project/chatsdk"),
    ("no_package_index_is_named", "deploy/Dockerfile", "deb http://deb.debian." + "org/debian", "apt-get install x"),
    ("no_package_index_is_named", "uv.lock", "", None),
    ("no_path_of_one_machine", "docs/a.md", "cd /" + "work/main", "cd ~/work/chat, see docs/work/a"),
]  # fmt: skip


@pytest.fixture(scope="module")
def repository() -> list[Source]:
    return repository_files()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_keeps_the_rule(rule: Rule, repository: list[Source]) -> None:
    found = findings(rule, repository)

    kept = []
    for path in sorted({one.path for one in found}):
        here = [one for one in found if one.path == path]
        allowed, _reason = EXCEPTIONS.get((rule.__name__, path), (0, ""))
        if len(here) > allowed:
            kept += here
    assert not kept, "\n".join([f"prevents: {rule.__doc__}", *map(str, kept)])


def test_modules_over_the_soft_limit_are_told(
    repository: list[Source], capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    over = modules_over_the_soft_limit(repository)

    if over:
        with capsys.disabled():
            told = f"over {SOFT_MODULE_LINES} lines, part at the next occasion: {', '.join(over)}"
            pytestconfig.get_terminal_writer().write(f"\n{told}\n")
    assert modules_over_the_soft_limit([Source(API, "x = 1\n" * 251)]) == [f"{API} (251)"]
    assert not modules_over_the_soft_limit([Source(API, "x = 1\n" * 250)])


@pytest.mark.parametrize(("name", "path"), EXCEPTIONS, ids=str)
def test_an_exception_is_as_small_as_it_can_be(name: str, path: str, repository: list[Source]) -> None:
    allowed, reason = EXCEPTIONS[name, path]

    found = findings(BY_NAME[name], [source for source in repository if source.path == path])

    assert len(found) == allowed, "lower the number, or remove the entry"
    assert reason


@pytest.mark.parametrize(("name", "path", "bad", "good"), PLANTED)
def test_the_rule_sees_a_planted_violation_and_nothing_else(
    name: str, path: str, bad: str, good: str | None
) -> None:
    rule = BY_NAME[name]

    assert list(rule(Source(path, bad)))
    if good is not None:
        assert not list(rule(Source(path, good)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_names_its_bug_and_has_been_seen_to_fail(rule: Rule) -> None:
    assert (rule.__doc__ or "").startswith("Prevents ")
    assert rule.__name__ in {name for name, *_rest in PLANTED}


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("sql_stands_in_stores", STORE, "x = 'select id from message'"),
        ("sql_stands_in_stores", TEST, "x = 'select id from message'"),
        ("the_environment_is_read_in_settings", "services/chat/chat_service/settings.py", "os.environ"),
        ("only_commands_print", "services/chat/chat_service/admin/cli.py", "print('x')"),
        ("only_commands_print", "tests/bench/table.py", "print('x')"),
        ("migrations_only_expand", CONTRACT, "alter table a drop column b;"),
        ("tests_wait_for_conditions", "tests/waiting.py", "time.sleep(0.1)"),
    ],
)
def test_the_rule_lets_the_named_places_do_it(name: str, path: str, text: str) -> None:
    assert not list(BY_NAME[name](Source(path, text)))
