"""The rule table for boxed numbers: the same text, bound to Python functions.

The functions that the text calls come from the layer above, which registers one for each row with
`set_functions`; they take numbers of any kind, and values of an outer differentiation. Literals and
named constants come from the *leaf*, the namespace (see ``namespaces``) of the numbers underneath.
"""

import ast
import functools

from .grammar import parse
from .rule import CONSTANTS
from .table import BY_NAME

__all__ = [
    "functions",
    "on_arrays",
    "on_floats",
    "partial",
    "read_by_partials",
    "set_functions",
    "text_function",
    "value",
]

functions: dict = {}
"""The registered function of each row, by name; they take numbers of any kind."""


def set_functions(mapping):
    """Register the functions that rule text calls.

    Parameters
    ----------
    mapping : mapping of str to callable
        For each row its function of numbers of any kind. The function of ``div`` gives what IEEE 754
        gives for floats, where Python's operator raises.
    """
    functions.update(mapping)


@functools.cache
def value(rule):
    """The value of a row as a Python function.

    Parameters
    ----------
    rule : Rule
        The row.

    Returns
    -------
    callable
        ``f(leaf, *args)``. For a primitive, whose text says nothing but its own name, it raises
        TypeError: such a row is there only for the kinds whose namespace has it.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from .namespaces import namespace_of
    >>> x = Fraction(1, 3)
    >>> value(BY_NAME["square"])(namespace_of(x), x)
    Fraction(1, 9)
    """
    if rule.primitive:

        def missing(leaf, *args):
            raise TypeError(f"{rule.name}() is not defined for {leaf.name}")

        return missing
    return text_function(rule.value, rule.args, rule.name)


@functools.cache
def partial(rule, i):
    """A partial derivative of a row as a Python function.

    Parameters
    ----------
    rule : Rule
        The row.
    i : int
        The argument to differentiate by.

    Returns
    -------
    callable
        ``f(leaf, *args, out)``.

    Raises
    ------
    TypeError
        If the argument is an order, by which there is no derivative.
    """
    if rule.partials[i] is None:
        raise TypeError(f"{rule.name}() has no derivative with respect to {rule.args[i]}")
    return text_function(rule.partials[i], (*rule.args, "out"), f"{rule.name}_d{rule.args[i]}")


@functools.cache
def read_by_partials(rule):
    """The names of the arguments, and ``out``, that the first partials of a row read.

    Parameters
    ----------
    rule : Rule
        The row.

    Returns
    -------
    frozenset of str
    """
    names = (*rule.args, "out")
    trees = [parse(text, names, BY_NAME) for text in rule.partials if text]
    return frozenset(n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name)) & set(names)


def text_function(text, names, title):
    """Any rule text as a Python function.

    Parameters
    ----------
    text : str
        The text.
    names : sequence of str
        The names that it uses, in the order of the function's arguments.
    title : str
        What tracebacks call it.

    Returns
    -------
    callable
        ``f(leaf, *values)``.
    """
    # Of a function of several arguments some may be plain ints, which the functions would take for floats.
    lifted = frozenset(names) - {"out"} if len(frozenset(names) - {"out"}) > 1 else frozenset()
    tree = _ToPython(lifted).visit(parse(text, names, BY_NAME))
    # The table of functions itself is at hand in the code, so that functions may be registered later.
    return _function(tree, ("_leaf", *names), title, {"_functions": functions})


def _function(tree, names, title, scope):
    """A Python function from the expression that it gives."""
    arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    body = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, tree)))
    function = eval(compile(body, f"<rule {title}>", "eval"), scope)
    function.__name__ = function.__qualname__ = title
    return function


def on_arrays(text, names, call, where):
    """Any rule text as a Python function of arrays, of which all branches are computed.

    Parameters
    ----------
    text : str
        The text.
    names : sequence of str
        The names that it uses, in the order of the function's arguments.
    call : callable
        ``call(name, *args)`` gives what a row is at arrays.
    where : callable
        ``where(condition, x, y)``.

    Returns
    -------
    callable
        ``f(*values)``.
    """
    tree = _ToArrays().visit(parse(text, names, BY_NAME))
    return _function(tree, names, text, {"_call": call, "_where": where, **CONSTANTS})


class _ToArrays(ast.NodeTransformer):
    """Rule text as Python that runs on arrays: both branches of `where` are computed."""

    def visit_Call(self, node):
        arguments = [self.visit(a) for a in node.args]
        if node.func.id == "where":
            return ast.Call(ast.Name("_where", ast.Load()), arguments, [])
        return ast.Call(ast.Name("_call", ast.Load()), [ast.Constant(node.func.id), *arguments], [])

    def visit_BinOp(self, node):
        names = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
        arguments = [ast.Constant(names[type(node.op)]), self.visit(node.left), self.visit(node.right)]
        return ast.Call(ast.Name("_call", ast.Load()), arguments, [])


class _ToPython(ast.NodeTransformer):
    """Rule text as Python that runs on numbers of any kind; `lifted` names may hold plain ints."""

    def __init__(self, lifted):
        self.lifted = lifted

    def _argument(self, node, order=False):
        """An argument of a function. The log(2) of 2**x must have the precision of x: ints are turned into the
        leaf's kind of number, but for exponents and orders, which they serve best as ints.
        """
        if isinstance(node, ast.Name) and node.id in self.lifted and not order:
            return _leaf("lift", ast.Name(node.id, ast.Load()))
        return self.visit(node)

    def visit_Constant(self, node):
        # Integers are exact in every kind; a float literal would turn a Fraction into a float.
        if node.value.is_integer():
            return ast.Constant(int(node.value))
        return _leaf("number", ast.Constant(repr(node.value)))

    def visit_Name(self, node):
        return _leaf("constant", ast.Constant(node.id)) if node.id in CONSTANTS else node

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Div):
            return _call("div", [self._argument(node.left), self._argument(node.right)])
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Call(self, node):
        name = node.func.id
        if name == "where":
            # Only the branch that holds is computed: the other may raise, or be undefined.
            return ast.IfExp(*map(self.visit, node.args))
        orders = [name == "pow" or text is None for text in BY_NAME[name].partials]
        return _call(name, [self._argument(a, order) for a, order in zip(node.args, orders, strict=True)])


def _call(name, arguments):
    function = ast.Subscript(ast.Name("_functions", ast.Load()), ast.Constant(name), ast.Load())
    return ast.Call(function, arguments, [])


def _leaf(method, argument):
    attribute = ast.Attribute(ast.Name("_leaf", ast.Load()), method, ast.Load())
    return ast.Call(attribute, [argument], [])


def on_floats(name):
    """The kernel of a row, on anything that turns into a float.

    Parameters
    ----------
    name : str
        The row's name.

    Returns
    -------
    callable
    """
    return lambda *args: functions[name](*map(float, args))
