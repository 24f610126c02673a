"""The stubs of the compiled modules agree with the modules."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import dualtape

PACKAGE = Path(dualtape.__file__).parent
COMPILED = sorted(path.stem for path in (PACKAGE / "core").glob("*.pyx"))


def stub(name):
    """The syntax tree of a module's stub."""
    return ast.parse((PACKAGE / "core" / f"{name}.pyi").read_text())


def public(names):
    """The names that are not private."""
    return {name for name in names if not name.startswith("_")}


def declared(body):
    """The names that a stub's body declares, with their nodes."""
    out = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            out[node.target.id] = node
        elif isinstance(node, ast.Assign):
            out[node.targets[0].id] = node
    return out


def parameters(node):
    """The names of the parameters of a stub's function, self and cls aside, and its signs for the kinds."""
    arguments = node.args
    names = [a.arg for a in arguments.posonlyargs + arguments.args]
    if names and names[0] in ("self", "cls"):
        names = names[1:]
    if arguments.vararg:
        names.append("*" + arguments.vararg.arg)
    names += [a.arg for a in arguments.kwonlyargs]
    if arguments.kwarg:
        names.append("**" + arguments.kwarg.arg)
    return [name.lstrip("_") for name in names]


def signature(value):
    """The same for the function itself, or None where it tells nothing."""
    try:
        found = inspect.signature(value).parameters.values()
    except (ValueError, TypeError):
        return None
    out = []
    for parameter in found:
        if parameter.name in ("self", "cls", "/"):
            continue
        sign = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        out.append(sign + parameter.name.lstrip("_"))
    return out


@pytest.mark.parametrize("name", COMPILED)
def test_there_is_a_stub(name):
    assert (PACKAGE / "core" / f"{name}.pyi").exists()
    assert ast.get_docstring(stub(name)) or stub(name).body


@pytest.mark.parametrize("name", COMPILED)
def test_names_agree(name):
    module = importlib.import_module(f"dualtape.core.{name}")
    names = declared(stub(name).body)
    for missing in public(names):
        assert hasattr(module, missing), f"{name}.pyi declares {missing}, which the module lacks"
    defined = {
        key
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not inspect.ismodule(value)
    }
    assert public(defined) <= set(names), f"{name}.pyi lacks {sorted(public(defined) - set(names))}"


@pytest.mark.parametrize("name", COMPILED)
def test_signatures_and_methods_agree(name):
    module = importlib.import_module(f"dualtape.core.{name}")
    for key, node in declared(stub(name).body).items():
        value = getattr(module, key, None)
        if isinstance(node, ast.FunctionDef):
            found = signature(value)
            assert found is None or found == parameters(node), f"{name}.{key}"
        elif isinstance(node, ast.ClassDef):
            members = declared(node.body)
            for member, inner in members.items():
                assert hasattr(value, member), f"{name}.pyi: {key}.{member} is not there"
                if isinstance(inner, ast.FunctionDef) and not member.startswith("__"):
                    if any(isinstance(d, ast.Name) and d.id == "property" for d in inner.decorator_list):
                        assert not callable(getattr(value, member)), f"{key}.{member} is not a property"
                        continue
                    found = signature(getattr(value, member))
                    assert found is None or found == parameters(inner), f"{key}.{member}"
            inherited = {m for base in value.__mro__[1:] for m in vars(base)}
            own = public(vars(value)) - inherited
            assert own <= set(members), f"{name}.pyi: {key} lacks {sorted(own - set(members))}"


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_mypys_stubtest_agrees():
    pytest.importorskip("mypy.stubtest")
    modules = [f"dualtape.core.{name}" for name in COMPILED]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "--ignore-missing-stub",
            "--ignore-positional-only",
            "--mypy-config-file=pyproject.toml",
            *modules,
        ],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
