"""The documents say what is there: commands, links, folders, events of the walk and generated references."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import references

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "services/*/README.md", "shared/*/README.md")
    for path in ROOT.glob(pattern)
)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH_IN_CODE = re.compile(r"`((?:deploy|docs|services|shared|tests)(?:/[\w./-]+)?)`")


def _identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _make_commands(text: str) -> Iterator[str]:
    """The targets after `make` in inline code and in blocks to paste; not in prose."""
    for code in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^make .*$", text, re.MULTILINE)]:
        words = shlex.split(code, comments=True) if code.startswith("make ") else []
        yield from (word for word in words[1:] if "=" not in word)


@pytest.fixture(scope="module")
def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_identify)
def test_every_make_command_in_a_document_is_a_target(document: Path, targets: set[str]) -> None:
    assert set(_make_commands(document.read_text(encoding="utf-8"))) <= targets


def test_the_readme_names_the_commands_of_the_first_minutes() -> None:
    assert {"run", "stop", "test", "check"} <= set(_make_commands(README))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_identify)
def test_every_link_within_the_repository_resolves(document: Path) -> None:
    text = _FENCED.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in _LINK.findall(text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_identify)
def test_every_path_named_in_a_document_exists(document: Path) -> None:
    paths = _PATH_IN_CODE.findall(document.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_map_of_the_tree_names_folders_that_exist() -> None:
    section = README.split("## The tree", 1)[1].split("\n## ", 1)[0]
    names = re.findall(r"^\| (?:\[([\w/]+)\]|`([\w/]+)`)", section, re.MULTILINE)
    folders = [linked or plain for linked, plain in names]
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
    # And every package is on the map.
    packages = {_identify(path.parent) for path in ROOT.glob("s*/*/pyproject.toml")}
    assert packages <= set(folders)


def test_the_lines_to_paste_are_a_shell_script() -> None:
    block = next(block for block in _FENCED.findall(README) if "field()" in block)
    script = block.removeprefix("```sh\n").removesuffix("```")
    process = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_the_fault_points_of_the_architecture_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py"))
    reached = set(re.findall(r'\.reached\("([\w.]+)"\)', code))
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paragraph = text.split("The named places", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`([a-z]+\.[a-z]+)`", paragraph)) == reached


def test_the_generated_references_do_not_drift() -> None:
    assert references.drift() == []


def test_drift_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "settings.md").write_text("something else", encoding="utf-8")
    problems = references.drift(tmp_path)
    assert problems[0].startswith("settings.md: differs")
    assert "openapi/chat.json: missing" in problems


def test_every_setting_is_described() -> None:
    for settings_class in references.SERVICES.values():
        fields = references.variables(settings_class)
        assert [name for name, field in fields.items() if not field.description] == []
