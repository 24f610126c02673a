"""The page of the documentation that shows the table."""

from dualtape.rules.document import markdown_table
from dualtape.rules.table import RULES


def test_every_row_is_one_line_with_six_cells():
    page = markdown_table(RULES)
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) == len(RULES)
    for line in lines:
        assert line.replace("\\|", "").count("|") == 7, line
    for rule in RULES:
        assert f"| `{rule.name}`" in page


def test_what_a_row_says():
    page = markdown_table(RULES)
    assert "d/dx = `0.5 / out`" in page
    assert "(0): 0; inf" in page
    assert "`scipy.special.expit`" in page
    assert "## Functions" in page and "## What their derivatives need" in page
