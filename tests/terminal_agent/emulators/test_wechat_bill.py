import csv
import datetime
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from wechat import EmulatedWechat, new_ask

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.channels.signed_client import authorization
from terminal_agent.checkout.ports import Back
from terminal_agent.emulators.wechat_bill import HEADER, SUMMARY_HEADER, trade_bill
from terminal_agent.emulators.wechat_books import WechatBooks

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def today():
    """Return the day as a bill names it. Asked anew by each test: the next may begin after midnight."""
    return datetime.datetime.now(SHANGHAI).date().isoformat()


@pytest.fixture
def books(tmp_path):
    opened = WechatBooks(tmp_path / "books.jsonl")
    yield opened
    opened.close()


def rows(content):
    """Read a bill by its header, as a reader of the real one has to: a value may hold a comma."""
    lines = content.decode("utf-8-sig").split("\r\n")
    assert lines[-1] == ""
    header, summary_header, summary = lines[0], lines[-3], lines[-2]
    details = [dict(zip(header.split(","), one[1:].split(",`"), strict=True)) for one in lines[1:-3]]
    return details, dict(zip(summary_header.split(","), summary[1:].split(",`"), strict=True))


def test_the_columns_are_wechats():
    assert len(HEADER.split(",")) == 27
    assert len(SUMMARY_HEADER.split(",")) == 7
    assert HEADER.startswith("交易时间,公众账号ID,商户号,")
    assert next(csv.reader([HEADER]))[14:16] == ["微信退款单号", "商户退款单号"]


def test_a_days_bill_holds_what_moved_and_its_totals(books):
    about = {"code_hash": "c1", "description": "空调,以旧换新"}
    noon = int(datetime.datetime.fromisoformat("2026-11-23T12:00:00+08:00").timestamp() * 1000)
    books.write("charge", "ORDER001", 339_915, **about, at_ms=noon)
    books.write("declined", "ORDER002", 100, at_ms=noon)
    books.write("reversal", "ORDER003", 0, at_ms=noon)  # never paid: nothing moved
    books.write("charge", "ORDER004", 85_000, at_ms=noon)
    books.write("reversal", "ORDER004", 85_000, at_ms=noon)
    books.write("refund", "ORDER001", 9_915, out_refund_no="ORDER001R", at_ms=noon)
    books.write("charge", "ORDER005", 1, at_ms=noon + 12 * 3_600_000)  # the next day's first second

    content = trade_bill(books.lines, "2026-11-23", "wxEMU0000000000000", "EMU00000001")
    details, summary = rows(content)

    assert content.startswith(b"\xef\xbb\xbf")
    shown = [(one["商户订单号"], one["交易状态"], one["订单金额"], one["申请退款金额"]) for one in details]
    assert shown == [
        ("ORDER001", "SUCCESS", "3399.15", "0.00"),
        ("ORDER004", "SUCCESS", "850.00", "0.00"),
        ("ORDER004", "REVOKED", "0.00", "850.00"),
        ("ORDER001", "REFUND", "0.00", "99.15"),
    ]
    assert details[0]["商品名称"] == details[3]["商品名称"] == "空调,以旧换新"
    assert details[0]["手续费"] == "20.39000"
    assert details[0]["交易时间"] == "2026-11-23 12:00:00"
    assert (details[2]["商户退款单号"], details[3]["商户退款单号"]) == ("ORDER004", "ORDER001R")
    assert details[2]["微信订单号"] == details[1]["微信订单号"]
    assert summary == {
        "总交易单数": "4",
        "应结订单总金额": "4249.15",
        "退款总金额": "949.15",
        "充值券退款总金额": "0.00",
        "手续费总金额": "19.80000",
        "订单总金额": "4249.15",
        "申请退款总金额": "949.15",
    }


def test_a_day_without_movement_has_no_bill(books):
    books.write("declined", "ORDER002", 100)
    assert trade_bill(books.lines, today(), "wx", "EMU1") is None


def get(wechat, path):
    """GET a path of the API, signed as the merchant."""
    ready = wechat.ready
    with open(ready["merchant_key"], "rb") as file:
        key = load_pem_private_key(file.read(), None)
    header = authorization(
        key,
        serial=ready["merchant_serial"],
        mchid=ready["mchid"],
        method="GET",
        path=path,
        timestamp=int(time.time()),
        nonce="N0NCE",
        body=b"",
    )
    connection = http.client.HTTPConnection(urlsplit(wechat.base_url).netloc, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": header})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def file_of(wechat, day):
    """GET the bill of a day from the control address, which wants no signature."""
    with urllib.request.urlopen(f"{wechat.control}/file?date={day}", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        return answer.read()


def test_a_bill_is_offered_signed_and_fetched_with_its_hash(tmp_path):
    with EmulatedWechat.start(tmp_path) as wechat:
        assert json.loads(get(wechat, f"/v3/bill/tradebill?bill_date={today()}&bill_type=ALL")[2])[
            "code"
        ] == ("NO_STATEMENT_EXIST")
        channel = wechat.channel()
        reversed_, refunded = new_ask(100), new_ask(200)
        for ask in (reversed_, refunded):
            channel.take(ask)
        channel.reverse(reversed_, Evidence())
        channel.refund(refunded, Back(ids.refund_no(refunded.pay_ref), 200, Evidence()))

        status, headers, body = get(wechat, f"/v3/bill/tradebill?bill_date={today()}&bill_type=ALL")
        offer = json.loads(body)
        assert (status, offer["hash_type"]) == (200, "SHA1")
        assert headers["Wechatpay-Serial"] == wechat.ready["platform_key_id"]
        parts = urlsplit(offer["download_url"])
        status, headers, content = get(wechat, f"{parts.path}?{parts.query}")
        assert status == 200
        assert "Wechatpay-Signature" not in headers  # only the hash vouches for it
        assert hashlib.sha1(content).hexdigest() == offer["hash_value"]
        details, _ = rows(content)
        assert {one["商户订单号"] for one in details} == {reversed_.pay_ref, refunded.pay_ref}
        assert [one["交易状态"] for one in details] == ["SUCCESS", "SUCCESS", "REVOKED", "REFUND"]
        assert all(one["商户号"] == wechat.ready["mchid"] for one in details)

        assert file_of(wechat, today()) == content
        details, summary = rows(file_of(wechat, "2026-01-31"))
        assert (details, summary["总交易单数"], summary["申请退款总金额"]) == ([], "0", "0.00")
        for wrong in ("", "?date=today", f"?date={today()}&x=y", f"?day={today()}"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{wechat.control}/file{wrong}", timeout=5)
            assert refused.value.code == 400
            refused.value.close()

        for wrong in ("bill_date=today", f"bill_date={today()}&bill_type=SUCCESS", "bill_type=ALL"):
            assert get(wechat, f"/v3/bill/tradebill?{wrong}")[0] == 400
        assert get(wechat, f"{parts.path}?token=guessed")[0] == 404
