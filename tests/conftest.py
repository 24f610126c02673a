"""Every test must leave no tape open and no node alive."""

import gc

import pytest

from dualtape.core.tape import live

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Note whether the test itself passed, for the fixture below."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def nothing_stays_alive(request):
    """Open tapes and their nodes are as few after the test as before it."""
    if live() != (0, 0):
        gc.collect()
    tapes, nodes = live()
    yield
    if not request.node.stash.get(PASSED, False):
        return  # the traceback of a failure keeps its traced values alive
    if live() != (0, 0):
        gc.collect()
    tapes_now, nodes_now = live()
    assert tapes_now <= tapes, f"{tapes_now - tapes} tapes stay open"
    assert nodes_now <= nodes, f"{nodes_now - nodes} nodes stay alive"
