"""Which wallets can this version take money from, and how does a profile become a way to take it?

A channel is one row of `READERS`: whose payment codes it takes, and a function that reads its profile.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from terminal_agent.bounded_http import BoundedSession, HttpNote
from terminal_agent.channels import alipay_profile, unionpay_profile
from terminal_agent.channels import profile as wechat_profile
from terminal_agent.channels.alipay import open_alipay
from terminal_agent.channels.alipay_keys import ByCertificate
from terminal_agent.channels.alipay_shown import open_alipay_shown
from terminal_agent.channels.certificates import Certificates, WhileValid
from terminal_agent.channels.codes import Wallet
from terminal_agent.channels.one_merchant import AtOneMerchant
from terminal_agent.channels.unionpay import open_unionpay, open_unionpay_shown
from terminal_agent.channels.unionpay_keys import UnionPayKeyFiles
from terminal_agent.channels.wechat import open_wechat
from terminal_agent.channels.wechat_keys import KeyFiles
from terminal_agent.channels.wechat_native import open_wechat_native
from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.traces.mask_frames import Mask
from terminal_agent.traces.mask_http import (
    ALIPAY,
    UNIONPAY,
    WALLET,
    WECHAT,
    http_note,
    mask_http,
    mask_unionpay,
)
from terminal_agent.traces.write_trace import Recorder


class Channel(Protocol):
    """A wallet as the shop has configured it."""

    @property
    def base_url(self) -> str:
        """Where it answers."""

    def payment(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment:
        """Return the way to take money with it, over `session` if given. Opens no line, and never fails."""

    def showing(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment | None:
        """Return the way to take money by a code that we show, None where the profile has none."""

    def recorded(self, recorder: Recorder) -> "Channel":
        """Return the same wallet, whose payments write down each exchange, masked, for shop IT."""

    def try_keys(self) -> None:
        """Read every key file once. Raises KeyTrouble."""

    @property
    def certificates(self) -> Certificates:
        """The files with certificates that run out, as they are named at present."""


class WechatChannel(msgspec.Struct, frozen=True):
    """WeChat Pay with one merchant's profile."""

    profile: wechat_profile.Profile
    recorder: Recorder | None = None

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return self.profile.base_url

    def payment(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment:
        """Return the way to take money with it."""
        note = _note(self.recorder, WECHAT, mask_http)
        return self._while_valid(open_wechat(self.profile, clock, random_bytes, note, session), clock)

    def recorded(self, recorder: Recorder) -> Channel:
        """Return the same wallet, whose payments take down each exchange."""
        return replace(self, recorder=recorder)

    def showing(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment | None:
        """Return the way to take money by a code that we show, None where the profile has none."""
        if self.profile.shown is None:
            return None
        note = _note(self.recorder, WECHAT, mask_http)
        shown = open_wechat_native(self.profile, self.profile.shown, clock, random_bytes, session, note)
        return self._while_valid(shown, clock)

    def try_keys(self) -> None:
        """Read every key file once. Raises KeyTrouble."""
        KeyFiles(wechat_profile.key_places(self.profile)).current()

    @property
    def certificates(self) -> Certificates:
        """Ours, where it is kept, and the platform's, where its keys are certificates."""
        return wechat_profile.key_places(self.profile).current().certificates

    def _while_valid(self, payment: Payment, clock: Clock) -> Payment:
        places = wechat_profile.key_places(self.profile)
        own = AtOneMerchant(payment, self.profile.mchid)
        return WhileValid(own, lambda: places.current().certificates, clock)


class AlipayChannel(msgspec.Struct, frozen=True):
    """Alipay with one application's profile."""

    profile: alipay_profile.Profile
    recorder: Recorder | None = None

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return self.profile.gateway

    def payment(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment:
        """Return the way to take money with it. Nothing of it needs randomness."""
        note = _note(self.recorder, ALIPAY, mask_http)
        opened = open_alipay(self.profile, clock, session, note)
        return self._careful(opened, clock)

    def showing(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment | None:
        """Return the way to take money by a code that we show, None where the profile has none."""
        if not self.profile.shows_codes:
            return None
        note = _note(self.recorder, ALIPAY, mask_http)
        opened = open_alipay_shown(self.profile, clock, session, note)
        return self._careful(opened, clock)

    def recorded(self, recorder: Recorder) -> Channel:
        """Return the same wallet, whose payments take down each exchange."""
        return replace(self, recorder=recorder)

    def try_keys(self) -> None:
        """Read every key file once. Raises KeyTrouble."""
        self.profile.keys.reread().current()

    @property
    def certificates(self) -> Certificates:
        """Ours and Alipay's; none in public-key mode."""
        keys = self.profile.keys
        if not isinstance(keys, ByCertificate):
            return Certificates()
        theirs = {"alipay_certificate": keys.alipay_certificate}
        return Certificates({"app_certificate": keys.app_certificate}, (theirs,))

    def _careful(self, payment: Payment, clock: Clock) -> Payment:
        own = AtOneMerchant(payment, self.profile.app_id)
        return WhileValid(own, lambda: self.certificates, clock)


class UnionPayChannel(msgspec.Struct, frozen=True):
    """UnionPay QR with one merchant's profile."""

    profile: unionpay_profile.Profile
    recorder: Recorder | None = None

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return self.profile.base_url

    def payment(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment:
        """Return the way to take money with it."""
        note = _note(self.recorder, UNIONPAY, mask_unionpay)
        opened = open_unionpay(self.profile, clock, session, note)
        return self._careful(opened, clock)

    def showing(
        self, clock: Clock, random_bytes: Callable[[int], bytes], session: BoundedSession | None = None
    ) -> Payment | None:
        """Return the way to take money by a code that we show, None where the profile has none."""
        if not self.profile.shows_codes:
            return None
        note = _note(self.recorder, UNIONPAY, mask_unionpay)
        opened = open_unionpay_shown(self.profile, clock, session, note)
        return self._careful(opened, clock)

    def recorded(self, recorder: Recorder) -> Channel:
        """Return the same wallet, whose payments take down each exchange."""
        return replace(self, recorder=recorder)

    def try_keys(self) -> None:
        """Read every key file once. Raises KeyTrouble."""
        UnionPayKeyFiles(self.profile.files, self.profile.platform_name).current()

    @property
    def certificates(self) -> Certificates:
        """Ours, and the two above UnionPay's own, which comes with each answer."""
        files = self.profile.files
        above = tuple({name: files[name]} for name in ("middle", "root"))
        return Certificates({"certificate": files["certificate"]}, above)

    def _careful(self, payment: Payment, clock: Clock) -> Payment:
        own = AtOneMerchant(payment, self.profile.mer_id)
        return WhileValid(own, lambda: self.certificates, clock)


def _note(recorder: Recorder | None, wallet: str, mask: Mask) -> HttpNote | None:
    """Return what takes down the exchanges of one way to pay, None unless shop IT has asked for that."""
    return None if recorder is None else http_note(recorder(WALLET, wallet, mask))


ReadChannel = Callable[[str, str, Path, bool], Channel]
"""Make a channel of (text of the profile, its file's name, the folder of its keys, training).

Raises FileError.
"""


def _wechat(text: str, file_name: str, folder: Path, training: bool) -> Channel:
    return WechatChannel(wechat_profile.read_profile(text, file_name, folder, training=training))


def _alipay(text: str, file_name: str, folder: Path, training: bool) -> Channel:
    return AlipayChannel(alipay_profile.read_profile(text, file_name, folder, training=training))


def _unionpay(text: str, file_name: str, folder: Path, training: bool) -> Channel:
    return UnionPayChannel(unionpay_profile.read_profile(text, file_name, folder, training=training))


READERS: Mapping[Wallet, ReadChannel] = {
    Wallet.WECHAT: _wechat,
    Wallet.ALIPAY: _alipay,
    Wallet.UNIONPAY: _unionpay,
}
