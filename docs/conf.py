"""Configuration of Sphinx. dualtape itself must be installed; the tree is not put on the path."""

import functools
import inspect
from pathlib import Path

import numpy as np
import numpy.fft
import numpy.lib.recfunctions
from docutils import nodes
from numpy.testing import overrides

import dualtape
from dualtape.arrays.methods import METHODS, PROPERTIES
from dualtape.arrays.protocol import FUNCTIONS, OTHER, PLAIN, known
from dualtape.boxed.array import FUNCTIONS as FUNCTIONS_OF_BOXED
from dualtape.boxed.array import METHODS as METHODS_OF_BOXED
from dualtape.boxed.front import INTERNAL
from dualtape.boxed.front import PLAIN as PLAIN_OF_BOXED
from dualtape.rules.document import markdown_table
from dualtape.rules.table import RULES

HERE = Path(__file__).parent

project = "dualtape"
author = "The dualtape developers"
copyright = f"2026, {author}"
version = release = dualtape.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "dualtape"
html_static_path = ["_static"]
html_css_files = ["dualtape.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "dualtape"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": [], "glossary": [], "limitations": [], "changelog": []}


def write_page(name, text):
    """Write a generated page, and only if it changed, so that a rebuild stays incremental."""
    page = HERE / "reference" / name
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def summary(function):
    """The first sentence of NumPy's own docstring, in Markdown."""
    paragraphs = inspect.getdoc(function).split("\n\n")
    sentence = next(p for p in paragraphs if not p.startswith(f"{function.__name__}("))
    return " ".join(sentence.split()).partition(". ")[0].rstrip(".").replace("``", "`").replace("|", "\\|")


def spelling(function):
    """A NumPy function as programs write it: ``np.linalg.inv``."""
    return f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)


def gives_plain(name):
    """Whether a method is that of a function with plain results."""
    return isinstance(FUNCTIONS.get(getattr(np, name, None)), functools.partial)


def is_refused(name):
    """Whether a method or an attribute of traced arrays raises an error that says what to do."""
    table = METHODS if name in METHODS else PROPERTIES
    try:
        table[name](dualtape.array([dualtape.Dual(1.0, 1.0)]))
    except dualtape.ConversionError:
        return True
    except Exception:
        return False  # it needs arguments
    return False


def array_functions():
    """The page of NumPy's functions on traced arrays, from the tables that dispatch them."""
    ruled, plain = [], []
    for f in sorted(FUNCTIONS, key=spelling):
        if isinstance(FUNCTIONS[f], functools.partial):
            plain.append(f"`{spelling(f)}`")
        else:
            ruled.append(f"| `{spelling(f)}` | {summary(f)} |")
    overridable = {spelling(f) for f in overrides.get_overridable_numpy_array_functions()}
    missing = sorted(overridable - {spelling(f) for f in FUNCTIONS})
    refused = [name for name in [*METHODS, *PROPERTIES] if not name.endswith("=") and is_refused(name)]
    locally_constant = [name for name in METHODS if gives_plain(name)]
    methods = [name for name in METHODS if name not in refused and name not in locally_constant]
    attributes = [name for name in PROPERTIES if not name.endswith("=") and name not in refused]

    def listed(names):
        return ", ".join(f"`{name}`" for name in sorted(names))

    return ARRAY_FUNCTIONS.format(
        ruled="\n".join(ruled),
        plain=", ".join(plain),
        missing=", ".join(f"`{name}`" for name in missing),
        others=", ".join(f"`np.{name}`" for name in sorted(OTHER) if name != "conj"),
        without=", ".join(
            f"`np.{u.__name__}`"
            for u in sorted(overrides.get_overridable_numpy_ufuncs(), key=lambda u: u.__name__)
            if not known(u) and hasattr(np, u.__name__)
        ),
        ufuncs=", ".join(f"`np.{name}`" for name in sorted(PLAIN)),
        methods=listed({*methods, "copy"}),
        locally_constant=listed(locally_constant),
        refused=listed(refused),
        attributes=listed({*attributes, "T", "shape", "ndim", "size", "dtype", "strides"}),
    )


ARRAY_FUNCTIONS = """\
# Array functions

What NumPy can do with traced arrays. Everything else raises `NoRuleError`, which names the function. Results are
traced arrays and traced numbers, differentiable in every mode, where nothing else is said.

## Functions

| function | what it does, in NumPy's words |
|-|-|
{ruled}

## Functions with plain results

They are locally constant, or give no numbers: indices, booleans, shapes, text. Derivatives through them are zero.

{plain}

## Functions without a rule

They raise `NoRuleError`.

{missing}

## Ufuncs

The rows of the [table of rules](../rules.md) name the ufuncs of NumPy and SciPy that work, with broadcasting, `out=`,
`where=` and `dtype=`. Of binary ones the methods `reduce`, `reduceat`, `accumulate`, `outer` and `at` work as well.
Further ones are {others}.

These give plain results:

{ufuncs}

These raise `NoRuleError`: {without}, and those on text.

## Methods and attributes

Methods of arrays, with NumPy's arguments:

{methods}

Methods with plain results:

{locally_constant}

Attributes:

{attributes}

These raise `ConversionError`, which says what to do:

{refused}
"""


def boxed_functions():
    """The page of the functions of other libraries' arrays."""
    hidden = INTERNAL | {"where", "abs"}
    ours = sorted(name for name in FUNCTIONS_OF_BOXED if name not in hidden)
    parts = {part: [n for n in ours if n.startswith(f"{part}.")] for part in ("linalg", "fft")}
    rest = [n for n in [*ours, "where", "abs"] if "." not in n]

    def listed(names):
        return ", ".join(f"`{name}`" for name in sorted(names))

    return BOXED_FUNCTIONS.format(
        functions=listed(rest), linalg=listed(parts["linalg"]), fft=listed(parts["fft"]), plain=listed(PLAIN_OF_BOXED),
        methods=listed(METHODS_OF_BOXED),
    )  # fmt: skip


BOXED_FUNCTIONS = """\
# Functions of other libraries' arrays

What works on traced arrays of [other libraries](../../how-to/other-arrays.md), as far as the library has the function,
under the names of the array API standard and of NumPy. Special functions need the library's own (CuPy has them), or a
library whose arrays lie in the memory of the host. Everything else raises `NoRuleError`.

## Functions

{functions}

## Linear algebra

{linalg}

## Fourier transforms

{fft}

## Functions with plain results

{plain}

## Methods

{methods}
"""

write_page("generated/boxed-functions.md", boxed_functions())
write_page("rules.md", f"# Rules\n\n{markdown_table(RULES)}")
write_page("generated/array-functions.md", array_functions())


def trim_code(app, doctree):
    """Drop the empty line that ends a doctest in Markdown: without it, the fence would be expected output."""
    for block in doctree.findall(nodes.literal_block):
        if block.children and block.rawsource:
            block.children = [nodes.Text(block.astext().rstrip())]
            block.rawsource = block.astext()


def setup(app):
    """Connect what this file adds to Sphinx."""
    app.connect("doctree-read", trim_code)
    return {"parallel_read_safe": True}
