"""What does Alipay's trade bill of one day say?

A zip with two CSV files whose names and content are GBK: every payment and refund (业务明细), and their sums
by store (汇总). Lines that begin with # are titles and totals; each value of a row ends with a tab. Yuan with
two decimals, below zero for what went back. A cancelled payment stands in it twice: paid, and given back
under its own order number.
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from terminal_agent.emulators.alipay_books import Line

HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_HEADER = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
_FEE_RATE = Decimal("0.006")
_SHOPPER = "张*三(138****8000)"  # made up
_STORE = "测试门店"
_DASHES = "-" * 40


def trade_bill(lines: Iterable[Line], day: str, account: str) -> bytes | None:
    """Return the bill of a day (Shanghai, 2026-01-31), or None when nothing moved on it."""
    lines = list(lines)
    created = {one.out_trade_no: one.at for one in reversed(lines)}
    moved = [
        one
        for one in lines
        if one.at.startswith(f"{day} ") and one.fen > 0 and one.kind in ("pay", "cancel", "refund")
    ]
    if not moved:
        return None
    shown = day.replace("-", "")
    detail = [
        "#支付宝业务明细查询",
        *_title(account, day),
        f"#{_DASHES}业务明细列表{_DASHES}",
        HEADER,
        *(_row(one, created[one.out_trade_no]) for one in moved),
        f"#{_DASHES}业务明细列表结束{_DASHES}",
        _total("交易合计", "商家实收共", "商家优惠共", [one for one in moved if one.kind == "pay"]),
        _total("退款合计", "商家实收退款共", "商家优惠退款共", [one for one in moved if one.kind != "pay"]),
        f"#导出时间：[{_cn(day)} 23:59:59]",
    ]
    stores = sorted({one.store_id for one in moved})
    summary = [
        "#支付宝业务汇总查询",
        *_title(account, day),
        f"#{_DASHES}业务汇总列表{_DASHES}",
        SUMMARY_HEADER,
        *(_sums(store, _STORE, [one for one in moved if one.store_id == store]) for store in stores),
        _sums("合计", "", moved),
        f"#{_DASHES}业务汇总列表结束{_DASHES}",
        f"#导出时间：[{_cn(day)} 23:59:59]",
    ]
    files = {f"{account}_{shown}_业务明细.csv": detail, f"{account}_{shown}_业务明细(汇总).csv": summary}
    return _zip(
        {name: "".join(f"{one}\r\n" for one in content).encode("gbk") for name, content in files.items()}
    )


def _title(account: str, day: str) -> tuple[str, str]:
    return f"#账号：[{account}]", f"#起始日期：[{_cn(day)} 00:00:00]   终止日期：[{_cn(day)} 24:00:00]"


def _row(line: Line, created: str) -> str:
    is_back = line.kind != "pay"
    number = {"pay": "", "cancel": line.out_trade_no, "refund": line.out_request_no}[line.kind]
    values = (
        line.trade_no,
        line.out_trade_no,
        "退款" if is_back else "交易",
        line.subject,
        created,
        line.at,
        line.store_id,
        _STORE,
        "",
        "",
        _SHOPPER,
        _yuan(_signed(line, line.fen)),
        _yuan(_received(line)),
        "0.00",
        "0.00",
        _yuan(_offer(line, line.platform_fen)),
        _yuan(_offer(line, line.merchant_fen)),
        "0.00",
        "",
        "0.00",
        "0.00",
        number,
        _yuan(-_fee(line)),
        "0.00",
        "",
    )
    return ",".join(f"{value}\t" for value in values)


def _sums(store: str, name: str, lines: Sequence[Line]) -> str:
    backs = sum(one.kind != "pay" for one in lines)
    received, fees = sum(map(_received, lines)), sum(map(_fee, lines))
    values = (
        store,
        name,
        str(len(lines) - backs),
        str(backs),
        _yuan(sum(_signed(one, one.fen) for one in lines)),
        _yuan(received),
        _yuan(sum(_offer(one, one.platform_fen) for one in lines)),
        _yuan(sum(_offer(one, one.merchant_fen) for one in lines)),
        "0.00",
        _yuan(-fees),
        "0.00",
        _yuan(received - fees),
    )
    return ",".join(f"{value}\t" for value in values)


def _total(what: str, received: str, offers: str, lines: Sequence[Line]) -> str:
    own = abs(sum(_offer(one, one.merchant_fen) for one in lines))
    got = abs(sum(map(_received, lines)))
    return f"#{what}：{len(lines)}笔，{received}{_yuan(got)}元，{offers}{_yuan(own)}元"


def _signed(line: Line, fen: int) -> int:
    return fen if line.kind == "pay" else -fen


def _offer(line: Line, fen: int) -> int:
    """Return what an offer comes to in this row: with a part of the price, none of it goes back."""
    return fen if line.kind == "pay" else -fen if line.kind == "cancel" else 0


def _received(line: Line) -> int:
    return _signed(line, line.fen) - _offer(line, line.merchant_fen)


def _fee(line: Line) -> int:
    fen = int((line.fen * _FEE_RATE).quantize(Decimal(1), ROUND_HALF_UP))
    return _signed(line, fen)


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _cn(day: str) -> str:
    return f"{day[:4]}年{day[5:7]}月{day[8:10]}日"


class _GbkName(zipfile.ZipInfo):
    """A member whose name is written in GBK, as Alipay does, and not marked as anything."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gbk"), self.flag_bits


def _zip(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(_GbkName(name), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()
