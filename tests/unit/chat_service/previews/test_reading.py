"""What a page says of itself, however badly it says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.previews.reading import preview_of
from chatsdk_contracts.messages import LinkPreview

LINK, PAGE = "https://example.com/short", "https://example.com/a/page.html"
HTML = "text/html; charset=utf-8"


def preview(body: str | bytes, content_type: str = HTML) -> LinkPreview | None:
    return preview_of(LINK, PAGE, content_type, body.encode() if isinstance(body, str) else body)


def test_open_graph_comes_before_the_page_s_own_words() -> None:
    page = """<!doctype html><html><head><title>Own title</title>
        <meta name="description" content="Own words">
        <META PROPERTY="og:title" CONTENT="Tom &amp; Jerry">
        <meta property='og:description' content='Cat,
            mouse'><meta property="og:site_name" content="Cartoons">
        <meta property="og:image" content="../pic.png"></head><body>"""
    assert preview(page) == LinkPreview(
        url=LINK,
        title="Tom & Jerry",
        description="Cat, mouse",
        image_url="https://example.com/pic.png",
        site_name="Cartoons",
    )


def test_long_scripts_and_styles_stand_in_nobodys_way() -> None:
    page = f"<SCRIPT x>{'<meta>' * 9_000}</script ><style>{'a{}' * 9_000}</STYLE><title>Found</title><script>"
    found = preview(page)
    assert found is not None
    assert found.title == "Found"


def test_without_open_graph_the_title_and_the_description_are_shown() -> None:
    page = "<title> A\n title </title><meta name=description content='Words'>"
    assert preview(page) == LinkPreview(url=LINK, title="A title", description="Words")


@pytest.mark.parametrize(
    "page",
    [
        "",
        "plain words",
        "<body><title>too late</title>",
        "<head></head><title>too late</title>",
        "<script>document.write('<title>no</title>')</script>",
        "<title></title><meta property=og:title content='  '>",
        "<meta property=og:site_name content='A name alone'>",
    ],
)
def test_a_page_that_says_nothing_of_itself_has_no_preview(page: str) -> None:
    assert preview(page) is None


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("https://cdn.example/x.png", "https://cdn.example/x.png"),
        ("//cdn.example/x.png", "https://cdn.example/x.png"),
        ("javascript:alert(1)", None),
        ("data:image/png;base64,AAAA", None),
        ("file:///etc/passwd", None),
        ("https://x.example/" + "x" * 3_000, None),
        ("http://[broken", None),
        ("https://x.example/a b", None),
    ],
)
def test_an_image_has_an_address_of_the_web_or_none(image: str, shown: str | None) -> None:
    found = preview(f"<title>t</title><meta property=og:image content='{image}'>")
    assert found is not None
    assert found.image_url == shown


def test_what_is_shown_is_bounded_and_storable() -> None:
    page = f"<title>{'t' * 5_000}\0</title><meta name=description content='{'d ' * 5_000}\0\x07'>"
    found = preview(page)
    assert found is not None
    assert found.title == "t" * 300
    assert found.description is not None
    assert len(found.description) <= 1_000
    assert "\0" not in found.description


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<title>Grüße</title>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("<meta charset='windows-1252'><title>Grüße</title>".encode("cp1252"), "text/html"),
        ("<title>Grüße</title>".encode(), "text/html; charset=unheard-of"),
        ("<title>Grüße</title>".encode(), "text/html; charset=hex"),
    ],
)
def test_the_encoding_is_taken_from_the_head_or_the_page(body: bytes, content_type: str) -> None:
    found = preview(body, content_type)
    assert found is not None
    assert found.title == "Grüße"


@given(st.binary(max_size=400), st.text(max_size=40))
def test_any_bytes_are_read_without_an_error(body: bytes, content_type: str) -> None:
    preview(b"<head><title>t" + body, content_type)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<!--",
        "<!",
        "<?",
        "&",
        "&#",
        "<a b='",
        "<title>",
        "</",
        "<![CDATA[",
        "<script>",
        "<script></script>",
        "<a/",
    ],
)
def test_no_page_takes_long(piece: str) -> None:
    preview(piece * (262_144 // len(piece)))
