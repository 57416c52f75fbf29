"""What does the shopper see on the second screen? The code to scan, what it costs and why it costs less.

One page for each till, in Chinese and English, for a browser on this host. It asks each second for what is to
be seen. No name, number or code of a person stands on it.
"""

import base64
import functools
import hashlib
import html
import io
from typing import Annotated, Any

import segno
from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter

from subsidy.money import yuan
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import SaleState
from terminal_agent.till.routes import Till

_A_MOMENT_MS = 30_000

_ROW = '<div class="row{more}"><span>{zh}<small>{en}</small></span><b>{value}</b></div>'
_STYLE = """
body{margin:0;font:clamp(12px,3.5vmin,40px)/1.4 "Noto Sans CJK SC","Microsoft YaHei",sans-serif}
body{background:#f4f6f8;color:#16202a}
main{display:flex;gap:5vw;align-items:center;justify-content:center;min-height:100vh;padding:0 5vw}
.code{background:#fff;border-radius:16px;padding:12px;text-align:center}
.code svg{display:block;width:min(42vw,70vh);height:auto}
.sale{flex:1;max-width:23em}.row{display:flex;justify-content:space-between;gap:1em;padding:.3em 0}
.row small,.big small{display:block;font-size:.6em;color:#5a6b7b}.off b{color:#b42318}
.pay{border-top:2px solid #16202a;margin-top:.4em;font-size:1.5em}.left b{font-variant-numeric:tabular-nums}
.row b{white-space:nowrap}
@media (orientation:portrait){main{flex-direction:column}.sale{flex:none;width:100%}
.code svg{width:min(80vw,40vh)}}
.big{text-align:center;font-size:2em}
"""
_SCRIPT = """
const main = document.querySelector("main");
let last = "", seen = "", heard = performance.now();
async function look() {
  if (performance.now() - heard > 5000) { main.innerHTML = ""; last = ""; }
  try {
    const answer = await fetch(location.pathname + "/now?seen=" + seen);
    const text = answer.ok ? await answer.text() : "";
    heard = performance.now();
    if (text !== last) { main.innerHTML = text; last = text; }
    const sale = main.querySelector("[data-sale]");
    if (sale) { seen = sale.dataset.sale; }
  } catch { main.innerHTML = ""; last = ""; }
  tick();
}
function tick() {
  const left = main.querySelector("[data-until]");
  if (!left) { return; }
  const s = Math.max(0, Math.ceil((left.dataset.until - Date.now()) / 1000));
  left.textContent = Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
}
setInterval(look, 1000);
look();
"""


def controller(till: Till) -> type[Controller]:
    """Return the handlers of the display pages around `till`."""

    class Display(Controller):
        path = "/display"
        include_in_schema = False

        @get("/{till_no:str}", sync_to_thread=False)
        def page(self, till_no: FromPath[str]) -> Response[str]:
            till.terminal_of(till_no)
            return _html(_page(), {"Content-Security-Policy": _policy()})

        @get("/{till_no:str}/now", sync_to_thread=True)
        def now(
            self, till_no: FromPath[str], seen: Annotated[str, QueryParameter(max_length=36)] = ""
        ) -> Response[str]:
            till.terminal_of(till_no)
            for sale in reversed(till.journal.sales_of_till(till_no)):
                code = till.code_shown(sale)
                # Who stands there once the till has begun another sale would pay for somebody else's.
                if code is not None and till.journal.is_last(sale):
                    return _html(scan_me(sale, code))
            before = till.find(seen)
            if before is None or before.request.till_no != till_no:
                return _html(_WELCOME)
            is_last = till.journal.is_last(before)
            return _html(afterwards(before, till.clock.wall_ms(), is_last=is_last))

    return Display


def scan_me(sale: Sale, code: str) -> str:
    """Return the part of the page that has a code to scan, with the sale's amounts and the time left."""
    assert sale.held is not None
    amounts, item = sale.held.promise.amounts, sale.request.item
    rows = [
        _row("商品", "Item", item.gtin),
        _row("价格", "Price", _yuan(amounts.initial_price_fen)),
    ]
    if amounts.merchant_discount_fen:
        rows.append(_row("商家优惠", "Discount", _yuan(-amounts.merchant_discount_fen)))
    rows.append(_row("政府补贴", "Government subsidy", _yuan(-amounts.subsidy_fen), " off"))
    if amounts.trade_in_fen:
        rows.append(_row("旧机抵扣", "Trade-in", _yuan(-amounts.trade_in_fen)))
    rows += [
        _row("应付", "To pay", _yuan(amounts.to_pay_fen), " pay"),
        f'<div class="row left"><span>剩余时间<small>Time left</small></span>'
        f'<b data-until="{sale.held_until_ms}"></b></div>',
    ]
    return (
        f'<div class="code">{drawn(code)}<div>请扫码支付<br><small>Scan to pay</small></div></div>'
        f'<div class="sale" data-sale="{sale.record_id}">{"".join(rows)}</div>'
    )


def afterwards(sale: Sale, now_ms: int, *, is_last: bool) -> str:
    """Return the part of the page for a sale whose code was shown there last.

    How it ended is told for a moment, and only until its till has a newer sale: the next shopper would take
    the words for their own. `now_ms` is the wall clock's; one that was set back ends the moment too.
    """
    if not is_last:
        return _WELCOME
    if sale.is_open:
        return _big("请稍候", "One moment, please")
    ended_ms = sale.paid_ms or max((one.ended_ms or 0 for one in sale.attempts), default=0)
    if abs(now_ms - ended_ms) >= _A_MOMENT_MS or sale.state in (SaleState.RETURNING, SaleState.RETURNED):
        return _WELCOME
    if sale.state is SaleState.PAID:
        return _big("支付成功", "Paid, thank you")
    return _big("二维码已失效", "The code is no longer valid")


@functools.lru_cache(maxsize=32)
def drawn(code: str) -> str:
    """Return a code as inline SVG."""
    out = io.BytesIO()
    segno.make(code, error="m", micro=False).save(
        out, kind="svg", scale=8, border=4, xmldecl=False, svgns=False, nl=False, omitsize=True, light="#fff"
    )
    return out.getvalue().decode()


def _row(zh: str, en: str, value: str, more: str = "") -> str:
    return _ROW.format(zh=zh, en=en, value=html.escape(value), more=more)


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}¥{yuan(abs(fen))}"


def _big(zh: str, en: str) -> str:
    return f'<div class="big">{zh}<small>{en}</small></div>'


_WELCOME = _big("欢迎光临", "Welcome")


@functools.cache
def _page() -> str:
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>请扫码支付 / Scan to pay</title>'
        f"<style>{_STYLE}</style><main></main><script>{_SCRIPT}</script></html>"
    )


@functools.cache
def _policy() -> str:
    """Return what the page may load: its own style and script, and nothing else from anywhere."""
    style, script = (
        base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (_STYLE, _SCRIPT)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "connect-src 'self'; frame-ancestors 'none'"
    )


def _html(text: str, headers: dict[str, str] | None = None) -> Response[Any]:
    always = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/html; charset=utf-8", headers={**always, **(headers or {})})
