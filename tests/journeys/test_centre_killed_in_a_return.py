"""The centre is killed (SIGKILL) around every message of a return. Started again, all books know it once."""

import pytest
from audit import bookings
from killing_proxy import cut, kinds_in, passing
from real_centre import RealCentre

WHEN = ("before", "before the answer of", "after the answer of")
MESSAGES = ("facts", "returns", "the upload of returning", "the upload of returned")


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    """A centre of this module's own: it is killed."""
    with RealCentre(tmp_path_factory.mktemp("killed-centre")) as centre:
        yield centre


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True)


def dying(shop, when):
    def die(exchange):
        if when == "before":
            shop.centre.kill()
            exchange.hang_up()
            return
        answer = exchange.pass_on()
        if when == "after the answer of":
            exchange.answer(answer)
            exchange.wait_until_read()
        shop.centre.kill()
        exchange.hang_up()

    return die


def arm(shop, when, message):
    die = dying(shop, when)
    if not message.startswith("the upload"):
        shop.proxy.next(message, die)
        return
    entry = message.rpartition(" ")[2]
    if entry == "returning":
        shop.proxy.always("returns", cut)  # else it is acknowledged before it is its turn
    died = []

    def die_once(exchange):
        if entry in kinds_in(exchange) and not died:
            died.append(entry)
            die(exchange)
        else:
            passing(exchange)

    shop.proxy.always("records", die_once)


@pytest.mark.parametrize("by_phone", [False, True], ids=["card", "phone"])
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("message", MESSAGES)
def test_a_return_whose_centre_was_killed_gives_the_money_back_once(message, when, by_phone, shop):
    sold = shop.sell(tender=shop.by_phone()) if by_phone else shop.sell()
    record_id = sold["record_id"]
    shop.wait_for_record(record_id, "PAYABLE")
    arm(shop, when, message)

    first = shop.give_back(record_id)
    shop.centre.restart()
    shop.proxy.clear()

    back = (
        first if first["state"] == "returned" and first["return"]["ended_at"] else shop.give_back(record_id)
    )
    assert (back["state"], back["return"]["state"], back["return"]["tries"]) == ("returned", "refunded", 1)
    assert record_id not in shop.standing()
    assert len(shop.moved(record_id) + shop.moved_by_phone(record_id)) == 2
    shop.wait_for_empty_outbox()
    record = shop.wait_for_record(record_id, "RETURNED")
    assert (bookings(record), sum(line["fen"] for line in record["postings"])) == (1, 0)
    returned = {line["event_no"] for line in record["postings"] if line["happening"] == "returned_unclaimed"}
    assert len(returned) == 1
    balance = shop.centre.ask("/v1/ledger/trial-balance")
    assert (balance["sum_fen"], balance["imbalance"]) == (0, [])
