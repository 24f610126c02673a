"""The rule table as C: a header for what the kernels inline, and a source with every row.

Second-order partials are derived from the text, not typed. The emitted functions follow IEEE 754
throughout: ``log(-1)`` is NaN, ``1/0`` is inf, nothing raises.
"""

import ast
from pathlib import Path

from .derive import second
from .grammar import parse
from .rule import CONSTANTS
from .table import BY_NAME, RULES, fingerprint

__all__ = ["HEADER", "SOURCE", "expression", "header", "index_name", "source", "write"]

HEADER = "dualtape_rules.h"
SOURCE = "dualtape_kernels.c"

# C functions that stand for SciPy's, which are loaded on first use.
_SCIPY = frozenset(
    f"dts_{name}"
    for name in (
        "digamma i0 i1 iv jv polygamma i0e i1e ive beta betaln gammainc gammaincc betainc hyp1f1 erfinv erfcinv ndtri "
        "erfcx_n yv k0 k1 kv"
    ).split()
)

# The value of x**y must be what Python's own float gives, which is libm's pow. Partials may take
# the short way for the exponents of squares and cubes.
_CALLS = {"pow": "dts_pow"}

_PLACES = {1: (0,), 2: (0, 1, 3), 3: (0, 1, 2, 3, 4, 5)}

_TYPES = """\
typedef struct {
    const char *name;
    int arity;
    int flags;
    double (*value)(double x, double y, double z);
    /* d[arity] */
    void (*partials)(double x, double y, double z, double out, double *d);
    /* d[arity] and the second partials h, total (through out as well), in the order xx xy xz yy yz zz:
     * arity 1 fills h[0], arity 2 fills h[0], h[1], h[3]. */
    void (*second)(double x, double y, double z, double out, double *d, double *h);
    /* the partials at n points, each in an array of its own; what the row does not read may be NULL */
    void (*slopes)(long n, const double *x, const double *y, const double *z, const double *out, double *const *d);
} dt_row;

extern const dt_row dt_rows[DT_ROWS];
"""


def write(directory, rules=RULES):
    """Write the header and the source, each only when its text changed.

    Parameters
    ----------
    directory : path-like
        Where to write; made when missing.
    rules : sequence of Rule, optional
        The rows.

    Returns
    -------
    list of pathlib.Path
        The files whose text changed.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in ((HEADER, header(rules)), (SOURCE, source(rules))):
        path = directory / name
        # An unchanged file keeps its time stamp, and make-like builds do not compile again.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def index_name(name):
    """The name of a row in the C enumeration."""
    return "DT_" + name.upper()


def header(rules=RULES):
    """The text of the header: indices, the type of a row, and the hot rows as inline functions."""
    rows = {rule.name: rule for rule in rules}
    names = ",\n    ".join(index_name(rule.name) + (" = 0" if i == 0 else "") for i, rule in enumerate(rules))
    parts = [
        "/* Generated from the rule table; edit dualtape/rules/ instead. */",
        "#ifndef DUALTAPE_RULES_H\n#define DUALTAPE_RULES_H\n",
        '#include "special.h"\n',
        f"enum {{\n    {names},\n    DT_ROWS\n}};\n",
        f"#define DT_FINGERPRINT {fingerprint(rules)}u\n",
        "/* DT_READS_X ... DT_READS_OUT: what the derivatives of a row read, operands and result. */\n"
        "enum { DT_CONSTANT = 1, DT_NEEDS_SCIPY = 2, DT_READS_X = 4, DT_READS_Y = 8, DT_READS_Z = 16, "
        "DT_READS_OUT = 32 };\n",
        _TYPES,
    ]
    parts += [_value(rule, rows) for rule in rules if rule.hot]
    for rule in rules:
        if rule.hot:
            parts += _inline_partials(rule, rows)
    parts.append("\n#endif\n")
    return "\n".join(parts)


def source(rules=RULES):
    """The text of the C source: every row, and the table of function pointers."""
    rows = {rule.name: rule for rule in rules}
    cold = [rule for rule in rules if not rule.hot]
    parts = [
        "/* Generated from the rule table; edit dualtape/rules/ instead. */",
        '#include "dualtape_rules.h"\n',
        "\n".join(f"static double {_head(rule)};" for rule in cold),
        "",
    ]
    parts += [_value(rule, rows, inline="static inline") for rule in cold]
    for rule in rules:
        parts += _entries(rule, rows)
    entries = ",\n    ".join(
        f'{{"{rule.name}", {rule.arity}, {_flags(rule, rows)},'
        f" value_{rule.name}, partials_{rule.name}, second_{rule.name}, slopes_{rule.name}}}"
        for rule in rules
    )
    parts.append(f"const dt_row dt_rows[DT_ROWS] = {{\n    {entries}\n}};\n")
    return "\n".join(parts)


def expression(text, names, rows=BY_NAME):
    """Rule text as a C expression.

    Examples
    --------
    >>> expression("where(x > 0.0, sqrt(x), 2.0 * PI)", ["x"])
    '((x > 0.0) ? sqrt(x) : (2.0 * 3.141592653589793))'
    """
    return _c(parse(text, names, rows), rows)


def _c(node, rows, override=_CALLS):
    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Name(id=name):
            if name in ("INF", "NAN"):
                return {"INF": "INFINITY", "NAN": "NAN"}[name]
            return repr(CONSTANTS[name]) if name in CONSTANTS else name
        case ast.UnaryOp(operand=operand):
            return f"(-{_c(operand, rows)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(op)]
            return f"({_c(left, rows)} {sign} {_c(right, rows)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            signs = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
            return f"({_c(left, rows)} {signs[type(op)]} {_c(right, rows)})"
        case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
            return f"({_c(condition, rows)} ? {_c(a, rows)} : {_c(b, rows)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{_function(name, rows)}({', '.join(_c(argument, rows) for argument in args)})"
    raise AssertionError(ast.dump(node))


def _function(name, rows):
    """The C function that a call of a row becomes."""
    rule = rows[name]
    if name in _CALLS:
        return _CALLS[name]
    if rule.kernel:
        return rule.kernel
    return name if rule.primitive else f"dt_{name}"


def _head(rule):
    return f"dt_{rule.name}({', '.join(f'double {name}' for name in rule.args)})"


def _value(rule, rows, inline="static inline"):
    parse(rule.value, rule.args, rows)
    if rule.kernel or rule.primitive:
        body = f"{rule.kernel or rule.name}({', '.join(rule.args)})"
    else:
        body = expression(rule.value, rule.args, rows)
    return f"{inline} double {_head(rule)} {{ return {body}; }}"


def _partial(rule, i, rows):
    """A first partial as a C expression. An order has none, and is never a variable: 0."""
    text = rule.partials[i]
    return "0.0" if text is None else expression(text, (*rule.args, "out"), rows)


def _second(rule, i, j, rows):
    text = second(rule, i, j, rows)
    return "0.0" if text is None else expression(text, (*rule.args, "out"), rows)


def _pairs(rule):
    return [(i, j) for i in range(rule.arity) for j in range(i, rule.arity)]


def _inline_partials(rule, rows):
    arguments = ", ".join(f"double {name}" for name in (*rule.args, "out"))
    for i, a in enumerate(rule.args):
        yield f"static inline double dt_{rule.name}_d{a}({arguments}) {{ return {_partial(rule, i, rows)}; }}"
    for i, j in _pairs(rule):
        name = f"dt_{rule.name}_d{rule.args[i]}{rule.args[j]}"
        yield f"static inline double {name}({arguments}) {{ return {_second(rule, i, j, rows)}; }}"


def _entries(rule, rows):
    """The three functions of a row's entry in the table."""
    spare = [f"unused_{k}" for k in range(3 - rule.arity)]
    three = ", ".join(f"double {name}" for name in (*rule.args, *spare))
    first = [f"    d[{i}] = {_partial(rule, i, rows)};" for i in range(rule.arity)]
    places = _PLACES[rule.arity]
    rest = [
        f"    h[{place}] = {_second(rule, i, j, rows)};" for place, (i, j) in zip(places, _pairs(rule), strict=True)
    ]
    yield f"static double value_{rule.name}({three}) {{ return dt_{rule.name}({', '.join(rule.args)}); }}"
    yield "\n".join([f"static void partials_{rule.name}({three}, double out, double *d) {{", *first, "}"])
    yield "\n".join(
        [
            f"static void second_{rule.name}({three}, double out, double *d, double *h) {{",
            *first,
            *rest,
            "}",
        ]
    )
    yield _slopes(rule, rows)


def _slopes(rule, rows):
    """The loop over points: the compiler turns it into vector instructions where the text is arithmetic alone."""
    letters = ("x", "y", "z")
    read = _read(rule, rows, second_too=False)
    loads = [
        f"const double {name} = {'outs' if name == 'out' else letters[rule.args.index(name)] + 's'}[i];"
        for name in (*rule.args, "out")
        if name in read
    ]
    stores = [f"d{i}[i] = {_partial(rule, i, rows)};" for i in range(rule.arity)]
    places = " ".join(f"double *restrict d{i} = d[{i}];" for i in range(rule.arity))
    head = "long n, const double *xs, const double *ys, const double *zs, const double *outs, double *const *d"
    return "\n".join(
        [
            f"static void slopes_{rule.name}({head}) {{",
            f"    {places}",
            f"    for (long i = 0; i < n; i++) {{ {' '.join(loads + stores)} }}",
            "}",
            "",
        ]
    )


def _read(rule, rows, second_too=True):
    """The names that the derivatives of a row read."""
    texts = [text for text in rule.partials if text is not None]
    if second_too:
        texts += [text for i, j in _pairs(rule) if (text := second(rule, i, j, rows)) is not None]
    names = set()
    for text in texts:
        tree = parse(text, (*rule.args, "out"), rows)
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names & {*rule.args, "out"}


def _flags(rule, rows):
    flags = ["DT_CONSTANT"] * rule.constant + ["DT_NEEDS_SCIPY"] * _needs_scipy(rule, rows)
    read = _read(rule, rows)
    flags += [f"DT_READS_{letter}" for letter, name in zip("XYZ", rule.args, strict=False) if name in read]
    flags += ["DT_READS_OUT"] * ("out" in read)
    return " | ".join(flags) or "0"


def _needs_scipy(rule, rows):
    """Whether the value, a partial or a second partial calls one of SciPy's functions."""
    texts = [rule.value, *rule.partials, *(second(rule, i, j, rows) for i, j in _pairs(rule))]
    seen, queue = {rule.name}, [text for text in texts if text is not None]
    while queue:
        for node in ast.walk(ast.parse(queue.pop(), mode="eval")):
            if isinstance(node, ast.Call) and node.func.id != "where" and node.func.id not in seen:
                seen.add(node.func.id)
                queue.append(rows[node.func.id].value)
    return any(rows[name].kernel in _SCIPY for name in seen)
