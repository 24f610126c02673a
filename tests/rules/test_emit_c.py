"""The emitted C."""

import dataclasses
import os
import re

import pytest

from dualtape.rules import emit_c
from dualtape.rules.grammar import RuleTextError, parse
from dualtape.rules.rule import Rule
from dualtape.rules.table import RULES, fingerprint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1/2", "float literal"),
        ("2 * x", "float literal"),
        ("True", "float literal"),
        ("'x'", "float literal"),
        ("x ** 2.0", "the same in C"),
        ("x // y", "the same in C"),
        ("x % y", "the same in C"),
        ("where(0.0 < x < 1.0, x, y)", "chained"),
        ("where(x, x, y)", "one comparison"),
        ("x < y", "common subset"),
        ("z", "unknown name"),
        ("sin(z)", "unknown name"),
        ("sine(x)", "no row"),
        ("sin(x, y)", "takes 1"),
        ("sin(x=x)", "common subset"),
        ("x.real", "common subset"),
        ("x[0.0]", "common subset"),
        ("x if x else y", "common subset"),
        ("not x", "common subset"),
        ("+x", "common subset"),
        ("x and y", "common subset"),
        ("lambda: x", "common subset"),
        ("where(x < y, x)", "takes 3"),
        ("x +", "no expression"),
    ],
)
def test_what_c_reads_differently_is_rejected(text, why):
    with pytest.raises(RuleTextError, match=why):
        emit_c.expression(text, ["x", "y"])


def test_expressions():
    assert emit_c.expression("-x + 2.0 * y", ["x", "y"]) == "((-x) + (2.0 * y))"
    assert emit_c.expression("abs(gamma(x))", ["x"]) == "fabs(tgamma(x))"
    assert emit_c.expression("where(x != INF, sigmoid(x), NAN)", ["x"]) == "((x != INFINITY) ? dt_sigmoid(x) : NAN)"
    assert emit_c.expression("1e-300", []) == "1e-300"


def test_a_row_with_bad_text_cannot_be_emitted():
    bad = Rule("bad", ("x",), "x ** 2.0", ("2 * x",), ((0.0, 1.0),), "x * x")
    with pytest.raises(RuleTextError):
        emit_c.source([*RULES, bad])


def test_unchanged_text_is_not_written_again(tmp_path):
    directory = tmp_path / "generated"
    assert sorted(path.name for path in emit_c.write(directory)) == ["dualtape_kernels.c", "dualtape_rules.h"]
    for path in directory.iterdir():
        os.utime(path, (1, 1))
    assert emit_c.write(directory) == []
    assert all(path.stat().st_mtime == 1 for path in directory.iterdir())
    (directory / emit_c.SOURCE).write_text("stale")
    assert [path.name for path in emit_c.write(directory)] == [emit_c.SOURCE]
    assert (directory / emit_c.SOURCE).read_text() == emit_c.source()


def test_the_header_holds_what_the_core_relies_on():
    header = emit_c.header()
    names = re.search(r"enum \{\s*(DT_ADD = 0.*?)\}", header, re.S)[1].replace(" = 0", "").split(",")
    names = [name.strip() for name in names]
    assert names == [emit_c.index_name(rule.name) for rule in RULES] + ["DT_ROWS"]
    for name in ("add", "sub", "mul", "div", "pow"):
        for suffix in ("_dx", "_dy", "_dxx", "_dxy", "_dyy"):
            assert f"static inline double dt_{name}{suffix}(double x, double y, double out)" in header
        assert f"static inline double dt_{name}(double x, double y)" in header
    assert "static inline double dt_neg_dx(double x, double out)" in header


def test_flags():
    found = re.findall(r'\{"(\w+)", \d, ([^,]+),', emit_c.source())
    flags = {name: set(text.split(" | ")) - {"0"} for name, text in found}
    assert "DT_CONSTANT" in flags["floor"]
    assert flags["lgamma"] == {"DT_NEEDS_SCIPY", "DT_READS_X"}
    assert "DT_NEEDS_SCIPY" in flags["j0"]
    assert flags["ndtr"] == {"DT_READS_X", "DT_READS_OUT"} or flags["ndtr"] == {"DT_READS_X"}
    assert flags["add"] == flags["neg"] == set()
    assert flags["mul"] == {"DT_READS_X", "DT_READS_Y"}
    assert flags["exp"] == {"DT_READS_OUT"}
    assert flags["div"] >= {"DT_READS_Y", "DT_READS_OUT"}


def test_every_text_parses():
    rows = {rule.name: rule for rule in RULES}
    for rule in RULES:
        parse(rule.value, rule.args, rows)
        for text in rule.partials:
            if text is not None:
                parse(text, (*rule.args, "out"), rows)


def test_the_fingerprint_changes_with_the_table():
    changed = [*RULES[:-1], dataclasses.replace(RULES[-1], value="x")]
    assert len({fingerprint(), fingerprint(changed), fingerprint(RULES[:-1])}) == 3
    assert f"#define DT_FINGERPRINT {fingerprint()}u" in emit_c.header()
