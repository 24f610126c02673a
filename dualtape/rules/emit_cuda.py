"""The rule table as CUDA C++: device functions, templates of the element type, for kernels of CuPy's.

Only rows whose text comes down to functions that CUDA has are emitted; the others are computed by the functions of the
array library, one after the other.
"""

import ast
import functools

from .emit_c import index_name
from .grammar import parse
from .rule import CONSTANTS
from .table import BY_NAME, RULES

__all__ = ["adjoint_names", "has_adjoint", "preamble", "program"]

# CUDA's functions of rows that are themselves primitives; those of the same name are left out.
_CUDA = {
    "abs": "fabs", "round": "rint", "gamma": "tgamma", "i0": "cyl_bessel_i0", "i1": "cyl_bessel_i1",
    "ndtr": "normcdf", "ndtri": "normcdfinv",
}  # fmt: skip
_SAME = set(
    """
    pow sqrt cbrt hypot exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
    atanh fmod copysign floor ceil trunc erf erfc lgamma j0 j1 y0 y1 erfinv erfcinv
    """.split()
)
# Rows whose C is a function of ours, as CUDA.
_OWN = {
    "mod": "T r = fmod(x, y); return r != T(0) && (r < T(0)) != (y < T(0)) ? r + y : copysign(r, r == T(0) ? y : r);",
    "sign": "return x != x ? x : T((x > T(0)) - (x < T(0)));",
    "floordiv": "return floor(x / y);",
    "gauss": "return exp(-x * x);",
    "normal_density": "return exp(T(-0.5) * x * x) / T(2.5066282746310002);",
    "asinh_slope": "return fabs(x) > T(1e8) ? T(1) / fabs(x) : T(1) / sqrt(x * x + T(1));",
}
_TIMES = """\
#define DT_INF __longlong_as_double(0x7ff0000000000000ULL)
#define DT_NAN __longlong_as_double(0x7ff8000000000000ULL)
// A product of the chain rule: zero where a factor is exactly zero.
template <typename T> __device__ inline T dt_times(T a, T b) {
    T p = a * b;
    return p != p && (a == T(0) || b == T(0)) ? T(0) : p;
}
"""


def _calls(text):
    return {
        node.func.id
        for node in ast.walk(ast.parse(text, mode="eval"))
        if isinstance(node, ast.Call) and node.func.id != "where"
    }


@functools.cache
def _is_there(name):
    """Whether a row comes down to what CUDA has."""
    rule = BY_NAME[name]
    if name in _SAME or name in _CUDA or name in _OWN:
        return True
    return not rule.primitive and not rule.kernel and all(map(_is_there, _calls(rule.value)))


@functools.cache
def has_adjoint(name, k):
    """Whether a partial derivative of a row is emitted."""
    text = BY_NAME[name].partials[k]
    return text is not None and not BY_NAME[name].constant and all(map(_is_there, _calls(text)))


def adjoint_names(rules=RULES):
    """The rows and places of all partial derivatives that are emitted."""
    return [(rule.name, k) for rule in rules for k in range(rule.arity) if has_adjoint(rule.name, k)]


def _cuda(node):
    match node:
        case ast.Constant(value=value):
            return f"T({value!r})"
        case ast.Name(id="INF"):
            return "T(DT_INF)"
        case ast.Name(id="NAN"):
            return "T(DT_NAN)"
        case ast.Name(id=name):
            return f"T({CONSTANTS[name]!r})" if name in CONSTANTS else name
        case ast.UnaryOp(operand=operand):
            return f"(-{_cuda(operand)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(op)]
            return f"({_cuda(left)} {sign} {_cuda(right)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            signs = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
            return f"({_cuda(left)} {signs[type(op)]} {_cuda(right)})"
        case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
            return f"({_cuda(condition)} ? {_cuda(a)} : {_cuda(b)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            own = _CUDA.get(name, name) if name in _CUDA or name in _SAME else f"dt_{name}"
            return f"{own}({', '.join(map(_cuda, args))})"
    raise AssertionError(ast.dump(node))


def _expression(text, names):
    return _cuda(parse(text, names, BY_NAME))


def _value(rule):
    arguments = ", ".join(f"T {name}" for name in rule.args)
    body = _OWN.get(rule.name) or f"return {_expression(rule.value, rule.args)};"
    return f"template <typename T> __device__ inline T dt_{rule.name}({arguments}) {{ {body} }}"


@functools.cache
def preamble(name, k):
    """The device functions of one partial derivative: `dt_<row>_d<argument>` of the arguments and the result.

    Parameters
    ----------
    name : str
        The row.
    k : int
        The argument.

    Returns
    -------
    str

    Examples
    --------
    >>> print(preamble("tanh", 0).splitlines()[-1])
    template <typename T> __device__ inline T dt_tanh_dx(T x, T out) { return dt_sech2(x); }
    """
    rule = BY_NAME[name]
    needed = []

    def need(row):
        if row not in needed and row not in _SAME and row not in _CUDA:
            for other in () if row in _OWN else sorted(_calls(BY_NAME[row].value)):
                need(other)
            needed.append(row)

    for row in sorted(_calls(rule.partials[k])):
        need(row)
    arguments = ", ".join(f"T {a}" for a in (*rule.args, "out"))
    own = f"template <typename T> __device__ inline T dt_{name}_d{rule.args[k]}({arguments}) "
    own += f"{{ return {_expression(rule.partials[k], (*rule.args, 'out'))}; }}"
    return "\n".join([_TIMES, *[_value(BY_NAME[row]) for row in needed], own])


def program(name, k, kind="double"):
    """A whole program around one partial derivative, as compilers that know no CuPy take it.

    Parameters
    ----------
    name : str
        The row.
    k : int
        The argument.
    kind : {"double", "float"}

    Returns
    -------
    str
    """
    rule = BY_NAME[name]
    letters = [f"const {kind} *{a}s" for a in (*rule.args, "out")]
    values = ", ".join(f"{a}s[i]" for a in (*rule.args, "out"))
    return "\n".join(
        [
            preamble(name, k),
            f'extern "C" __global__ void {index_name(name).lower()}_d{rule.args[k]}'
            f"(int n, const {kind} *bars, {', '.join(letters)}, {kind} *slopes) {{",
            "    int i = blockIdx.x * blockDim.x + threadIdx.x;",
            f"    if (i < n) slopes[i] = dt_times(bars[i], dt_{name}_d{rule.args[k]}<{kind}>({values}));",
            "}",
        ]
    )
