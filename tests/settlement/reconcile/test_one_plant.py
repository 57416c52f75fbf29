"""Is each planted change found as one difference of its kind, and none where nothing was planted?"""

import shutil

import night_files as files
import pytest
from night import ACQUIRER, CARD_NO, DAY, NEXT_DAY, WECHAT, NightDay, pay_ref, to_pay, triples
from story import plant as story_plant

from settlement.reconcile.kinds import Kind
from subsidy import ids
from subsidy.policy.model import Tender

CARD, QR, SHOW = Tender.CARD, Tender.QR_SCAN, Tender.QR_SHOW
NOBODY = ids.pay_ref(ids.record_id(1, bytes(10)), 1)


class Eventful:
    """One day with everything that is no difference, looked at without changing it."""

    def __init__(self, folder):
        self.day = day = NightDay(folder)
        self.sold = {CARD: [day.sell(CARD) for _ in range(5)], QR: [day.sell(QR) for _ in range(5)]}
        self.shown = day.sell(SHOW)
        self.again = [day.sell_again(CARD, QR), day.sell_again(QR, CARD), day.sell_again(CARD, CARD)]
        self.given_back = {tender: day.give_back(tender) for tender in (CARD, QR)}
        self.stopped = {tender: day.stop(tender, charged=True) for tender in (CARD, QR)}
        self.never_charged = day.stop(CARD, charged=False)
        self.returned = {CARD: day.sell_and_return(CARD), QR: day.sell_and_return(QR)}
        self.voided = day.sell_and_return(CARD, by_void=True)
        self.refused = day.sell(CARD)
        day.report(day.returning(self.refused), day.returned(self.refused, refunded=False))
        self.returning = day.sell(QR)
        day.report(day.returning(self.returning))
        self.open = day.hold(CARD)
        self.open_and_charged = day.hold(CARD)
        day.charge(self.open_and_charged)
        day.plain_sale()
        day.write_files()
        day.pass_to(NEXT_DAY)

    def night(self, folder):
        return self.day.run(files=folder, dry_run=True)


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    return Eventful(tmp_path_factory.mktemp("eventful"))


class Planting:
    """A copy of the day's files to plant into."""

    def __init__(self, eventful, folder):
        self.eventful = eventful
        self.folder = folder
        shutil.copytree(eventful.day.incoming, folder, dirs_exist_ok=True)
        self.card = files.read_card(folder / f"acquirer-{DAY}.csv")
        self.bill = files.read_bill(folder / f"wechat-{DAY}.csv")

    def card_row(self, ref, kind="sale"):
        return next(row for row in self.card if (row["pay_ref"], row["kind"]) == (ref, kind))

    def bill_row(self, ref, state="SUCCESS"):
        return next(row for row in self.bill if (row["商户订单号"], row["交易状态"]) == (ref, state))

    def run(self):
        (self.folder / f"acquirer-{DAY}.csv").write_bytes(files.card_bytes(self.card))
        (self.folder / f"wechat-{DAY}.csv").write_bytes(files.bill_bytes(self.bill))
        return self.eventful.night(self.folder)

    def finds(self, *planted):
        night = self.run()
        assert triples(night.report) == sorted(planted)
        assert night.exit_code == 4
        proof = night.report.proof
        assert proof.debited.holds
        assert proof.granted.holds
        return night


@pytest.fixture
def planting(eventful, tmp_path):
    return Planting(eventful, tmp_path)


def test_an_eventful_day_without_a_plant_has_no_difference(eventful, tmp_path):
    night = Planting(eventful, tmp_path).run()
    report = night.report
    assert (report.differences, report.older, night.exit_code) == ((), (), 0)
    assert {one.wait for one in report.waiting} == {"sale_open"}
    assert {one.record_id for one in report.waiting} == {
        eventful.day.record(one).record_id for one in (eventful.open, eventful.open_and_charged)
    }
    assert [one.record_id for one in report.returns_open] == [
        eventful.day.record(eventful.returning).record_id
    ]
    # 11 sold at once, 3 with two tries each, 2 given back, 2 stopped, 3 returned, 2 whose return is none yet.
    assert report.matched == 11 + 6 + 2 + 2 + 3 + 2
    assert report.complete
    buckets = report.proof.debited.buckets
    assert buckets["waiting"] == to_pay(eventful.open_and_charged)
    assert buckets["not_of_the_programme"] == 2 * 4990
    assert buckets["matched"] == (11 + 3 + 2) * to_pay(eventful.sold[CARD][0])


def test_the_storys_plants_are_found_and_nothing_else(planting):
    planted = story_plant.plant(planting.folder)
    report = planting.eventful.night(planting.folder).report
    assert triples(report) == sorted(planted)
    # A channel's discount is planted below and in UnionPay's file, rows without an order number elsewhere.
    unnamed = {Kind.TWO_FIT, Kind.MAY_BE_THIS_PAYMENT, Kind.CHARGED_BESIDE}
    elsewhere = {Kind.CHANNEL_DISCOUNT} | unnamed
    assert {kind for kind, _, _ in planted} == {kind.value for kind in Kind} - elsewhere


def test_a_card_sale_missing_in_the_file(planting):
    sold = planting.eventful.sold[CARD][0]
    planting.card.remove(planting.card_row(pay_ref(sold)))
    planting.finds((Kind.MISSING_IN_FILE, pay_ref(sold), to_pay(sold)))


@pytest.mark.parametrize("tender", [QR, SHOW])
def test_a_wallet_sale_missing_in_the_bill(planting, tender):
    sold = planting.eventful.shown if tender is SHOW else planting.eventful.sold[QR][0]
    planting.bill.remove(planting.bill_row(pay_ref(sold)))
    planting.finds((Kind.MISSING_IN_FILE, pay_ref(sold), to_pay(sold)))


def test_a_row_of_no_record(planting):
    sold = planting.eventful.sold[CARD][0]
    planting.card.append({**planting.card_row(pay_ref(sold)), "pay_ref": NOBODY, "trace": "900001"})
    planting.finds((Kind.MISSING_IN_RECORD, NOBODY, to_pay(sold)))


def test_a_row_with_an_order_number_that_cannot_be_ours(planting):
    sold = planting.eventful.sold[CARD][0]
    planting.card.append({**planting.card_row(pay_ref(sold)), "pay_ref": "HANDMADE-1", "trace": "900001"})
    planting.finds((Kind.MISSING_IN_RECORD, "HANDMADE-1", to_pay(sold)))


@pytest.mark.parametrize("tender", [CARD, QR])
def test_a_charge_of_a_sale_that_was_closed_unpaid(planting, tender):
    """Its reversal is gone from the file: the shopper's money is with the shop, and no record says so."""
    stopped = planting.eventful.stopped[tender]
    if tender is CARD:
        planting.card.remove(planting.card_row(pay_ref(stopped), "void"))
    else:
        planting.bill.remove(planting.bill_row(pay_ref(stopped), "REVOKED"))
    planting.finds((Kind.MISSING_IN_RECORD, pay_ref(stopped), to_pay(stopped)))


def test_a_charge_of_a_sale_that_was_never_charged(planting):
    sold, stopped = planting.eventful.sold[CARD][0], planting.eventful.never_charged
    row = {**planting.card_row(pay_ref(sold)), "pay_ref": pay_ref(stopped), "trace": "900001"}
    planting.card.append(row)
    planting.finds((Kind.MISSING_IN_RECORD, pay_ref(stopped), to_pay(sold)))


def test_a_try_that_its_record_does_not_know(planting):
    sold = planting.eventful.sold[CARD][0]
    row = {**planting.card_row(pay_ref(sold)), "pay_ref": pay_ref(sold, 2), "trace": "900001"}
    planting.card.append(row)
    planting.finds((Kind.MISSING_IN_RECORD, pay_ref(sold, 2), to_pay(sold)))


def test_the_charge_of_a_reversed_try_is_missing(planting):
    stopped = planting.eventful.stopped[CARD]
    planting.card.remove(planting.card_row(pay_ref(stopped)))
    planting.finds((Kind.MISSING_IN_FILE, pay_ref(stopped), to_pay(stopped)))


@pytest.mark.parametrize("by", [-1, 1, 100_000])
def test_another_amount_on_a_card(planting, by):
    sold = planting.eventful.sold[CARD][0]
    row = planting.card_row(pay_ref(sold))
    row["fen"] = str(int(row["fen"]) + by)
    planting.finds((Kind.AMOUNT, pay_ref(sold), abs(by)))


def test_another_amount_in_the_bill(planting):
    sold = planting.eventful.sold[QR][0]
    row = planting.bill_row(pay_ref(sold))
    for name in ("应结订单金额", "订单金额"):
        row[name] = files.yuan(to_pay(sold) - 3)
    planting.finds((Kind.AMOUNT, pay_ref(sold), 3))


def test_another_amount_was_refunded(planting):
    returned = planting.eventful.returned[CARD]
    row = planting.card_row(pay_ref(returned), "refund")
    row["fen"] = str(int(row["fen"]) - 7)
    planting.finds((Kind.AMOUNT, pay_ref(returned), 7))


def test_another_amount_was_reversed(planting):
    stopped = planting.eventful.stopped[CARD]
    row = planting.card_row(pay_ref(stopped), "void")
    row["fen"] = str(int(row["fen"]) - 7)
    planting.finds((Kind.AMOUNT, pay_ref(stopped), 7))


@pytest.mark.parametrize("changes", [{}, {"trace": "900001", "rrn": "900000000001"}], ids=["row", "charge"])
def test_a_card_sale_that_stands_twice(planting, changes):
    sold = planting.eventful.sold[CARD][0]
    planting.card.append({**planting.card_row(pay_ref(sold)), **changes})
    planting.finds((Kind.DOUBLED, pay_ref(sold), to_pay(sold)))


def test_a_bills_row_that_stands_twice(planting):
    sold = planting.eventful.sold[QR][0]
    planting.bill.append({**planting.bill_row(pay_ref(sold))})
    planting.finds((Kind.DOUBLED, pay_ref(sold), to_pay(sold)))


@pytest.mark.parametrize("changes", [{}, {"trace": "900001", "rrn": "900000000001"}], ids=["row", "refund"])
@pytest.mark.parametrize("kind", ["refund", "void"])
def test_money_that_goes_back_twice(planting, kind, changes):
    sold = planting.eventful.returned[CARD] if kind == "refund" else planting.eventful.stopped[CARD]
    planting.card.append({**planting.card_row(pay_ref(sold), kind), **changes})
    planting.finds((Kind.DOUBLED, pay_ref(sold), to_pay(sold)))


@pytest.mark.parametrize("day", ["2025-12-31", "2026-02-28", NEXT_DAY])
def test_another_date_on_a_row(planting, day):
    sold = planting.eventful.sold[CARD][0]
    planting.card_row(pay_ref(sold))["settle_date"] = day
    planting.finds((Kind.DATE, pay_ref(sold), to_pay(sold)))


def test_another_date_in_the_bill(planting):
    sold = planting.eventful.sold[QR][0]
    planting.bill_row(pay_ref(sold))["交易时间"] = "2026-02-28 12:00:00"
    planting.finds((Kind.DATE, pay_ref(sold), to_pay(sold)))


def test_another_date_on_a_refund(planting):
    returned = planting.eventful.returned[CARD]
    planting.card_row(pay_ref(returned), "refund")["settle_date"] = NEXT_DAY
    planting.finds((Kind.DATE, pay_ref(returned), to_pay(returned)))


@pytest.mark.parametrize("number", ["999999999999999", "EMU000000000009"], ids=["unknown", "other-shop"])
def test_a_merchant_number_that_is_not_the_shops(planting, number):
    sold = planting.eventful.sold[CARD][0]
    planting.card_row(pay_ref(sold))["mid"] = number
    planting.finds((Kind.FOREIGN_MERCHANT, pay_ref(sold), to_pay(sold)))


def test_a_foreign_merchant_number_in_the_bill(planting):
    sold = planting.eventful.sold[QR][0]
    planting.bill_row(pay_ref(sold))["商户号"] = "1900000109"
    planting.finds((Kind.FOREIGN_MERCHANT, pay_ref(sold), to_pay(sold)))


def test_a_foreign_row_added_to_a_sale_that_is_whole(planting):
    sold = planting.eventful.sold[CARD][0]
    row = {**planting.card_row(pay_ref(sold)), "mid": "999999999999999", "trace": "900001"}
    planting.card.append(row)
    planting.finds((Kind.FOREIGN_MERCHANT, pay_ref(sold), to_pay(sold)))


@pytest.mark.parametrize("ref", [NOBODY, ""], ids=["nobodys", "plain"])
def test_a_foreign_row_of_no_sale_of_ours(planting, ref):
    row = {**planting.card[0], "mid": "999999999999999", "trace": "900001", "pay_ref": ref}
    planting.card.append(row)
    planting.finds((Kind.FOREIGN_MERCHANT, ref, int(row["fen"])))


@pytest.mark.parametrize("kind", ["refund", "void"])
def test_a_card_sale_given_back_past_the_till(planting, kind):
    sold = planting.eventful.sold[CARD][0]
    planting.card.append({**planting.card_row(pay_ref(sold)), "kind": kind, "trace": "900001"})
    planting.finds((Kind.REFUND_WITHOUT_RETURN, pay_ref(sold), to_pay(sold)))


def test_a_sale_whose_refund_was_refused_is_given_back(planting):
    refused = planting.eventful.refused
    planting.card.append({**planting.card_row(pay_ref(refused)), "kind": "refund", "trace": "900001"})
    planting.finds((Kind.REFUND_WITHOUT_RETURN, pay_ref(refused), to_pay(refused)))


def test_a_part_of_a_wallet_sale_given_back_past_the_till(planting):
    sold, returned = planting.eventful.sold[QR][0], planting.eventful.returned[QR]
    row = {**planting.bill_row(pay_ref(returned), "REFUND"), "商户订单号": pay_ref(sold)}
    row |= {"微信退款单号": "503099", "商户退款单号": "BYHAND1", "退款金额": "1.00", "申请退款金额": "1.00"}
    planting.bill.append(row)
    planting.finds((Kind.REFUND_WITHOUT_RETURN, pay_ref(sold), 100))


@pytest.mark.parametrize("tender", [CARD, QR])
def test_a_return_without_its_refund(planting, tender):
    returned = planting.eventful.returned[tender]
    if tender is CARD:
        planting.card.remove(planting.card_row(pay_ref(returned), "refund"))
    else:
        planting.bill.remove(planting.bill_row(pay_ref(returned), "REFUND"))
    planting.finds((Kind.RETURN_WITHOUT_REFUND, pay_ref(returned), to_pay(returned)))


@pytest.mark.parametrize("tender", [CARD, QR])
def test_a_late_charge_that_was_not_given_back_after_all(planting, tender):
    given_back = planting.eventful.given_back[tender]
    if tender is CARD:
        planting.card.remove(planting.card_row(pay_ref(given_back), "refund"))
    else:
        planting.bill.remove(planting.bill_row(pay_ref(given_back), "REFUND"))
    planting.finds((Kind.RETURN_WITHOUT_REFUND, pay_ref(given_back), to_pay(given_back)))


def test_a_refund_that_the_channel_could_not_give(planting):
    returned = planting.eventful.returned[QR]
    planting.bill_row(pay_ref(returned), "REFUND")["退款状态"] = "FAIL"
    night = planting.finds((Kind.RETURN_WITHOUT_REFUND, pay_ref(returned), to_pay(returned)))
    assert night.report.proof.debited.buckets["refund_failed"] == -to_pay(returned)


def test_the_sale_and_the_refund_of_a_return_are_both_missing(planting):
    """They come to nothing, and so does the record: some acquirers leave out voided pairs."""
    voided = planting.eventful.voided
    for kind in ("sale", "void"):
        planting.card.remove(planting.card_row(pay_ref(voided), kind))
    night = planting.run()
    assert triples(night.report) == []


def test_a_file_that_has_not_come_is_waited_for(planting):
    night_file = planting.folder / f"wechat-{DAY}.csv"
    night_file.unlink()
    night = planting.eventful.night(planting.folder)
    report = night.report
    assert (report.differences, report.complete, night.exit_code) == ((), False, 4)
    waiting = {one.pay_ref for one in report.waiting if one.wait == "file_to_come"}
    assert {pay_ref(one) for one in planting.eventful.sold[QR]} <= waiting
    assert not {pay_ref(one) for one in planting.eventful.sold[CARD]} & waiting
    assert {one.source: one.state for one in report.files} == {ACQUIRER: "here", WECHAT: "to_come"}


def test_every_difference_has_an_owner_and_a_next_step(planting):
    planting.card.append({**planting.card[0], "mid": CARD_NO[::-1], "trace": "900001"})
    (found,) = planting.run().report.differences
    assert found.owner == "platform"
    assert found.next_step
    assert found.zh
    assert found.en
    assert found.day == DAY


def test_a_coupon_of_the_channels_is_a_difference_of_what_it_bore(planting, eventful):
    sold = eventful.sold[QR][0]
    planting.bill_row(pay_ref(sold))["代金券金额"] = "5.00"
    planting.finds((Kind.CHANNEL_DISCOUNT, pay_ref(sold), 500))


def test_a_coupon_on_what_is_not_of_the_programme_is_none(planting):
    row = next(row for row in planting.bill if row["商户订单号"].startswith("POS"))
    row["代金券金额"] = "5.00"
    assert planting.run().report.differences == ()
