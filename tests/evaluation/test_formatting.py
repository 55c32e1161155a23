import math

import numpy as np
import pytest

from deeppose.evaluation.formatting import difference_text, gain_text, published_text, rate_text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0005, "0.001"),
        (0.4875, "0.488"),
        (0.4865, "0.487"),
        (np.nextafter(0.4865, 0), "0.487"),
        (0.4864999, "0.486"),
        (2 / 3, "0.667"),
        (1, "1.000"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_half_is_rounded_up_whatever_the_last_bit(share, text):
    assert rate_text(share) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.61 - 0.4875, "+0.123"),
        (0.4875 - 0.61, "−0.123"),
        (0.3 - (0.1 + 0.2), "+0.000"),
        (-0.0004, "−0.000"),
        (math.nan, "–"),
    ],
)
def test_a_difference_has_its_sign_and_the_same_size_either_way(difference, text):
    assert difference_text(difference) == text


@pytest.mark.parametrize(("share", "text"), [(0.5, "0.50"), (0.565, "0.565"), (0.8, "0.80")])
def test_what_is_published_keeps_its_digits(share, text):
    assert published_text(share) == text


@pytest.mark.parametrize(
    ("pdj", "pcp", "text"),
    [
        (0.01, 0.02, "stage 2 improves on stage 1: PDJ at 0.1 +0.010, mean PCP +0.020"),
        (-0.01, 0.02, "stage 2 improves on stage 1 in mean PCP alone: PDJ at 0.1 −0.010, mean PCP +0.020"),
        (0.0, -0.02, "stage 2 does not improve on stage 1: PDJ at 0.1 +0.000, mean PCP −0.020"),
        (1e-17, 0.0004, "stage 2 does not improve on stage 1: PDJ at 0.1 +0.000, mean PCP +0.000"),
        (0.1, None, "stage 2 improves on stage 1 in PDJ at 0.1 alone: PDJ at 0.1 +0.100, mean PCP –"),
    ],
)
def test_a_stage_that_does_not_pay_is_named(pdj, pcp, text):
    assert gain_text(2, {"pdj@0.1": pdj, "pdj@0.2": 0.5, "pcp.ave": pcp}) == text
