import json
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"


def test_the_notebook_runs_from_top_to_bottom(capsys):
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
            assert cell["outputs"] == [], "kept without outputs"
    printed = capsys.readouterr().out
    assert "left wrist" in printed
    assert "stage 3 moves" in printed
    assert len(names["people"]) == 1
    assert names["scored"]["n"] == len(names["poses"]) == 6
    assert 0 <= names["scored"]["pcp"]["ave"] <= 1
