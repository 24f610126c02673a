"""The folders are the layers: a file imports only from its own layer and those below it."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dualtape

PACKAGE = Path(dualtape.__file__).parent

# What each layer may import: layers of dualtape, and packages from outside the standard library.
ALLOWED = {
    "errors": (set(), set()),
    "rules": ({"rules"}, set()),
    "core": ({"core", "rules", "errors"}, {"numpy", "scipy", "cython", "cpython", "libc"}),
    "boxed": ({"boxed", "core", "rules", "errors"}, {"numpy", "scipy"}),
    "arrays": ({"arrays", "boxed", "core", "rules", "errors"}, {"numpy", "scipy"}),
    "api": ({"api", "arrays", "boxed", "core", "rules", "errors"}, {"numpy", "scipy", "optree"}),
}
OPTIONAL = {"array_api_compat", "cupy", "cupyx"}  # imported inside functions, where they are installed

CIMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+)?c?import\s+(.+)$")


def sources():
    """The Python and Cython files of the package."""
    return sorted(path for suffix in ("py", "pyx", "pxd", "pyi") for path in PACKAGE.rglob(f"*.{suffix}"))


def module_of(path):
    """The dotted name of a file: ``dualtape.core.tape``."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module):
    """The layer of a module of dualtape."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "api"
    return name if name in ALLOWED else "api"


def imports(path):
    """Yield (module, at the top of the file) for every import in a file."""
    text = path.read_text()
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    if path.suffix in (".py", ".pyi"):
        tree = ast.parse(text)
        top = set(map(id, tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, id(node) in top
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = package.split(".")
                    parents = parents[: len(parents) - node.level + 1]
                    base = ".".join([*parents, *filter(None, [base])])
                for alias in node.names:
                    yield _submodule(base, alias.name), id(node) in top
        return
    code = re.sub(r'"""(?:.|\n)*?"""', "", text)
    for line in code.splitlines():
        match = CIMPORT.match(line.split("#")[0])
        if match and not line.strip().startswith("cdef"):
            top = not line[0].isspace()
            if match[1]:
                for name in match[2].strip("() ").split(","):
                    yield _submodule(match[1], name.split(" as ")[0].strip()), top
            else:
                for name in match[2].split(","):
                    yield name.split(" as ")[0].strip(), top


def _submodule(base, name):
    """``base.name`` where that is a module of dualtape, else base."""
    if base.split(".")[0] == "dualtape":
        place = PACKAGE.parent.joinpath(*base.split("."))
        if (place / name).is_dir() or any((place / f"{name}{s}").exists() for s in (".py", ".pyx")):
            return f"{base}.{name}"
    return base


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    layer = layer_of(module_of(path))
    ours, theirs = ALLOWED[layer]
    for module, _ in imports(path):
        root = module.split(".")[0]
        if module == "dualtape._version":
            continue
        if root == "dualtape" and module == "dualtape":
            assert path.name == "__main__.py", f"{path.name} imports the whole package"
        elif root == "dualtape":
            assert layer_of(module) in ours, f"the {layer} layer may not import {module}"
        else:
            allowed = theirs | (OPTIONAL if layer in ("boxed", "api") else set())
            if path.suffix == ".pyi":
                allowed = allowed | {"typing_extensions"}  # type checkers bring it
            assert root in sys.stdlib_module_names or root in allowed, f"the {layer} layer may not import {module}"


def test_there_is_no_cycle():
    graph = {}
    for path in sources():
        if path.suffix in (".py", ".pyx"):
            module = module_of(path)
            needs = {m for m, top in imports(path) if top and m.split(".")[0] == "dualtape"}
            graph.setdefault(module, set()).update(needs - {module})
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("dualtape.rules.table") < order.index("dualtape.core.tape") < order.index("dualtape")


def test_the_scan_sees_imports():
    found = dict(imports(PACKAGE / "core" / "tape.pyx"))
    assert "dualtape.errors" in found
    assert any(module.startswith("dualtape.core.") for module in found)
    assert "dualtape.rules.rule" in dict(imports(PACKAGE / "rules" / "table.py")) or any(
        module.startswith("dualtape.rules.") for module in dict(imports(PACKAGE / "rules" / "table.py"))
    )


def test_the_c_files_do_not_know_python():
    for path in (PACKAGE / "core" / "src").glob("*.[ch]"):
        assert "Python.h" not in path.read_text(), path.name


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short_and_have_a_docstring(path):
    text = path.read_text()
    assert len(text.splitlines()) < 600
    if path.suffix in (".py", ".pyx") and text.strip():
        text = re.sub(r"^# cython:.*\n", "", text)
        assert text.startswith('"""'), "the first line says what the file holds"


def test_rules_import_without_numpy():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from rules import table, emit_c, bind, namespaces;"
        "bad = {'numpy', 'scipy', 'mpmath', 'sympy', 'optree', 'uncertainties'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", program, str(PACKAGE)], check=True)


def test_importing_dualtape_does_not_import_heavy_packages():
    program = (
        "import sys, dualtape;"
        "heavy = {'scipy.special', 'scipy.linalg', 'mpmath', 'sympy', 'uncertainties', 'matplotlib', 'Cython'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "assert dualtape.gradient(lambda x: x * x, 3.0) == 6.0;"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PACKAGE.parent)


def test_public_names():
    for name in dualtape.__all__:
        assert hasattr(dualtape, name), name
    assert len(set(dualtape.__all__)) == len(dualtape.__all__)
    wanted = """
    derivative gradient value_and_gradient jacobian hessian hvp pushforward pullback taylor stop_gradient testing
    Dual Var Tape DualtapeError strict_nan release_memory sin cos exp log sqrt where asin lgamma sigmoid erf
    """
    assert set(wanted.split()) <= set(dualtape.__all__)


def test_every_public_function_has_a_docstring():
    for name in dualtape.__all__:
        value = getattr(dualtape, name)
        if callable(value):
            assert value.__doc__, name
