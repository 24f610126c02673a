#!/usr/bin/env bash
# Run tests with the compiled core under AddressSanitizer and UndefinedBehaviorSanitizer (gcc, Linux).
#
#   bash tools/sanitize.sh                  all tests that run compiled code
#   bash tools/sanitize.sh --core           a few minutes of them, those that look for trouble in the core
#   bash tools/sanitize.sh tests -k hessian any arguments of pytest
#
# Works in a copy of the tree and an environment of its own; PYTHON names an interpreter to use instead, which
# then needs Cython, setuptools, and the packages of the `test` extra. Leaks are not looked for: the
# interpreter itself keeps memory until the process ends. The tests count live tapes and nodes instead.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
TREE=$WORK/tree
CC=${CC:-gcc}

mkdir "$TREE"
git -C "$ROOT" ls-files -z --cached --others --exclude-standard |
    tar -C "$ROOT" --null --files-from=- -cf - | tar -C "$TREE" -xf -
cd "$TREE"

if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$WORK/env"
    PYTHON=$WORK/env/bin/python
    # The dependencies as pyproject.toml names them, without building dualtape itself.
    "$PYTHON" - <<'END' >"$WORK/requirements.txt"
import tomllib

table = tomllib.load(open("pyproject.toml", "rb"))
wanted = table["build-system"]["requires"] + table["project"]["dependencies"]
print(*wanted, *table["project"]["optional-dependencies"]["test"], sep="\n")
END
    "$PYTHON" -m pip install --quiet --requirement "$WORK/requirements.txt"
fi

export CC DUALTAPE_SANITIZE=address,undefined
"$PYTHON" setup.py --quiet build_ext --inplace

# The sanitizer must be in the process before Python's first allocation, and see each object's own allocation.
export LD_PRELOAD=$("$CC" -print-file-name=libasan.so):$("$CC" -print-file-name=libubsan.so)
export PYTHONMALLOC=malloc PYTHONPATH=$TREE
export ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# Those that measure or limit the memory of the process are left out: the sanitizer keeps freed memory for a while, to
# see whether anyone still uses it.
QUIET="not out_of_memory and not without_memory and not grows_over and not goes_back and not is_bounded"
if [ "$*" = --core ]; then
    export DUALTAPE_PROGRAMS=${DUALTAPE_PROGRAMS:-60}
    set -- -q -k "$QUIET" tests/test_{derivative,dual,escape,gradient,hessian,jacobian,memory,nesting,threads,var}.py \
        tests/arrays/test_{aliasing,failures,joins,lanes,memory,mixed_levels,mutation_views}.py \
        tests/arrays/test_{random_programs,sine_and_cosine,wide_programs}.py
elif [ $# -eq 0 ]; then
    # All but the tests that run no compiled code of ours, and those that measure memory.
    set -- -q tests --ignore=tests/rules --ignore=tests/examples \
        --ignore=tests/test_stubs.py --ignore=tests/test_layers.py \
        -k "$QUIET"
fi
"$PYTHON" -m pytest -p no:cacheprovider "$@"
