"""Finding phrases: what counts as the same, whole words, what is masked; against a slow search, and in linear time."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.wordlists.matching import SEVERITY, Action, Match, Matcher, Phrase, folded

ZERO_WIDTH = "\u200b"


def masking(*phrases: str, match: Match = "word") -> Matcher:
    return Matcher(Phrase(phrase, match, "mask") for phrase in phrases)


@pytest.mark.parametrize(
    ("phrase", "text", "masked"),
    [
        ("bad", "a bad day", "a *** day"),
        ("bad", "Bad, BAD!", "***, ***!"),
        ("bad", "badly embadded bad_", "badly embadded bad_"),
        ("bad", "bad1 1bad", "bad1 1bad"),
        ("bad word", "a bad \n\t word", "a ***********"),
        # What looks the same is the same: full width, mathematical letters, ligatures, sharp s.
        ("bad", "\uff42\uff41\uff44 \U0001d41b\U0001d41a\U0001d41d", "*** ***"),
        ("fish", "\ufb01sh", "***"),
        ("STRASSE", "Stra\xdfe", "******"),
        # Composed or not, and nothing that cannot be seen makes a difference.
        ("caf\xe9", "cafe\u0301", "*****"),
        ("cafe\u0301", "caf\xe9", "****"),
        ("bad", f"b{ZERO_WIDTH}a\u00add", "*****"),
        ("\u2764", "\u2764\ufe0f", "**"),
        # An accent makes another letter, and a vowel sign is part of its word.
        ("cafe", "caf\xe9", "caf\xe9"),
        ("हिन्द", "हिन्दी", "हिन्दी"),
        # A phrase of no letters has no word to be whole.
        ("$$$", "x$$$y", "x***y"),
        # The Turkish dotted capital is an i with a dot.
        ("i\u0307", "\u0130", "*"),
    ],
)
def test_whole_words_are_found_in_every_guise(phrase: str, text: str, masked: str) -> None:
    assert masking(phrase).look(text).text == masked


@pytest.mark.parametrize(
    ("phrase", "text", "masked"),
    [
        ("bad", "embadded", "em***ded"),
        ("aa", "aaaa", "****"),
        ("e", "\xe9e", "\xe9*"),
        # A syllable is found whole or not at all, also when it is written in letters.
        ("\uac00", "\uac01\uac00", "\uac01*"),
        (
            "\uac00",
            unicodedata.normalize("NFD", "\uac01\uac00"),
            unicodedata.normalize("NFD", "\uac01") + "**",
        ),
    ],
)
def test_substrings_are_found_inside_words_and_not_inside_letters(
    phrase: str, text: str, masked: str
) -> None:
    assert masking(phrase, match="substring").look(text).text == masked


@pytest.mark.parametrize(
    ("text", "action", "after"),
    [
        ("fine", None, "fine"),
        ("mask", "mask", "****"),
        ("hold mask", "hold", "hold ****"),
        ("mask reject hold", "reject", "**** reject hold"),
        # The longest phrase that masks, and the shorter one that holds, end at one place.
        ("please do not", "hold", "please do ***"),
    ],
)
def test_the_strictest_action_counts_and_masks_are_applied_all_the_same(
    text: str, action: Action | None, after: str
) -> None:
    phrases = [Phrase(name, "word", name) for name in ("mask", "hold", "reject")]
    found = Matcher([*phrases, Phrase("not", "word", "mask"), Phrase("do not", "word", "hold")]).look(text)
    assert (found.action, found.text) == (action, after)


@pytest.mark.parametrize("phrase", ["", ZERO_WIDTH, " \t", "\u00ad\ufe0f"])
def test_nothing_visible_is_no_phrase(phrase: str) -> None:
    assert folded(phrase) == ""
    assert masking(phrase).is_empty


def starred(before: str, after: str) -> set[int]:
    pairs = zip(before, after, strict=True)
    return {place for place, (one, other) in enumerate(pairs) if one != other}


LETTERS = st.text(st.sampled_from("abAB \u0301\xe1\u200bß"), max_size=12)
PHRASES = st.builds(
    Phrase,
    LETTERS.filter(folded),
    st.sampled_from(["word", "substring"]),
    st.sampled_from(["mask", "hold", "reject"]),
)


@given(st.lists(PHRASES, max_size=6), LETTERS)
def test_a_list_finds_what_its_phrases_find_alone(phrases: list[Phrase], text: str) -> None:
    alone = [Matcher([phrase]).look(text) for phrase in phrases]
    together = Matcher(phrases).look(text)

    strictest = max((found.action for found in alone), key=lambda one: SEVERITY[one], default=None)
    assert together.action == strictest
    if together.action != "reject":
        stars = set().union(*(starred(text, found.text) for found in alone))
        assert starred(text, together.text) == stars


# Neither side may reach into the other: a mark belongs to the letter before it.
APART = st.text(
    st.characters(
        exclude_categories=["M", "Cs"],
        exclude_characters=["\uff9e", "\uff9f", *map(chr, range(0x1160, 0x1200))],
    ),
    max_size=30,
)


@given(APART, APART.filter(folded), APART)
def test_a_phrase_is_found_wherever_it_stands_alone_and_the_length_stays(
    before: str, phrase: str, after: str
) -> None:
    text = f"{before}|{phrase}|{after}"
    found = masking(phrase).look(text)
    assert found.action == "mask"
    assert len(found.text) == len(text)


@given(st.text(max_size=30), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_form_of_a_text_makes_no_difference(text: str, form: str) -> None:
    other = unicodedata.normalize(form, text)  # type: ignore[arg-type]  # one of the four forms
    assert folded(f"|{other}|") == folded(f"|{text}|")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    ["a" * 20_000, "a " * 10_000, "ab" * 10_000, "a" + "\u0301\u0327" * 9_999, ZERO_WIDTH * 20_000],
    ids=["one letter", "words", "two letters", "marks", "invisible"],
)
def test_the_worst_list_and_the_worst_text_take_a_moment(text: str) -> None:
    phrases = [
        Phrase("a" * length, "word" if length % 2 else "substring", "hold" if length % 3 else "mask")
        for length in range(1, 101)
    ]
    phrases += [Phrase("a " * length, "word", "mask") for length in range(1, 51)]
    matcher = Matcher(phrases)
    for _ in range(3):
        matcher.look(text)
