"""The stage of every journey: one real centre for the run, and shops that a module opens."""

from contextlib import ExitStack

import pytest
from audit import disagreements, personal_data
from real_centre import RealCentre
from shop import Shop
from story.processes import wait_for


@pytest.fixture(scope="session")
def centre(tmp_path_factory):
    with RealCentre(tmp_path_factory.mktemp("centre")) as centre:
        yield centre


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory, centre, moves_taken):
    """Return a function that opens a shop until the module ends. Then its books must agree."""
    with ExitStack() as stack:

        def open_one(**options):
            shop = stack.enter_context(
                Shop.open(tmp_path_factory.mktemp("shop"), centre, moves_taken, **options)
            )
            opened.append(shop)
            return shop

        opened = []
        yield open_one
        for shop in opened:
            shop.proxy.clear()
            shop.agent.stop()
            assert disagreements(shop, shop.journal()) == []
            assert personal_data(shop) == []


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop()


@pytest.fixture(autouse=True)
def nothing_goes_wrong_any_more(request):
    """Take back what a test has armed, so that the next one begins with a line and terminals that work."""
    shop = request.getfixturevalue("shop") if "shop" in request.fixturenames else None
    yield
    if shop is not None:
        shop.proxy.clear()
        for terminal in shop.terminals:
            terminal.clear_faults()
            wait_for("the cable is back", terminal.link.exists)
