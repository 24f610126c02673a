"""The switch between zeros that stay zero and IEEE arithmetic in derivatives."""

import contextlib
import contextvars

__all__ = ["is_strict", "strict_nan"]

_STRICT = contextvars.ContextVar("dualtape_strict_nan", default=False)


def is_strict():
    """Whether derivatives follow IEEE to the letter: 0 * inf is NaN."""
    return _STRICT.get()


@contextlib.contextmanager
def strict_nan():
    """Let 0 * inf be NaN in derivatives, as IEEE has it.

    By default a product of the chain rule is zero if one of its factors is exactly zero, whatever the other is, so
    that a branch not taken never makes a NaN. Within this context it does, which helps to find where a NaN or an
    infinity comes from. The setting belongs to the current thread or asyncio task.

    Examples
    --------
    >>> import dualtape as dt
    >>> f = lambda x: dt.sqrt(0.0 * x)
    >>> dt.derivative(f)(1.0)
    0.0
    >>> with dt.strict_nan():
    ...     dt.derivative(f)(1.0)
    nan
    """
    token = _STRICT.set(True)
    try:
        yield
    finally:
        _STRICT.reset(token)
