import pytest
from project import ROOT

from deeppose.core.params import load_params
from deeppose.report.catalogue import OF_THE_PAPER, counterpart_of, exhibits_of, left_out_lines
from deeppose.report.paper_catalogue import PAPER_EXHIBITS


def test_each_number_of_the_paper_has_one_place():
    headings = [exhibit.heading for of_set in OF_THE_PAPER.values() for exhibit in of_set.exhibits]
    numbered = sorted(heading for heading in headings if heading and "kind" not in heading)
    assert numbered == [*(f"Figure {number}" for number in range(3, 10)), "Table 1", "Table 2"]


def test_no_two_exhibits_share_a_file_and_the_file_names_number_and_set():
    exhibits = [(name, exhibit) for name, of_set in OF_THE_PAPER.items() for exhibit in of_set.exhibits]
    files = [exhibit.file for _, exhibit in exhibits]
    assert len(set(files)) == len(files)
    for name, exhibit in exhibits:
        assert name in exhibit.file.split("-")
        if exhibit.heading and "kind" not in exhibit.heading:
            assert exhibit.file.startswith(exhibit.heading.replace(" ", "").lower() + "-")


def test_what_the_paper_shows_has_a_counterpart():
    for shown in PAPER_EXHIBITS:
        of_set, exhibit = counterpart_of(shown.heading)
        assert exhibit in of_set.exhibits
        assert exhibit.heading == shown.heading


def test_the_model_of_a_set_is_tested_on_it():
    models = load_params(ROOT / "params.yaml").model
    for name, of_set in OF_THE_PAPER.items():
        assert name in models[of_set.model].test


def test_every_set_has_a_table_of_pdj():
    for name, of_set in OF_THE_PAPER.items():
        assert of_set.table_of_pdj.file == f"pdj-{name}"


def test_a_set_of_ones_own_gets_tables_curves_and_pictures():
    assert [(exhibit.folder, exhibit.file) for exhibit in exhibits_of("mine").exhibits] == [
        ("tables", "pcp-mine"),
        ("tables", "pdj-mine"),
        ("figures", "pdj-mine-by-stage"),
        ("photos", "poses-mine-by-stage"),
        ("photos", "poses-mine"),
        ("photos", "worst-poses-mine"),
    ]


def test_titles_stand_under_the_papers_number():
    table, pdj = exhibits_of("parse").exhibits
    assert table.titled("PCP") == "Table 2: PCP"
    assert pdj.titled("PDJ") == "PDJ"
    assert pdj.titled("poses") == "Poses"


@pytest.mark.parametrize(
    ("present", "lines"),
    [
        (["flic"], ["pdj-buffy is left out: no Buffy", "Figure 7 (figure7-pdj-buffy) is left out: no Buffy"]),
        (["flic", "buffy"], []),
    ],
)
def test_what_is_left_out_is_named_with_the_reason(present, lines):
    assert left_out_lines({"buffy": "no Buffy"}, present) == lines
