import pytest
from project import ROOT

from deeppose.core.params_file import load_params
from deeppose.data.registry import PAPER_TEST_SETS
from deeppose.report.catalogue import (
    KINDS,
    PAPER_ENTRIES,
    PAPER_SETS,
    catalogue_of,
    counterpart_of,
    left_out_lines,
)
from deeppose.report.plots import MAKERS


def test_each_number_of_the_paper_has_one_place():
    headings = [entry.heading for of_set in PAPER_SETS.values() for entry in of_set.entries]
    numbered = sorted(heading for heading in headings if heading and "kind" not in heading)
    assert numbered == [*(f"Figure {number}" for number in range(3, 10)), "Table 1", "Table 2"]


def test_no_two_entries_share_a_file_and_the_file_names_number_and_set():
    entries = [(name, entry) for name, of_set in PAPER_SETS.items() for entry in of_set.entries]
    files = [entry.file for _, entry in entries]
    assert len(set(files)) == len(files)
    for name, entry in entries:
        assert name in entry.file.split("-")
        if entry.heading and "kind" not in entry.heading:
            assert entry.file.startswith(entry.heading.replace(" ", "").lower() + "-")


def test_what_the_paper_shows_has_a_counterpart():
    for shown in PAPER_ENTRIES:
        of_set, entry = counterpart_of(shown.heading)
        assert entry in of_set.entries
        assert entry.heading == shown.heading


def test_the_model_of_a_set_is_tested_on_it():
    models = load_params(ROOT / "params.yaml").model
    for name, of_set in PAPER_SETS.items():
        assert name in models[of_set.model].test


def test_every_set_has_a_pdj_table_or_is_a_part_of_one_that_has():
    parts = {part for of_set in PAPER_SETS.values() for part in of_set.parts}
    for name, of_set in PAPER_SETS.items():
        if of_set.entries:
            assert of_set.pdj_table.file == f"pdj-{name}"
        else:
            assert name in parts


def test_a_set_of_ones_own_gets_tables_curves_and_pictures():
    assert [(entry.folder, entry.file) for entry in catalogue_of("mine").entries] == [
        ("tables", "pcp-mine"),
        ("tables", "pdj-mine"),
        ("figures", "pdj-mine-by-stage"),
        ("photos", "poses-mine-by-stage"),
        ("photos", "poses-mine"),
        ("tables", "refinements-mine"),
        ("photos", "worst-poses-mine"),
        ("figures", "risk-mine"),
    ]


def test_titles_stand_under_the_papers_number():
    table, pdj, _ = catalogue_of("parse").entries
    assert table.titled("PCP") == "Table 2: PCP"
    assert pdj.titled("PDJ") == "PDJ"
    assert pdj.titled("poses") == "Poses"


@pytest.mark.parametrize(
    ("present", "lines"),
    [
        (
            ["flic"],
            [
                f"{what} is left out: no Buffy"
                for what in ("pdj-buffy", "Figure 7 (figure7-pdj-buffy)", "risk-buffy")
            ],
        ),
        (["flic", "buffy"], []),
    ],
)
def test_what_is_left_out_is_named_with_the_reason(present, lines):
    assert left_out_lines({"buffy": "no Buffy"}, present) == lines


def test_every_kind_of_table_and_plot_of_a_set_is_made():
    kinds = {entry.kind for name in (*PAPER_SETS, "mine") for entry in catalogue_of(name).entries}
    assert {kind for kind in kinds if KINDS[kind].folder != "photos"} == set(MAKERS)


def test_the_sets_of_the_paper_are_those_of_the_registry():
    assert tuple(PAPER_SETS) == PAPER_TEST_SETS
