"""The rule table as a page of the documentation."""

__all__ = ["markdown_table"]

_INTRODUCTION = """\
Each row is one elementwise function. `out` is the result; `where(c, a, b)` is a if c holds, else b. All else follows
from these rows: the compiled kernels, second derivatives (derived from the text), the rules for boxed numbers, and the
tests. Under *points* stand arguments with an agreed answer: value; partial derivatives.
"""
_HEAD = (
    "| function | value | partial derivatives | sampled from | points | ufuncs |",
    "|-|-|-|-|-|-|",
)


def markdown_table(rules):
    """The rules as Markdown: the public functions, then the functions that only derivatives need.

    Parameters
    ----------
    rules : sequence of Rule
        The rows.

    Returns
    -------
    str
        Markdown, with a heading of the second level for each of the two tables.
    """
    public = [rule for rule in rules if not rule.helper]
    helpers = [rule for rule in rules if rule.helper]
    parts = [_INTRODUCTION]
    for title, rows in (("Functions", public), ("What their derivatives need, and functions of an order", helpers)):
        if rows:
            parts.append("\n".join([f"## {title}\n", *_HEAD, *map(_row, rows)]) + "\n")
    return "\n".join(parts)


def _row(rule):
    names = ", ".join(f"`{name}`" for name in (rule.name, *rule.aliases))
    title = f"{names} ({', '.join(rule.args)}): {rule.doc}" if rule.doc else f"{names} ({', '.join(rule.args)})"
    if rule.constant:
        partials = "0: piecewise constant, gives plain numbers"
    else:
        partials = "<br>".join(
            f"d/d{name} = {'none: an order' if text is None else _code(text)}"
            for name, text in zip(rule.args, rule.partials, strict=True)
        )
    value = "" if rule.primitive else _code(rule.value)
    if rule.operator:
        value = f"{_code(_usage(rule))} {value}".strip()
    domain = "<br>".join(
        f"{name}: [{low:g}, {high:g}]" for name, (low, high) in zip(rule.args, rule.domain, strict=True)
    )
    points = "<br>".join(map(_special, rule.special))
    ufuncs = "<br>".join(f"`{name}`" for name in rule.ufuncs)
    return f"| {title} | {value} | {partials} | {domain} | {points} | {ufuncs} |"


def _usage(rule):
    """The row's operator as it is written: ``x + y``, ``-x``, ``abs(x)``."""
    if rule.operator.isalpha():
        return f"{rule.operator}({', '.join(rule.args)})"
    if rule.arity == 1:
        return rule.operator + rule.args[0]
    return f" {rule.operator} ".join(rule.args)


def _special(point):
    arguments = ", ".join(f"{x:g}" for x in point.args)
    value = "" if point.value is None else f"{point.value:g}"
    partials = ", ".join("any" if d is None else f"{d:g}" for d in point.partials)
    return f"({arguments}): {value}; {partials}"


def _code(text):
    # A bar would end the cell of a table.
    return "`" + text.replace("|", "\\|") + "`"
