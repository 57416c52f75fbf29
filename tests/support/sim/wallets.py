"""Which wallets are there, and which of them do the tills of a world take?"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sim.network import Network, Service
from sim.wallet import Wallet
from sim.wallet_alipay import AlipayInHere
from sim.wallet_unionpay import UnionPayInHere
from sim.wallet_wechat import WechatInHere
from terminal_agent.channels import codes
from terminal_agent.channels.wallets import Channel, WechatChannel

WALLETS: Mapping[str, Any] = {one.name: one for one in (WechatInHere, AlipayInHere, UnionPayInHere)}
"""The class of each wallet, by its name."""


def opened(
    names: tuple[str, ...],
    by_certificate: tuple[str, ...],
    keys: Mapping[str, Any],
    folder: Path,
    network: Network,
    note: Callable[[str, str], None],
) -> dict[str, Wallet]:
    """Return these wallets, each answering at its address; with some both sides name certificates."""
    found = {}
    for name in names:
        made, its = WALLETS[name], keys[name]
        if name in by_certificate:
            its = dataclasses.replace(its, certificates=True)
        network.services[made.url] = Service(name)
        found[name] = made(its, folder, network.services[made.url], note)
    return found


def taken_by_tills(
    channels: Mapping[codes.Wallet, Channel], wallets: Mapping[str, Wallet], shown: tuple[str, ...]
) -> dict[codes.Wallet, Channel]:
    """Return an agent's channels without all but `wallets`; its tills show no codes but of `shown`."""
    return {
        name: wallets[name].configured(channel if name in shown else _without_codes(channel))
        for name, channel in channels.items()
        if name in wallets
    }


def profiles(folder: Path, keys: Mapping[str, Any], rhythm: dict[str, int]) -> str:
    """Write the profile of every wallet; return what an agent's configuration says of them."""
    for name, wallet in WALLETS.items():
        (folder / f"{name}.yaml").write_text(wallet.profile(keys[name], rhythm))
    return "channels:\n" + "".join(f"  {name}:\n    profile: {name}.yaml\n" for name in WALLETS)


def sources(wallets: Mapping[str, Wallet]) -> str:
    """Return what the night's configuration says of the wallets' files."""
    return "".join(
        f"""\
  - source: {name}
    layout: {one.layout}
    file: "{one.file_name}"
    tenders: [qr_scan, qr_show]
    merchants: {{"{one.merchant}": every_shop}}
    longest_payment_s: {one.longest_payment_s}
"""
        for name, one in wallets.items()
    )


def _without_codes(channel: Any) -> Channel:
    none: dict[str, Any] = {"shown": None} if isinstance(channel, WechatChannel) else {"shows_codes": False}
    found: Channel = replace(channel, profile=replace(channel.profile, **none))
    return found
