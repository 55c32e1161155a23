"""Customary parts of test sets, told by the files of their images."""

import re

_SUBSETS = {
    # Episodes 2, 5 and 6 are the 276 frames on which most methods were measured.
    "buffy": {"buffy-276": re.compile(r"(?:[^/]+/)?images/buffy_s5e[256](?:_original)?/\d{6}\.jpg")},
}


def subsets_of(set_name: str) -> dict[str, re.Pattern[str]]:
    """The customary parts of a set's test part, by name: what the members of their images match."""
    return _SUBSETS.get(set_name, {})
