"""Does the emulated Alipay write the bill of what moved, and give it at an address that soon ends?"""

import io
import json
import time
import urllib.error
import urllib.request
import zipfile

import pytest
from alipay import EmulatedAlipay, new_ask

from settlement.reconcile.sources.alipay_bill import read
from settlement.reconcile.sources.text import Place
from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Back

METHOD = "alipay.data.dataservice.bill.downloadurl.query"


@pytest.fixture(scope="module")
def alipay(tmp_path_factory):
    with EmulatedAlipay.start(tmp_path_factory.mktemp("alipay"), download_ms=400) as running:
        yield running


def asked_for(alipay, day, bill_type="trade"):
    answer = alipay.channel()._client.call(METHOD, {"bill_type": bill_type, "bill_date": day})
    return json.loads(answer.body)


def download(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def test_what_moved_stands_in_the_bill_that_is_downloaded_and_read(alipay):
    channel = alipay.channel()
    kept, parted, undone, never = new_ask(100), new_ask(200), new_ask(300), new_ask(400)
    alipay.fault("offer", platform=5, merchant=2, on="pay")
    for ask in (kept, parted, undone):
        channel.take(ask)
    alipay.fault("declined", on="pay")
    channel.take(never)
    channel.refund(parted, Back(ids.refund_no(parted.pay_ref), 50, Evidence()))
    channel.reverse(undone, Evidence())
    day = alipay.books()[0]["at"][:10]

    url = asked_for(alipay, day)["bill_download_url"]
    raw = download(url)
    assert raw == download(url)
    place = Place("alipay", day, "bill.zip")
    lines = read(raw, place).lines
    assert [(one.kind, one.fen, one.pay_ref) for one in lines] == [
        ("sale", 100, kept.pay_ref),
        ("sale", 200, parted.pay_ref),
        ("sale", 300, undone.pay_ref),
        ("refund", 50, parted.pay_ref),
        ("void", 300, undone.pay_ref),
    ]
    shown = urllib.request.urlopen(f"{alipay.control}/file?date={day}", timeout=5)
    with shown, zipfile.ZipFile(io.BytesIO(shown.read())) as same:
        assert same.testzip() is None
        assert len(same.namelist()) == 2


def test_the_address_of_a_bill_ends(alipay):
    alipay.channel().take(new_ask(100))
    url = asked_for(alipay, alipay.books()[0]["at"][:10])["bill_download_url"]
    assert download(url)
    time.sleep(0.5)
    with pytest.raises(urllib.error.HTTPError) as ended:
        download(url)
    with ended.value as answer:
        assert answer.status == 404


def test_there_is_no_bill_of_a_day_on_which_nothing_moved(alipay):
    assert asked_for(alipay, "2020-01-01")["sub_code"] == "isp.bill_not_exist"
    with pytest.raises(urllib.error.HTTPError) as none:
        urllib.request.urlopen(f"{alipay.control}/file?date=2020-01-01", timeout=5)
    with none.value as answer:
        assert answer.status == 400


@pytest.mark.parametrize(("day", "bill_type"), [("2020-1-1", "trade"), ("2020-01-01", "signcustomer")])
def test_another_kind_of_bill_is_refused(day, bill_type, alipay):
    assert asked_for(alipay, day, bill_type)["sub_code"] == "isv.invalid-arguments"
