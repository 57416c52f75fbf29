"""A till asks for a code to be shown: whose, where it stands, what the display shows, and until when."""

import re

import pytest
from quiet_till import HOST, TERMINALS, QuietTill

from subsidy.money import yuan
from subsidy.records.payment import Evidence
from terminal_agent.channels.codes import Wallet, shown_link_name
from terminal_agent.checkout.goods_return import Wish
from terminal_agent.till import display

CODE = 'weixin://wxpay/bizpayurl?pr=p4l&"<b>'


@pytest.fixture
def till(tmp_path):
    with QuietTill(tmp_path, showing=(Wallet.WECHAT,)) as running:
        yield running


@pytest.fixture
def two_wallets(tmp_path):
    with QuietTill(tmp_path, showing=(Wallet.WECHAT, Wallet.ALIPAY)) as running:
        yield running


def body(till, **tender):
    return {**till.sale_body(), "tender": {"kind": "qr_show", **tender}}


def shown(till):
    """Return a sale whose code is on the board, as its worker would have put it there."""
    sold = till.post("/v1/sales", body(till)).json()
    till.board.put(sold["attempts"][0]["pay_ref"], CODE)
    return sold


def look(till, path="/display/01/now"):
    answer = till.send("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_sale_is_paying_by_the_link_of_its_wallet(till):
    sold = till.post("/v1/sales", body(till)).json()
    assert (sold["state"], sold["next_action"], sold["show"]) == ("paying", "WAIT", None)
    assert sold["attempts"][0]["terminal_no"] == shown_link_name(Wallet.WECHAT, TERMINALS["01"])
    assert sold["attempts"][0]["tender"] == "qr_show"


def test_the_code_and_its_end_stand_in_the_tills_document(till):
    sold = shown(till)
    seen = till.send("GET", f"/v1/sales/{sold['record_id']}").json()
    assert seen["show"] == {"code": CODE, "expires_at": "2026-03-01T12:15:00+08:00"}


def test_the_code_is_gone_from_the_document_once_it_is_taken_down(till):
    sold = shown(till)
    till.board.take_down(sold["attempts"][0]["pay_ref"])
    assert till.send("GET", f"/v1/sales/{sold['record_id']}").json()["show"] is None


def test_a_wallet_may_be_named_and_must_be_where_there_are_two(two_wallets):
    refused = two_wallets.post("/v1/sales", body(two_wallets))
    assert (refused.status_code, refused.json()["code"]) == (422, "WALLET_MISSING")
    sold = two_wallets.post("/v1/sales", body(two_wallets, wallet="alipay")).json()
    assert sold["attempts"][0]["terminal_no"].startswith("ALIPAY@")


def test_a_wallet_that_shows_no_codes_here_is_a_refusal(till):
    sold = till.post("/v1/sales", body(till, wallet="unionpay")).json()
    assert (sold["state"], sold["reasons"][0]["code"]) == ("refused", "TENDER_NOT_ALLOWED")
    assert till.handed_over == []


def test_a_wallet_nobody_knows_is_a_malformed_request(till):
    till.must_refuse(lambda: till.post("/v1/sales", body(till, wallet="paypal")), 400, "BODY_INVALID")


def test_where_no_codes_are_shown_the_tender_is_refused(tmp_path):
    with QuietTill(tmp_path) as till:
        sold = till.post("/v1/sales", body(till)).json()
        assert sold["reasons"][0]["code"] == "TENDER_NOT_ALLOWED"


# The second screen.


def test_the_display_shows_what_is_sold_what_is_taken_off_and_what_is_to_be_paid(till):
    sold = shown(till)
    seen = look(till)
    for text in ("应付", "To pay", "政府补贴", "Government subsidy", "旧机抵扣", "请扫码支付", "Scan to pay"):
        assert text in seen
    for sign, fen in (("", "initial_price_fen"), ("-", "subsidy_fen"), ("", "to_pay_fen")):
        assert f">{sign}¥{yuan(sold[fen])}<" in seen
    assert sold["item"]["gtin"] in seen
    assert f'data-until="{1_772_337_600_000 + 900_000}"' in seen
    assert "<svg" in seen


def test_the_display_names_nobody_and_no_serial_number(till):
    sold = shown(till)
    seen = look(till)
    for text in (sold["item"]["serial_no"], "QC-", "cashier-1"):
        assert text not in seen


def test_a_code_is_drawn_and_never_written_into_the_page(till):
    shown(till)
    assert "<b>" not in re.sub(r"<b( data-until[^>]*)?>[^<]*</b>", "", look(till))
    assert "wxpay" not in look(till)


def test_other_tills_see_nothing_of_it(till):
    shown(till)
    assert "<svg" not in look(till, "/display/02/now")


@pytest.mark.parametrize(
    ("end", "says"), [("paid", "支付成功"), ("open", "请稍候"), ("over", "二维码已失效")]
)
def test_the_display_says_how_it_ended_to_who_has_seen_it(till, end, says):
    sold = shown(till)
    till.board.take_down(sold["attempts"][0]["pay_ref"])
    if end == "paid":
        till.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], Evidence())
    elif end == "over":
        till.journal.not_paid(sold["record_id"], 1, Evidence(), keep_hold=False)
    assert says in look(till, f"/display/01/now?seen={sold['record_id']}")
    assert "欢迎光临" in look(till)
    assert "欢迎光临" in look(till, f"/display/02/now?seen={sold['record_id']}")
    assert "欢迎光临" in look(till, "/display/01/now?seen=nobody")


def ended(till, end):
    """Return the address at which the page asks on, of a sale whose code it has shown and that has ended."""
    sold = shown(till)
    till.board.take_down(sold["attempts"][0]["pay_ref"])
    if end == "over":
        till.journal.not_paid(sold["record_id"], 1, Evidence(), keep_hold=False)
    else:
        till.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], Evidence())
    return f"/display/01/now?seen={sold['record_id']}"


@pytest.mark.parametrize(("end", "says"), [("paid", "支付成功"), ("over", "二维码已失效")])
@pytest.mark.parametrize("set_back", [1, -1])
def test_how_a_sale_ended_is_told_for_a_moment_only(till, end, says, set_back):
    page = ended(till, end)
    till.clock.at_ms += set_back * 29_000
    assert says in look(till, page)
    till.clock.at_ms += set_back * 1_000
    assert "欢迎光临" in look(till, page)


def test_the_moment_begins_with_the_end_of_what_was_tried_last(till):
    sold = till.post("/v1/sales", till.sale_body()).json()
    till.journal.not_paid(sold["record_id"], 1, Evidence(code="51"), keep_hold=True)
    till.clock.at_ms += 60_000
    phone = {"operator": "cashier-1", "tender": {"kind": "qr_show"}}
    till.post(f"/v1/sales/{sold['record_id']}/pay?wait_s=0", phone)
    till.journal.not_paid(sold["record_id"], 2, Evidence(), keep_hold=False)
    assert "二维码已失效" in look(till, f"/display/01/now?seen={sold['record_id']}")


@pytest.mark.parametrize("end", ["paid", "over"])
@pytest.mark.parametrize("tender", [{"kind": "card"}, {"kind": "qr_show"}])
def test_the_next_shopper_is_not_told_how_the_sale_before_has_ended(till, end, tender):
    page = ended(till, end)
    till.post("/v1/sales", {**till.sale_body(), "till_no": "02"})
    assert "欢迎光临" not in look(till, page)
    till.clock.at_ms -= 86_400_000 * 10  # its clock was wrong and is set right
    sold = till.post("/v1/sales", {**till.sale_body(), "tender": tender}).json()
    till.clock.at_ms += 86_400_000 * 10
    assert "欢迎光临" in look(till, page)
    till.journal.not_paid(sold["record_id"], 1, Evidence(code="51"), keep_hold=True)
    assert "欢迎光临" in look(till, page)


def test_an_earlier_sale_that_is_still_open_asks_no_later_shopper_to_wait(till):
    sold = shown(till)
    till.board.take_down(sold["attempts"][0]["pay_ref"])
    page = f"/display/01/now?seen={sold['record_id']}"
    assert "请稍候" in look(till, page)
    till.post("/v1/sales", till.sale_body())
    assert "欢迎光临" in look(till, page)


@pytest.mark.parametrize("tender", [{"kind": "card"}, {"kind": "qr_show"}])
@pytest.mark.parametrize("is_over", [False, True])
def test_the_next_shopper_is_never_shown_the_code_of_the_sale_before(till, tender, is_over):
    before = shown(till)
    page = f"/display/01/now?seen={before['record_id']}"
    till.post("/v1/sales", {**till.sale_body(), "till_no": "02"})
    assert "<svg" in look(till, page)
    till.clock.at_ms -= 86_400_000 * 10  # its clock was wrong and is set right
    sold = till.post("/v1/sales", {**till.sale_body(), "tender": tender}).json()
    if is_over:
        till.journal.not_paid(sold["record_id"], 1, Evidence(code="51"), keep_hold=False)
    assert till.send("GET", f"/v1/sales/{before['record_id']}").json()["show"]["code"] == CODE
    assert "欢迎光临" in look(till, page)
    assert "欢迎光临" in look(till)


def test_an_item_that_is_scanned_twice_leaves_its_code_where_it_is(till):
    sold = shown(till)
    again = {**body(till), "item": {**till.sale_body()["item"], "serial_no": sold["item"]["serial_no"]}}
    assert till.post("/v1/sales", again).json()["already"]
    assert "<svg" in look(till)
    till.post("/v1/sales", till.sale_body())
    assert "<svg" not in look(till)
    assert till.post("/v1/sales", again).json()["already"]
    assert "<svg" in look(till)


def test_goods_that_come_back_say_nothing_of_a_code(till):
    page = ended(till, "paid")
    wish = Wish(operator="cashier-1", supervisor="supervisor-1", reason="too loud")
    till.journal.begin_return(page.partition("=")[2], wish, None)
    assert "欢迎光临" in look(till, page)


def test_the_page_may_load_nothing_from_elsewhere(till):
    answer = till.send("GET", "/display/01")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r'(src|href)="', answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_the_display_is_for_this_host_only(till):
    answer = till.send("GET", "/display/01", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert till.send("GET", "/display/01", headers={"Host": HOST}).status_code == 200


@pytest.mark.parametrize("path", ["/display/99", "/display/99/now"])
def test_a_till_that_is_not_here_is_said_so(till, path):
    assert till.send("GET", path).json()["code"] == "TILL_UNKNOWN"


def test_a_code_of_every_length_is_drawn():
    for size in (1, 20, 100, 500):
        assert display.drawn("weixin://" + "x" * size).startswith("<svg")
