"""Build the compiled core: emit the rule table as C, then compile the Cython modules.

Everything generated goes under ``build/``; the source tree holds only what people wrote.
``DUALTAPE_DEBUG=1`` turns on bounds checks, line tracing and assertions in C;
``DUALTAPE_SANITIZE=address,undefined`` compiles the core with those sanitizers.
"""

import os
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
GENERATED = Path("build") / "generated"
SRC = Path("dualtape") / "core" / "src"

DEBUG = os.environ.get("DUALTAPE_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("DUALTAPE_SANITIZE", "")
WINDOWS = sys.platform == "win32"

_SWEEPS = (
    "sweep",
    "runs",
    "array",
    "array_typed",
    "array_complex",
    "second",
    "lanes",
    "lanes_elementwise",
    "lanes_products",
)

# The C sources that each extension links: one extension for each C file.
EXTENSIONS = {
    "dualtape.core.kernels": [GENERATED / "dualtape_kernels.c", SRC / "special.c"],
    "dualtape.core.levels": [],
    "dualtape.core.traced": [],
    "dualtape.core.dual": [],
    "dualtape.core.perturbation": [],
    "dualtape.core.tape": [SRC / "tape.c"],
    "dualtape.core.recording": [],
    "dualtape.core.buffers": [SRC / "buffers.c"],
    "dualtape.core.view": [],
    "dualtape.core.adjoint": [],
    "dualtape.core.values": [],
    "dualtape.core.assign": [],
    "dualtape.core.elements": [],
    "dualtape.core.array": [],
    "dualtape.core.loops": [SRC / "casts.c", SRC / "circular.c"],
    "dualtape.core.floating": [],
    "dualtape.core.operands": [],
    "dualtape.core.kinds": [],
    "dualtape.core.native": [],
    "dualtape.core.linear": [],
    "dualtape.core.joins": [],
    "dualtape.core.dispatch": [],
    "dualtape.core.shadows": [],
    "dualtape.core.objects": [],
    "dualtape.core.pool": [SRC / "scratch.c"],
    "dualtape.core.passes": [SRC / f"{name}.c" for name in _SWEEPS],
    "dualtape.core.lanes": [],
    "dualtape.core.directions": [],
    "dualtape.core.sweep": [],
    "dualtape.core.function": [],
}

DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "embedsignature": True,
    "embedsignature.format": "python",
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "always_allow_keywords": False,
    "linetrace": DEBUG,
}


def compile_flags():
    """Compiler and linker flags: portable machine code, IEEE arithmetic, no errno from libm."""
    if WINDOWS:
        return ["/O2", "/fp:precise"], []
    flags = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-strict-aliasing", "-Wall", "-Wno-unused-function"]
    links = []
    if DEBUG:
        flags += ["-O1", "-g", "-UNDEBUG", "-DDUALTAPE_DEBUG=1"]
    if SANITIZE:
        flags += ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={SANITIZE}"]
        links += [f"-fsanitize={SANITIZE}"]
    return flags, links


def generate_rules():
    """Write the rule table as C under ``build/generated``."""
    sys.path.insert(0, str(ROOT / "dualtape"))
    try:
        from rules import emit_c
    finally:
        sys.path.pop(0)
    emit_c.write(GENERATED)


def extensions():
    """The Extension objects of the compiled core."""
    flags, links = compile_flags()
    macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), *([("CYTHON_TRACE", "1")] if DEBUG else [])]
    headers = [str(path) for path in sorted(SRC.parent.rglob("*.h"))] + [str(GENERATED / "dualtape_rules.h")]
    return [
        Extension(
            name,
            sources=[name.replace(".", "/") + ".pyx", *map(str, sources)],
            include_dirs=[str(SRC), str(SRC.parent), str(GENERATED), numpy.get_include()],
            depends=headers,
            define_macros=macros,
            extra_compile_args=flags,
            extra_link_args=links,
        )
        for name, sources in EXTENSIONS.items()
    ]


generate_rules()
setup(
    ext_modules=cythonize(
        extensions(),
        build_dir=str(Path("build") / "cython"),
        compiler_directives=DIRECTIVES,
        nthreads=0,
    )
)
