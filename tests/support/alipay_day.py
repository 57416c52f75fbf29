"""A day on which phones pay with Alipay, as a night sees it; the rest is `night.NightDay`."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from books import Books
from night import DAY, SOURCES, NightDay

from terminal_agent.emulators.acquirer_file import settlement_file
from terminal_agent.emulators.alipay_bill import trade_bill
from terminal_agent.emulators.alipay_books import Line

ALIPAY = "alipay"
ACCOUNT = "EMU20880000000156"
KINDS = {"charge": "pay", "reversal": "cancel", "refund": "refund"}


class AlipayDay(NightDay):
    """The books, one device, and what the acquirer and Alipay have booked."""

    def __init__(self, folder: Path, books: Books | None = None) -> None:
        super().__init__(folder, books)
        self.alipay: list[Line] = []
        card, _, _ = SOURCES.partition("  - source: wechat\n")
        self.sources.write_text(
            card
            + f"""\
  - source: {ALIPAY}
    layout: alipay_bill
    file: "alipay-{{date}}.csv.zip"
    tenders: [qr_scan, qr_show]
    merchants: {{"{ACCOUNT}": every_shop}}
    longest_payment_s: 300
""",
            encoding="utf-8",
        )

    def _wechat_line(self, kind: str, fen: int, order: str, refund_no: str) -> None:
        self.trace += 1
        paid = next((one for one in self.alipay if one.out_trade_no == order), None)
        self.alipay.append(
            Line(
                no=self.trace,
                kind=KINDS[kind],
                out_trade_no=order,
                trade_no=paid.trade_no if paid else f"20260301{self.trace:020d}",
                fen=fen,
                out_request_no=refund_no,
                code_hash="c",
                subject="双门冰箱,以旧换新",
                store_id="0001",
                platform_fen=0,
                merchant_fen=0,
                due_ms=0,
                then="",
                hidden_ms=0,
                at=self.at()[:19].replace("T", " "),
            )
        )

    def write_files(self, day: str = DAY) -> None:
        """Write the files of a day, or Alipay's word that nothing moved."""
        self.card_file(day).write_text(settlement_file(self.card, day), encoding="utf-8")
        bill = trade_bill(self.alipay, day, ACCOUNT)
        file = self.alipay_file(day)
        if bill is None:
            file.with_name(file.name + ".none").touch()
        else:
            file.write_bytes(bill)

    def alipay_file(self, day: str = DAY) -> Path:
        """Where Alipay's bill of a day lies."""
        return self.incoming / f"alipay-{day}.csv.zip"


def unpacked(raw: bytes) -> dict[str, bytes]:
    """Return the files in a bill by their names."""
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return {_name_of(info): opened.read(info) for info in opened.infolist()}


def _name_of(info: zipfile.ZipInfo) -> str:
    marked = info.flag_bits & 0x800
    return info.filename if marked else info.filename.encode("cp437").decode("gbk")


def packed(files: dict[str, bytes], *, stored: bool = False) -> bytes:
    """Return a zip of files, their names marked as UTF-8."""
    whole = io.BytesIO()
    how = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(whole, "w", how) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return whole.getvalue()


def rewritten(raw: bytes, ending: str, change: Callable[[str], str]) -> bytes:
    """Return a bill in which the text of one file is changed."""
    files = unpacked(raw)
    (name,) = (one for one in files if one.endswith(ending))
    text = files[name].decode("gbk")
    other = change(text)
    assert other != text
    return packed({**files, name: other.encode("gbk", "surrogatepass")})
