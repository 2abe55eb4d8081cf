"""What the first bytes of a file say that it is, by puremagic's table of signatures."""

from __future__ import annotations

import puremagic

HEAD_BYTES = 4_096
"""How much of a file's beginning is looked at."""

# Below it a match is a byte or two, which texts have by chance.
_LEAST_CONFIDENCE = 0.2


def sniff(head: bytes) -> list[str]:
    """The content types that a file may have that begins so, the likeliest first; empty when nothing is known."""
    if not head:
        return []
    try:
        matches = puremagic.magic_string(head[:HEAD_BYTES])
    except puremagic.PureError:
        return []
    likely = [
        match.mime_type for match in matches if match.mime_type and match.confidence >= _LEAST_CONFIDENCE
    ]
    return list(dict.fromkeys(likely))
