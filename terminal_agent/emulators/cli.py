"""Which emulators can be started from the command line, and how?

The sub-command `terminal-agent emulate`.
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from terminal_agent.emulators.books import BooksUnusable
from terminal_agent.emulators.faults import KNOWN, FaultRefused
from terminal_agent.emulators.run_network import NETWORK_KINDS, run_network
from terminal_agent.emulators.run_terminal import SERIAL_KINDS, Settings, run_terminal
from terminal_agent.emulators.run_wechat import Settings as WechatSettings
from terminal_agent.emulators.run_wechat import run_wechat
from terminal_agent.emulators.wechat_faults import KNOWN as WECHAT_KNOWN
from terminal_agent.emulators.wechat_signing import KeysUnusable

_TERMINAL_NO = re.compile(r"EMU[0-9A-Z]{5}", re.ASCII)
_MERCHANT_NO = re.compile(r"[0-9A-Z]{15}", re.ASCII)
_MCHID = re.compile(r"EMU[0-9A-Z]{1,29}", re.ASCII)
_APPID = re.compile(r"[0-9A-Za-z]{8,32}", re.ASCII)
_ADDRESS = re.compile(r"127\.0\.0\.1:([0-9]{1,5})", re.ASCII)
_MOST_PORT = 65_535
_KINDS = (*SERIAL_KINDS, *NETWORK_KINDS)
_USAGE_ERROR = 2

app = typer.Typer(
    name="emulate",
    help="Play the other side of a payment link, with faults on demand.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def emulate() -> None:
    """Play the other side of a payment link, with faults on demand. No money moves anywhere."""


@app.command("terminal")
def terminal(
    link: Annotated[Path, typer.Option(help="Path of the serial port; on the network, 127.0.0.1:PORT.")],
    books: Annotated[Path, typer.Option(help="The acquirer's books, one JSON line per transaction.")],
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    terminal_no: Annotated[str, typer.Option(help="Eight characters that begin with EMU.")] = "EMU00001",
    merchant_no: Annotated[str, typer.Option(help="Fifteen characters.")] = "EMU000000000001",
    work_ms: Annotated[int, typer.Option(min=0, max=600_000, help="How long card, PIN and host take.")] = 300,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go wrong at the next transaction: NAME or NAME:key=value,... Known: {', '.join(KNOWN)}"
        ),
    ] = None,
    transcript: Annotated[Path | None, typer.Option(help="Write every byte here, as JSON lines.")] = None,
    kind: Annotated[str, typer.Option(help=f"How it speaks: {', '.join(_KINDS)}.")] = "allinpay",
) -> None:
    """Be a card terminal and its acquirer on a pseudo serial port, or on the network.

    Prints one JSON line when it is ready and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate terminal --link /tmp/terminal --books /tmp/books.jsonl --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books, POST /unplug, POST
    /settle, which closes the batch, and GET /file?date=2026-01-31, the acquirer's settlement file of a day:

        curl -H 'Content-Type: application/json' -d '{"fault": "declined", "code": "51"}' $CONTROL/faults
    """
    if _TERMINAL_NO.fullmatch(terminal_no) is None:
        raise typer.BadParameter("eight characters that begin with EMU", param_hint="--terminal-no")
    if _MERCHANT_NO.fullmatch(merchant_no) is None:
        raise typer.BadParameter("fifteen digits or capital letters", param_hint="--merchant-no")
    if kind not in _KINDS:
        raise typer.BadParameter(f"one of {', '.join(_KINDS)}", param_hint="--kind")
    known = NETWORK_KINDS[kind][1] if kind in NETWORK_KINDS else KNOWN
    address = _ADDRESS.fullmatch(str(link))
    if kind in NETWORK_KINDS and (address is None or int(address[1]) > _MOST_PORT):
        raise typer.BadParameter('write it as in "127.0.0.1:4000", port 0: any', param_hint="--link")
    settings = Settings(
        link, books, control, terminal_no, merchant_no, work_ms, fault or [], transcript, kind
    )
    run = run_network if kind in NETWORK_KINDS else run_terminal
    try:
        run(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(f"{refusal}. Known: {', '.join(known)}", param_hint="--fault") from None
    except (BooksUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(_USAGE_ERROR if isinstance(trouble, BooksUnusable) else 1) from None


@app.command("wechat")
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


if __name__ == "__main__":
    app()
