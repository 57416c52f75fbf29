"""WeChat Pay's keys and ours change in the middle of sales, under new numbers: every answer stays clear."""

import os
import re
import secrets
from pathlib import Path

import pytest
from wechat import EmulatedWechat, RealClock, new_ask, new_shown_ask, only_platform_key

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.profile import key_places, read_profile
from terminal_agent.channels.wallets import WechatChannel
from terminal_agent.channels.wechat_keys import KeyFiles
from terminal_agent.checkout.ports import Back, Say

FEN = 85_000


def put(file: Path, content: bytes) -> None:
    beside = file.with_name(f"{file.name}.new")
    beside.write_bytes(content)
    os.replace(beside, file)


class Shop:
    """A shop's profile and key files, and its channel, opened once and never again."""

    def __init__(self, folder: Path, wechat: EmulatedWechat) -> None:
        folder.mkdir()
        self.wechat = wechat
        self.key, self.certificate = folder / "apiclient_key.pem", folder / "apiclient_cert.pem"
        self.platform, self.file = folder / "wechatpay.pem", folder / "wechat.yaml"
        for mine, theirs in (
            (self.key, "merchant_key"),
            (self.certificate, "merchant_certificate"),
            (self.platform, "platform_key"),
        ):
            mine.write_bytes(Path(wechat.ready[theirs]).read_bytes())
        self.text = wechat.profile_text(private_key=self.key.name, certificate=self.certificate.name)
        self.say_platform({wechat.ready["platform_key_id"]: self.platform.name})
        self.open()

    def say_platform(self, files: dict[str, str]) -> None:
        """Write the profile anew with these keys of WeChat Pay's."""
        lines = "\n".join(f'  "{name}": "{file}"' for name, file in files.items())
        put(self.file, only_platform_key(self.text, lines).encode())

    def open(self) -> None:
        """Start the agent again."""
        profile = read_profile(self.file.read_text(), str(self.file), self.file.parent, training=True)
        self.channel = WechatChannel(profile)
        self.payment = self.channel.payment(RealClock(), secrets.token_bytes)
        self.showing = self.channel.showing(RealClock(), secrets.token_bytes)
        self.keys = KeyFiles(key_places(profile))

    def renew(self, what: str, *, keep_old: bool) -> dict[str, str]:
        return self.wechat.call("POST", "/renew", {"what": what, "keep_old": keep_old})

    def sells(self) -> None:
        """Take, ask, reverse and refund, by codes shown either way: all of it is clear."""
        ask, gone, shown = new_ask(FEN), new_ask(FEN), new_shown_ask(FEN)
        assert self.payment.take(ask).say is Say.APPROVED
        assert self.payment.query(ask).say is Say.APPROVED
        back = Back(ids.refund_no(ask.pay_ref), FEN, Evidence())
        assert self.payment.refund(ask, back).say is Say.APPROVED
        assert self.payment.take(gone).say is Say.APPROVED
        assert self.payment.reverse(gone, Evidence()).say is Say.APPROVED
        assert self.wechat.scan(self.showing.take(shown).show)
        assert self.showing.query(shown).say is Say.APPROVED
        assert self.wechat.moved(ask.pay_ref) == [("charge", FEN), ("refund", FEN)]
        assert self.wechat.moved(gone.pay_ref) == [("charge", FEN), ("reversal", FEN)]


@pytest.fixture
def shop(tmp_path):
    with EmulatedWechat.start(tmp_path / "wechat") as wechat:
        yield Shop(tmp_path / "shop", wechat)


def test_the_merchants_certificate_is_renewed_in_the_middle_of_a_sale(shop):
    shop.sells()
    ask = new_ask(FEN)
    assert shop.payment.take(ask).say is Say.APPROVED
    new = shop.renew("merchant", keep_old=False)
    put(shop.key, Path(new["key"]).read_bytes())
    put(shop.certificate, Path(new["certificate"]).read_bytes())
    assert shop.payment.query(ask).say is Say.APPROVED
    shop.sells()
    assert (shop.keys.current().serial, shop.keys.problem) == (new["id"], None)


@pytest.mark.parametrize("first", ["key", "certificate"])
def test_half_a_new_set_leaves_the_old_pair_at_work_and_is_told(shop, first):
    shop.sells()
    old = shop.keys.current()
    new = shop.renew("merchant", keep_old=True)
    second = {"key": "certificate", "certificate": "key"}[first]
    put(getattr(shop, first), Path(new[first]).read_bytes())
    shop.sells()
    assert shop.keys.current() is old
    assert "does not belong to the certificate beside it" in shop.keys.problem
    with pytest.raises(KeyTrouble, match="does not belong to the certificate"):  # as `doctor` says it
        shop.channel.try_keys()
    put(getattr(shop, second), Path(new[second]).read_bytes())
    shop.sells()
    assert (shop.keys.current().serial, shop.keys.problem) == (new["id"], None)
    shop.channel.try_keys()


@pytest.mark.parametrize("what", ["platform_certificate", "platform_public_key"])
def test_the_platforms_new_key_and_the_old_one_are_believed_side_by_side(shop, what):
    """From one certificate or PUB_KEY_ID to the next, and from either mode to the other."""
    old_name, old_file = shop.wechat.ready["platform_key_id"], shop.platform.name
    for turn in range(2):
        shop.sells()
        new = shop.renew(what, keep_old=True)
        file = shop.platform.with_name(f"new-{turn}.pem")
        file.write_bytes(Path(new["file"]).read_bytes())
        name = new["id"] if what == "platform_public_key" else f"AAAAAAA{turn}"
        shop.say_platform({name: file.name, old_name: old_file})
        shop.sells()  # answers are signed by the one and by the other
        old_name, old_file = name, file.name
    assert new["id"] in shop.keys.current().platform


def test_a_platform_certificate_is_put_into_the_file_of_the_old_one(shop):
    """What `doctor` advises. The file's name in the profile stays what it was."""
    first = shop.renew("platform_certificate", keep_old=False)
    put(shop.platform, Path(first["file"]).read_bytes())
    shop.say_platform({first["id"]: shop.platform.name})
    shop.open()
    shop.sells()
    new = shop.renew("platform_certificate", keep_old=True)
    put(shop.platform, Path(new["file"]).read_bytes() + Path(first["file"]).read_bytes())
    shop.sells()
    assert list(shop.keys.current().platform) == [new["id"], first["id"]]
    put(shop.platform, Path(new["file"]).read_bytes())
    assert list(shop.keys.current().platform) == [new["id"]]


def test_a_key_that_is_not_there_any_more_is_not_believed_any_more(shop):
    shop.renew("platform_public_key", keep_old=False)
    ask = new_ask(FEN)
    assert shop.payment.take(ask).evidence.code == "UNKNOWN_KEY"
    assert shop.payment.query(ask).say is Say.UNCLEAR


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: "family: [", "the profile cannot be read"),
        (lambda text: text.replace("PUB_KEY_ID_", "NO_KEY_"), "no key id"),
        (lambda text: re.sub(r'mchid: ".+"', 'mchid: "EMU00000002"', text), "is another merchant's"),
        (lambda text: text.replace("wechatpay.pem", "nowhere.pem"), "nowhere.pem is not there"),
        (lambda text: "\udcff", "the profile cannot be read"),
        (None, "is not there"),
    ],
    ids=["torn", "bad id", "another merchant", "no such file", "no UTF-8", "gone"],
)
def test_a_profile_that_was_spoilt_leaves_the_keys_as_they_were(shop, spoil, told):
    shop.sells()
    old = shop.keys.current()
    text = shop.file.read_text()
    if spoil is None:
        shop.file.unlink()
    else:
        put(shop.file, spoil(text).encode("utf-8", errors="surrogateescape"))
    shop.sells()
    assert shop.keys.current() is old
    assert told in shop.keys.problem
    put(shop.file, text.encode())
    shop.sells()
    assert (shop.keys.current() is old, shop.keys.problem) == (True, None)


def test_what_else_changes_in_the_profile_waits_for_the_next_start(shop):
    put(shop.file, shop.file.read_text().replace("description: 以旧换新", "description: 别的").encode())
    shop.sells()
    assert shop.channel.profile.description == "以旧换新"
