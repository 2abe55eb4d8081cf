"""The query language, what it matches, and the marks."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.search.rules import SearchQuery, completions, highlight, parse_query
from chat_service.search.words import words_of


def query(text: str) -> SearchQuery:
    parsed = parse_query(text)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("typed", "tsquery"),
    [
        ("hello", "(('hello':*))"),
        ("hello world", "(('hello') & ('world':*))"),
        ('"hello world"', "(('hello' <-> 'world'))"),
        ('"hello wor', "(('hello' <-> 'wor'))"),
        ("a -b c", "(('a') & !('b') & ('c'))"),
        ('-"x y" z', "(!('x' <-> 'y') & ('z'))"),
        ("cat or dog food", "(('cat')) | (('dog') & ('food':*))"),
        ("cat OR -dog", "(('cat'))"),
        ("or cat", "(('cat':*))"),
        ("e-mail", "(('e' <-> 'mail':*))"),
        ("x'; drop --", "(('x') & ('drop'))"),
    ],
)
def test_what_was_typed_becomes_a_query(typed: str, tsquery: str) -> None:
    assert query(typed).tsquery == tsquery


@pytest.mark.parametrize("typed", ["", " ", "!?", "-", '""', "or", "-a", "-a or -b", '"'])
def test_what_looks_for_nothing_is_no_query(typed: str) -> None:
    assert parse_query(typed) is None


@pytest.mark.parametrize(
    ("typed", "text", "found"),
    [
        ("wor", "hello World", True),
        ('"wor"', "hello world", False),
        ("hello wor", "world, hello", True),
        ('"hello world"', "world hello", False),
        ("hello -world", "hello world", False),
        ("hello -worl", "hello world", True),
        ("cat or dog", "a dog", True),
        ("cafe", "Café", True),
        ("京都", "北京都", True),
        ("京北", "北京都", False),
        ("e-mail", "my e mail", True),
    ],
)
def test_a_text_is_found_or_not(typed: str, text: str, found: bool) -> None:
    assert query(typed).matches(words_of(text)) is found


@pytest.mark.parametrize(
    ("typed", "text", "marked"),
    [
        ("wor", "hello world", "hello <mark>world</mark>"),
        ("b", "<b> & b", "&lt;<mark>b</mark>&gt; &amp; <mark>b</mark>"),
        ("北京", "在北京。京", "在<mark>北京</mark>。京"),
        ("e-mail -x", "E-Mail", "<mark>E-Mail</mark>"),
        ("cat or dog", "dog cat", "<mark>dog</mark> <mark>cat</mark>"),
        ("a -b", '"a"', "&quot;<mark>a</mark>&quot;"),
    ],
)
def test_hits_are_marked_and_all_else_is_escaped(typed: str, text: str, marked: str) -> None:
    assert highlight(text, words_of(text), query(typed)) == marked


@given(st.text(max_size=60), st.text(max_size=20))
def test_a_marked_text_without_its_marks_is_the_text(text: str, typed: str) -> None:
    parsed = parse_query(typed)
    if parsed is not None:
        marked = highlight(text, words_of(text), parsed)
        assert html.unescape(re.sub("</?mark>", "", marked)) == html.unescape(html.escape(text))


@given(st.text(max_size=60))
def test_a_text_is_found_by_itself(text: str) -> None:
    parsed = parse_query(text.replace("-", " ").replace('"', " ").replace("or", ""))
    if parsed is not None:
        assert parsed.matches(words_of(text.replace("or", "")))


def test_words_that_go_on_are_suggested_most_frequent_first_as_they_are_written() -> None:
    texts = ["Café cafeteria", "café", "caf cave", "cafeteria"]
    assert completions("caf", texts, 5) == ["café", "cafeteria"]
    assert completions("ca", texts, 2) == ["café", "cafeteria"]
    assert completions("x", texts, 5) == []
