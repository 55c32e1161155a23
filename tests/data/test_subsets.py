import re

import pytest

from deeppose.data.registry import ENTRIES, entry_named


@pytest.mark.parametrize(
    ("member", "belongs"),
    [
        ("images/buffy_s5e2/000001.jpg", True),
        ("images/buffy_s5e3/000002.jpg", False),
        ("Buffy V3/images/buffy_s5e6_original/000001.jpg", True),
        ("Buffy V3/images/buffy_s5e4_original/000001.jpg", False),
    ],
)
def test_the_customary_part_of_buffy_is_episodes_2_5_and_6(member, belongs):
    (pattern,) = entry_named("buffy").subsets.values()
    assert (re.fullmatch(pattern, member) is not None) == belongs


def test_no_other_set_has_parts():
    assert [entry.name for entry in ENTRIES if entry.subsets] == ["buffy", "buffy-confidence"]
