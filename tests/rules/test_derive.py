"""Symbolic derivatives of rule text."""

import ast
import math

import mpmath
import pytest
from mpmath import mp

import dualtape  # noqa: F401 - registers the functions that bound text calls
from dualtape.core import kernels
from dualtape.rules import bind
from dualtape.rules.derive import derivative, second
from dualtape.rules.grammar import parse
from dualtape.rules.namespaces import namespace_of
from dualtape.rules.rule import Rule
from dualtape.rules.table import BY_NAME, INDEX, RULES
from rules.rule_oracle import oracle

REAL = namespace_of(1.0)
THIRD = """
sqrt cbrt square reciprocal exp expm1 log log1p sin tan asin atan tanh asinh acosh atanh sigmoid softplus logit erf ndtr
log_ndtr gamma lgamma digamma sinc i0 i1 j0 j1 logaddexp hypot atan2 pow xlogy div mul
""".split()


def evaluate(text, rule, point):
    out = kernels.evaluate(INDEX[rule.name], *point)
    return bind.text_function(text, (*rule.args, "out"), rule.name)(REAL, *point, out)


@pytest.mark.parametrize("name", THIRD)
def test_third_derivative(name):
    rule = BY_NAME[name]
    point = [1.4] if rule.arity == 1 and rule.domain[0][1] > 2 else [0.7, 1.3][: rule.arity]
    for i in range(rule.arity):
        text = derivative(second(rule, i, i), rule, i)
        with mpmath.workdps(60):
            f = oracle(rule)
            along = lambda t: f(*[t if k == i else mp.mpf(c) for k, c in enumerate(point)])
            exact = float(mp.diff(along, mp.mpf(point[i]), 3))
        assert evaluate(text, rule, point) == pytest.approx(exact, rel=1e-11, abs=1e-13), text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_table_is_closed_under_derivation(rule):
    for i, first in enumerate(rule.partials):
        if first is None:
            continue
        texts = [first, second(rule, i, i)]
        if len(texts[1]) < 2000:
            texts.append(derivative(texts[1], rule, i))
        for text in texts:
            parse(text, (*rule.args, "out"), BY_NAME)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.arity > 1], ids=lambda rule: rule.name)
def test_mixed_partials_are_symmetric(rule):
    for i in range(rule.arity):
        for j in range(i):
            assert second(rule, i, j) == second(rule, j, i)
            if rule.partials[i] is None or rule.partials[j] is None:
                continue
            point = [low + at * (high - low) for at, (low, high) in zip([0.37, 0.61, 0.7], rule.domain, strict=False)]
            one = evaluate(derivative(rule.partials[i], rule, j), rule, point)
            other = evaluate(derivative(rule.partials[j], rule, i), rule, point)
            assert one == pytest.approx(other, rel=1e-12, abs=1e-300)


def test_pow_keeps_its_mixed_derivative_at_exponent_zero():
    rule = BY_NAME["pow"]
    assert evaluate(derivative(rule.partials[0], rule, 1), rule, (2.0, 0.0)) == 0.5
    assert evaluate(derivative(rule.partials[1], rule, 0), rule, (2.0, 0.0)) == 0.5


def test_texts_are_simplified():
    assert second(BY_NAME["add"], 0, 1) == "0.0"
    assert second(BY_NAME["mul"], 0, 1) == "1.0"
    assert second(BY_NAME["sin"], 0, 0) == "-sin(x)"
    assert second(BY_NAME["square"], 0, 0) == "2.0"
    assert second(BY_NAME["relu"], 0, 0) == "0.0"


def test_out_counts_as_a_function_of_the_arguments():
    rule = BY_NAME["sqrt"]
    assert evaluate(second(rule, 0, 0), rule, (4.0,)) == -1 / 32


def test_a_quotient_does_not_square_its_denominator():
    f = Rule("f", ("x",), "1.0 / x", ("1.0 / x",), ((1.0, 2.0),), "")
    text = derivative("1.0 / x", f, 0)
    assert bind.text_function(text, ("x", "out"), "f")(REAL, 1e200, 0.0) == 0.0
    assert bind.text_function(text, ("x", "out"), "f")(REAL, 1e-160, 0.0) == -math.inf


def test_an_order_has_no_derivative():
    assert second(BY_NAME["polygamma"], 0, 1) is None
    with pytest.raises(ValueError, match="order"):
        derivative("polygamma(x, x)", Rule("f", ("x",), "x", ("1.0",), ((0.0, 1.0),), ""), 0)


def test_derivatives_are_one_expression():
    for rule in RULES:
        if rule.partials[-1] is not None:
            ast.parse(second(rule, rule.arity - 1, rule.arity - 1), mode="eval")
