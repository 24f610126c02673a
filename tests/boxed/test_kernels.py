"""The CUDA source of the rule table: compiled, and its text run on the host against the rows' own derivatives."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from dualtape.core import kernels
from dualtape.rules.emit_cuda import adjoint_names, program
from dualtape.rules.table import BY_NAME, INDEX

NAMES = adjoint_names()


def test_most_rows_have_kernels():
    have = {name for name, _ in NAMES}
    assert {"add", "mul", "div", "pow", "sin", "exp", "tanh", "log", "sqrt", "erf", "maximum", "hypot", "mod"} <= have
    assert len(NAMES) > 100


def test_every_kernel_compiles_for_gpus():
    nvrtc = pytest.importorskip("cupy").cuda.nvrtc
    try:
        nvrtc.getVersion()
    except (ImportError, OSError, RuntimeError):
        pytest.skip("NVRTC is not installed")
    for kind in ("double", "float"):
        source = "\n".join(f"namespace n{i} {{\n{program(name, k, kind)}\n}}" for i, (name, k) in enumerate(NAMES))
        handle = nvrtc.createProgram(source, "kernels.cu", (), ())
        try:
            nvrtc.compileProgram(handle, ("-arch=compute_80", "--std=c++17"))
        except nvrtc.NVRTCError:
            pytest.fail(nvrtc.getProgramLog(handle))
        assert bytes(nvrtc.getPTX(handle)).count(b".entry") == len(NAMES)
        nvrtc.destroyProgram(handle)


def test_cupy_takes_every_kernel():
    pytest.importorskip("cupy")
    from dualtape.boxed.backends import adjoint_kernel

    for name, k in NAMES:
        assert adjoint_kernel(name, k).nin == len(BY_NAME[name].args) + 2


# What CUDA has and C++ on the host has not.
SHIM = """\
#include <cmath>
#include <cstdint>
#include <cstring>
#define __device__
#define __global__
struct dim { int x; };
static const dim blockIdx = {0}, blockDim = {1};
static thread_local dim threadIdx;
static double __longlong_as_double(unsigned long long bits) { double x; std::memcpy(&x, &bits, 8); return x; }
extern "C" { double (*host_ndtr)(double), (*host_ndtri)(double), (*host_erfinv)(double), (*host_erfcinv)(double),
                    (*host_i0)(double), (*host_i1)(double); }
static double normcdf(double x) { return host_ndtr(x); }
static double normcdfinv(double x) { return host_ndtri(x); }
static double erfinv(double x) { return host_erfinv(x); }
static double erfcinv(double x) { return host_erfcinv(x); }
static double cyl_bessel_i0(double x) { return host_i0(x); }
static double cyl_bessel_i1(double x) { return host_i1(x); }
using std::fabs; using std::fmod; using std::copysign; using std::rint; using std::tgamma; using std::lgamma;
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    folder = tmp_path_factory.mktemp("kernels")
    entries = []
    for i, (name, k) in enumerate(NAMES):
        arguments = ", ".join(f"p[{m}]" for m in range(BY_NAME[name].arity + 2))
        call = f"n{i}::dt_{name}_d{BY_NAME[name].args[k]}(n, {arguments}, r)"
        loop = f"for (int j = 0; j < n; j++) {{ threadIdx.x = j; {call}; }}"
        entries.append(f'extern "C" void run{i}(int n, const double **p, double *r) {{ {loop} }}')
    source = SHIM + "\n".join(f"namespace n{i} {{\n{program(name, k)}\n}}" for i, (name, k) in enumerate(NAMES))
    (folder / "kernels.cpp").write_text(
        source.replace('extern "C" __global__', "__global__") + "\n" + "\n".join(entries)
    )
    path = folder / "kernels.so"
    subprocess.run([compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-o", path, folder / "kernels.cpp"], check=True)
    out = ctypes.CDLL(str(path))
    unary = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    import scipy.special

    out.kept = []
    for name in ("ndtr", "ndtri", "erfinv", "erfcinv", "i0", "i1"):
        function = unary(lambda x, f=getattr(scipy.special, name): float(f(x)))
        out.kept.append(function)
        ctypes.c_void_p.in_dll(out, f"host_{name}").value = ctypes.cast(function, ctypes.c_void_p).value
    return out


@pytest.mark.parametrize("i", range(len(NAMES)), ids=[f"{name}-{k}" for name, k in NAMES])
def test_the_text_of_a_kernel_is_the_derivative(library, i):
    name, k = NAMES[i]
    rule = BY_NAME[name]
    rng = np.random.default_rng(i)
    args = [rng.uniform(low, high, 200) for low, high in rule.domain]
    for j, text in enumerate(rule.partials):
        if text is None:
            args[j] = np.floor(args[j])
    out = kernels.on_arrays(INDEX[name], -1, *args)
    exact = kernels.on_arrays(INDEX[name], k, *args, out=out)
    bars = rng.normal(size=200)
    bars[:3] = 0.0
    result = np.empty(200)
    arrays = [np.ascontiguousarray(a) for a in (bars, *args, out)]
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    getattr(library, f"run{i}")(200, pointers, ctypes.c_void_p(result.ctypes.data))
    np.testing.assert_allclose(result, bars * exact, rtol=1e-11, atol=1e-300)
    assert (result[:3] == 0).all()
