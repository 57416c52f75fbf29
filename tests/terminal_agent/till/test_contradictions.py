"""What can be read and cannot be sold: contradictions are problems, refusals are answers."""

import pytest
from quiet_till import FRIDGE, UNLISTED, problem_of

from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout.states import SaleState

PRICE, DISCOUNT = 459_900, 60_000
BASE = PRICE - DISCOUNT
SUBSIDY = BASE * 20 // 100


@pytest.fixture
def with_item(till):
    """Return a quote's or a sale's body with another item."""

    def body(kind, **changes):
        made = till.quote_body() if kind == "quotes" else till.sale_body()
        made["item"] |= {"trade_in_fen": 0, **changes}
        return made

    return body


def codes(answer):
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["reasons"]]


# Amounts.


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("discount_fen", [PRICE + 1, 10**12])
def test_a_discount_above_the_price_is_refused(till, with_item, kind, discount_fen):
    body = with_item(kind, merchant_discount_fen=discount_fen)
    place = "$.item.merchant_discount_fen"
    till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 422, "DISCOUNT_TOO_HIGH", place)


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("trade_in_fen", [BASE, BASE + 1, 10**12])
def test_an_old_item_worth_the_whole_price_is_refused_before_anybody_is_asked(
    till, with_item, kind, trade_in_fen
):
    body = with_item(kind, trade_in_fen=trade_in_fen)
    place = "$.item.trade_in_fen"
    till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 422, "TRADE_IN_TOO_HIGH", place)


@pytest.mark.parametrize("trade_in_fen", [BASE - SUBSIDY, BASE - 1])
def test_an_old_item_worth_all_that_the_subsidy_leaves_is_refused(till, with_item, trade_in_fen):
    quote = with_item("quotes", trade_in_fen=trade_in_fen)
    before = till.state_hash()
    problem = problem_of(till.post("/v1/quotes", quote))
    assert (problem["status"], problem["code"]) == (422, "TRADE_IN_TOO_HIGH")
    assert till.state_hash() == before

    counts = {name: till.count(name) for name in ("attempt", "outbox", "counter")}
    sale, key = with_item("sales", trade_in_fen=trade_in_fen), till.key()
    problem = problem_of(till.post("/v1/sales", sale, Idempotency_Key=key))
    assert (problem["status"], problem["code"]) == (422, "TRADE_IN_TOO_HIGH")
    assert problem["detail"].startswith("$.item.trade_in_fen")
    stored = till.journal.sale(problem["record_id"])
    assert stored is not None
    assert stored.state is SaleState.REFUSED
    assert {name: till.count(name) for name in counts} == counts
    till.must_refuse(
        lambda: till.post("/v1/sales", sale, Idempotency_Key=key), 422, "TRADE_IN_TOO_HIGH", "$.item"
    )


def test_a_single_fen_left_to_pay_is_enough(till, with_item):
    body = with_item("quotes", trade_in_fen=BASE - SUBSIDY - 1)
    assert till.post("/v1/quotes", body).json()["to_pay_fen"] == 1


@pytest.mark.parametrize("kind", ["quotes", "sales"])
def test_a_price_of_nothing_gets_no_subsidy(till, with_item, kind):
    body = with_item(kind, merchant_discount_fen=PRICE)
    assert codes(till.post(f"/v1/{kind}", body)) == ["SUBSIDY_ZERO"]


def test_another_amount_than_expected_charges_nothing(till, with_item):
    before = till.count("attempt")
    body = {**with_item("sales"), "expected_paid_fen": BASE - SUBSIDY - 1}
    answer = till.post("/v1/sales", body)
    assert codes(answer) == ["QUOTE_CHANGED"]
    assert (answer.json()["state"], answer.json()["paid_fen"]) == ("refused", 0)
    assert till.count("attempt") == before


# Bar codes and serial numbers.

NO_GTIN = (
    *("1", "690123", "690123456", "6901234500", "69012345001", "690123450001412", "6901234500014999"),
    *("69O1234500014", "６９０１２３４５０００１４", "6901234500014 ", " 6901234500014", "69012345-0001-4"),
    *(
        "6901234500014\n",
        "+690123450001",
        "-6901234500014",
        "6.9012345e12",
        "0x69012345000",
        "六九零一二三四五",
    ),
    *("036000291453", "16901234500018", "06901234500015", "../../../etc"),
)


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("gtin", NO_GTIN, ids=ascii)
def test_what_cannot_be_a_bar_code_is_refused_with_its_place(till, with_item, kind, gtin):
    body = with_item(kind, gtin=gtin)
    refused = till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 422, "GTIN_INVALID", "$.item.gtin")
    assert len(gtin) < 8 or gtin not in refused.json()["detail"]


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("gtin", ["", "0" * 21, "9" * 5000], ids=len)
def test_a_bar_code_of_another_length_is_malformed(till, with_item, kind, gtin):
    body = with_item(kind, gtin=gtin)
    till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 400, "BODY_INVALID", "$.item.gtin")


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("gtin", ["6901234500015", "69012345", "0000000000000", UNLISTED])
def test_a_bar_code_with_a_wrong_check_digit_is_listed_nowhere(till, with_item, kind, gtin):
    answer = till.post(f"/v1/{kind}", with_item(kind, gtin=gtin))
    assert codes(answer)[0] == "PRODUCT_NOT_LISTED"
    assert answer.json()["next_action"] == "CHECK_THE_ITEM"


@pytest.mark.parametrize("gtin", [FRIDGE, f"0{FRIDGE}"])
def test_the_same_bar_code_in_another_length_is_the_same_product(till, with_item, gtin):
    assert till.post("/v1/quotes", with_item("quotes", gtin=gtin)).json()["decision"] == "granted"


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize(
    "serial_no",
    [
        *(
            "abc",
            "x" * 41,
            "SN 12345",
            "SN#12345",
            "序列号12345",
            "ＳＮ１２３４５",
            "SN12345;--",
        ),
        *("=cmd|' /C calc'!A0", "-12345", "<b>SN</b>", "SN12345\u202e", ";6299998473651209384=30125201?"),
    ],
    ids=ascii,
)
def test_a_serial_number_that_is_none_is_a_refusal_and_not_kept(till, with_item, kind, serial_no):
    answer = till.post(f"/v1/{kind}", with_item(kind, serial_no=serial_no))
    assert codes(answer) == ["SERIAL_INVALID"]
    if kind == "sales":
        sale = till.journal.sale(answer.json()["record_id"])
        assert sale is not None
        assert sale.request.item.serial_no is None


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("field", ["gtin", "serial_no"])
def test_a_character_that_no_database_keeps_is_malformed(till, with_item, kind, field):
    body = with_item(kind, **{field: "690123450\x00001"})
    till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 400, "BODY_INVALID", "$")


@pytest.mark.parametrize("kind", ["quotes", "sales"])
@pytest.mark.parametrize("serial_no", [None, "", "   ", "\t"], ids=ascii)
def test_no_serial_number_is_a_refusal(till, with_item, kind, serial_no):
    assert codes(till.post(f"/v1/{kind}", with_item(kind, serial_no=serial_no))) == ["SERIAL_MISSING"]


@pytest.mark.parametrize("kind", ["quotes", "sales"])
def test_a_serial_number_beyond_all_measure_is_malformed(till, with_item, kind):
    body = with_item(kind, serial_no="S" * 81)
    till.must_refuse(lambda: till.post(f"/v1/{kind}", body), 400, "BODY_INVALID", "$.item.serial_no")


# Ways of paying.

OTHER_TENDERS = [one.value for one in Tender if one is not Tender.CARD]


@pytest.mark.parametrize("pay_code", [None, "284650193758201746"])
@pytest.mark.parametrize("tender", OTHER_TENDERS)
def test_a_way_of_paying_that_we_have_no_link_for_is_a_refusal(till, tender, pay_code):
    before = {name: till.count(name) for name in ("attempt", "outbox", "counter")}
    body = {**till.sale_body(), "tender": {"kind": tender, "pay_code": pay_code}}
    answer = till.post("/v1/sales", body)
    assert codes(answer)[0] == "TENDER_NOT_ALLOWED"
    assert (answer.json()["state"], answer.json()["next_action"]) == ("refused", "USE_ANOTHER_TENDER")
    assert {name: till.count(name) for name in before} == before


@pytest.mark.parametrize("tender", OTHER_TENDERS)
def test_another_attempt_by_a_way_that_we_have_no_link_for_changes_nothing(till, tender):
    sale = till.not_paid_sale()
    before = till.state_hash()
    body = {"operator": "cashier-1", "tender": {"kind": tender}}
    answer = till.post(f"/v1/sales/{sale.record_id}/pay", body)
    assert codes(answer) == ["TENDER_NOT_ALLOWED"]
    assert answer.json()["state"] == "not_paid"
    assert till.state_hash() == before


@pytest.mark.parametrize("tender", [{"kind": "cash"}, {"kind": "qr_scan", "pay_code": "999650193758201746"}])
@pytest.mark.parametrize(
    ("stands", "told"),
    [
        ("in doubt", ("unknown", "DO_NOT_CHARGE")),
        ("parked", ("unknown", "DO_NOT_CHARGE")),
        ("paid", ("paid", "HAND_OVER")),
        ("on its way back", ("unknown", "USE_ANOTHER_TENDER")),
        ("declined", ("not_paid", "USE_ANOTHER_TENDER")),
    ],
)
def test_who_may_not_be_charged_again_is_not_sent_to_another_way_of_paying(till, stands, told, tender):
    sale = till.not_paid_sale()
    if stands != "declined":
        by_card = {"operator": "cashier-1", "tender": {"kind": "card"}}
        till.post(f"/v1/sales/{sale.record_id}/pay?wait_s=0", by_card)
        till.journal.mark_attempt(sale.record_id, 2, "000041")
    if stands == "paid":
        till.journal.paid(sale.record_id, 2, sale.to_pay_fen, Evidence())
    elif stands != "declined":
        till.journal.unknown(sale.record_id, 2, Evidence())
    if stands == "parked":
        till.journal.park(sale.record_id)
    elif stands == "on its way back":
        till.journal.reversing(sale.record_id, 2, Evidence())
    before = till.state_hash()
    answer = till.post(
        f"/v1/sales/{sale.record_id}/pay?wait_s=0", {"operator": "cashier-1", "tender": tender}
    ).json()
    assert [one["code"] for one in answer["reasons"]] == ["TENDER_NOT_ALLOWED"]
    assert (answer["state"], answer["next_action"]) == told
    assert till.state_hash() == before
