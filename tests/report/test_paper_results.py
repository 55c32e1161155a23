from importlib import resources

import pytest

from deeppose.report.paper_results import LIMB_KINDS, paper_results, paper_rows


def test_the_file_says_whose_numbers_it_holds():
    text = resources.files("deeppose.report").joinpath("paper_results.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith("# Tables 1 and 2 of Toshev and Szegedy (CVPR 2014)")


def test_table_1_as_published():
    rows = paper_rows("lsp").set_index("method")
    assert rows.loc["DeepPose-st1", [*LIMB_KINDS, "ave"]].tolist() == [0.50, 0.27, 0.74, 0.65, 0.54]
    assert rows.loc["DeepPose-st3", [*LIMB_KINDS, "ave"]].tolist() == [0.56, 0.38, 0.77, 0.71, 0.61]
    assert rows.loc["Wang et al.", [*LIMB_KINDS, "ave"]].tolist() == [0.565, 0.37, 0.76, 0.68, 0.59]
    assert rows.index[rows["pcp"] == "loose"].tolist() == ["Tian et al.", "Wang et al."]
    assert rows.index[rows["labels"] == "person-centric"].tolist() == ["Pishchulin"]
    assert len(rows) == 8


def test_table_2_as_published():
    rows = paper_rows("parse").set_index("method")
    assert rows.loc["DeepPose", [*LIMB_KINDS, "ave"]].tolist() == [0.80, 0.75, 0.71, 0.50, 0.69]
    assert rows["note"].str.contains("swapped").all()
    assert len(rows) == 4


def test_only_the_averages_that_are_noted_are_off():
    # The published figures are rounded to 0.01, so a mean of four may differ by as much.
    results = paper_results()
    off = (results[list(LIMB_KINDS)].mean(axis=1) - results["ave"]).abs() > 0.0101
    assert results.loc[off, "method"].tolist() == ["Tian et al."]
    assert results.loc[off, "note"].str.contains("average").all()


@pytest.mark.parametrize("name", ["flic", "buffy"])
def test_sets_without_a_table_have_no_rows(name):
    assert paper_rows(name).empty
