"""Which emulated wallets can be started from the command line, and how?"""

import re
from pathlib import Path
from typing import Annotated

import typer

from terminal_agent.emulators.alipay_faults import KNOWN as ALIPAY_KNOWN
from terminal_agent.emulators.alipay_signing import KeysUnusable as AlipayKeysUnusable
from terminal_agent.emulators.books import BooksUnusable
from terminal_agent.emulators.faults import FaultRefused
from terminal_agent.emulators.run_alipay import Settings as AlipaySettings
from terminal_agent.emulators.run_alipay import run_alipay
from terminal_agent.emulators.run_unionpay import Settings as UnionPaySettings
from terminal_agent.emulators.run_unionpay import run_unionpay
from terminal_agent.emulators.run_wechat import Settings as WechatSettings
from terminal_agent.emulators.run_wechat import run_wechat
from terminal_agent.emulators.unionpay_faults import KNOWN as UNIONPAY_KNOWN
from terminal_agent.emulators.unionpay_signing import KeysUnusable as UnionPayKeysUnusable
from terminal_agent.emulators.wechat_faults import KNOWN as WECHAT_KNOWN
from terminal_agent.emulators.wechat_signing import KeysUnusable

_MCHID = re.compile(r"EMU[0-9A-Z]{1,29}", re.ASCII)
_UNIONPAY_NO = re.compile(r"EMU[0-9A-Z]{12}", re.ASCII)
_APPID = re.compile(r"[0-9A-Za-z]{8,32}", re.ASCII)
_APP_ID = re.compile(r"EMU[0-9]{13}", re.ASCII)
_ACCOUNT = re.compile(r"EMU[0-9]{6,29}", re.ASCII)
_USAGE_ERROR = 2


def wechat(
    books: Annotated[Path, typer.Option(help="WeChat Pay's books, one JSON line per event.")],
    keys: Annotated[Path, typer.Option(help="Folder of both sides' keys, made at the first start.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API on this host; 0: any.")] = 0,
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    appid: Annotated[str, typer.Option(help="The merchant's appid.")] = "wxEMU0000000000000",
    mchid: Annotated[str, typer.Option(help="The merchant's number, which begins with EMU.")] = "EMU00000001",
    password_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long a password takes, asked over 1000 yuan.")
    ] = 3000,
    refund_ms: Annotated[int, typer.Option(min=0, max=600_000, help="How long a refund is under way.")] = 300,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go wrong at the next request: NAME or NAME:key=value,... Known: {', '.join(WECHAT_KNOWN)}"
        ),
    ] = None,
) -> None:
    """Be WeChat Pay (API v3, payment codes) for one merchant, on plain http on this host.

    Prints one JSON line when it is ready, with addresses and keys, and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate wechat --books /tmp/wechat.jsonl --keys /tmp/wechat-keys --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books and
    GET /file?date=2026-01-31, the trade bill of a day.
    """
    if _MCHID.fullmatch(mchid) is None:
        raise typer.BadParameter("capital letters and digits that begin with EMU", param_hint="--mchid")
    if _APPID.fullmatch(appid) is None:
        raise typer.BadParameter("8 to 32 letters and digits", param_hint="--appid")
    settings = WechatSettings(port, books, keys, control, appid, mchid, password_ms, refund_ms, fault or [])
    try:
        run_wechat(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(
            f"{refusal}. Known: {', '.join(WECHAT_KNOWN)}", param_hint="--fault"
        ) from None
    except (BooksUnusable, KeysUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(1 if isinstance(trouble, OSError) else _USAGE_ERROR) from None


def alipay(
    books: Annotated[Path, typer.Option(help="Alipay's books, one JSON line per event.")],
    keys: Annotated[Path, typer.Option(help="Folder of both sides' keys, made at the first start.")],
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the gateway on this host; 0: any.")
    ] = 0,
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    app_id: Annotated[str, typer.Option(help="The application: EMU and 13 digits.")] = "EMU0000000000001",
    account: Annotated[
        str, typer.Option(help="The merchant's account in bills: EMU and digits.")
    ] = "EMU20880000000156",
    certificates: Annotated[bool, typer.Option(help="Sign under certificates, not under bare keys.")] = False,
    password_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long a password takes, asked over 1000 yuan.")
    ] = 3000,
    download_ms: Annotated[
        int, typer.Option(min=1, max=600_000, help="How long the address of a bill lives.")
    ] = 30_000,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go wrong at the next request: NAME or NAME:key=value,... Known: {', '.join(ALIPAY_KNOWN)}"
        ),
    ] = None,
) -> None:
    """Be Alipay's gateway (RSA2, payment codes) for one application, on plain http on this host.

    Prints one JSON line when it is ready, with addresses and keys, and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate alipay --books /tmp/alipay.jsonl --keys /tmp/alipay-keys --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books and
    GET /file?date=2026-01-31, the trade bill of a day.
    """
    if _APP_ID.fullmatch(app_id) is None:
        raise typer.BadParameter("EMU and 13 digits", param_hint="--app-id")
    if _ACCOUNT.fullmatch(account) is None:
        raise typer.BadParameter("EMU and 6 to 29 digits", param_hint="--account")
    settings = AlipaySettings(
        port, books, keys, control, app_id, account, certificates, password_ms, download_ms, fault or []
    )
    try:
        run_alipay(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(
            f"{refusal}. Known: {', '.join(ALIPAY_KNOWN)}", param_hint="--fault"
        ) from None
    except (BooksUnusable, AlipayKeysUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(1 if isinstance(trouble, OSError) else _USAGE_ERROR) from None


def unionpay(
    books: Annotated[Path, typer.Option(help="UnionPay's books, one JSON line per event.")],
    keys: Annotated[Path, typer.Option(help="Folder of both sides' certificates, made at the first start.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the interface here; 0: any.")] = 0,
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    mer_id: Annotated[str, typer.Option(help="The merchant's 15 characters, beginning with EMU.")] = (
        "EMU000000000001"
    ),
    password_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long a password takes, asked over 1000 yuan.")
    ] = 3000,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Go wrong at the next request: NAME or NAME:key=value,... "
            f"Known: {', '.join(UNIONPAY_KNOWN)}"
        ),
    ] = None,
) -> None:
    """Be UnionPay QR (online interface 5.1.0) for one merchant, on plain http on this host.

    Prints one JSON line when it is ready, with addresses and keys, and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate unionpay --books /tmp/unionpay.jsonl --keys /tmp/unionpay --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books, POST /scan, POST
    /settle, POST /certificate and GET /file?date=2026-01-31, the settlement files of a day.
    """
    if _UNIONPAY_NO.fullmatch(mer_id) is None:
        raise typer.BadParameter("15 capital letters and digits that begin with EMU", param_hint="--mer-id")
    settings = UnionPaySettings(port, books, keys, control, mer_id, password_ms, fault or [])
    try:
        run_unionpay(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(
            f"{refusal}. Known: {', '.join(UNIONPAY_KNOWN)}", param_hint="--fault"
        ) from None
    except (BooksUnusable, UnionPayKeysUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(1 if isinstance(trouble, OSError) else _USAGE_ERROR) from None
