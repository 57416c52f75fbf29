"""The smallest pack that has one of everything, as texts that a test changes before they are read."""

import functools
from typing import Any

import msgspec

from subsidy.policy.facts import Facts
from subsidy.policy.model import Pack
from subsidy.policy.read_pack import read_packs

RULES = """\
kind: rules
rules: "R-2026"
title: rules
programme_year: 2026
open:
  - {from: 2026-01-01, value: true, source: {title: notice, clause: one}}
  - {from: 2027-01-01, value: false, source: {title: notice, clause: one}}
categories:
  FRIDGE:
    label: 冰箱
    rate_bp:
      "1":
        - {from: 2026-01-01, value: 2000, source: {title: notice, clause: two}}
      "2":
        - {from: 2026-01-01, value: 1500, source: {title: notice, clause: two}}
    cap_yuan:
      - {from: 2026-01-01, value: "2000.00", source: {title: notice, clause: three}}
    quota:
      - {from: 2026-01-01, value: 1, source: {title: notice, clause: four}}
  PHONE:
    label: 手机
    rate_bp:
      any:
        - {from: 2026-01-01, value: 1500, source: {title: notice, clause: two}}
    cap_yuan:
      - {from: 2026-01-01, value: "500.00", source: {title: notice, clause: three}}
    quota:
      - {from: 2026-01-01, value: 1, source: {title: notice, clause: four}}
    price_limit_yuan:
      - {from: 2026-01-01, value: "6000.00", source: {title: notice, clause: five}}
"""

PROGRAMME = """\
kind: programme
programme: "P"
title: programme
takes_up: ["R-2026"]
open:
  - {from: 2026-01-01, value: true, source: {title: bureau, clause: one}}
regions:
  - {from: 2026-01-01, value: ["321200"], source: {title: bureau, clause: one}}
hours:
  - {from: 2026-01-01, value: {opens: "07:00", closes: "23:00"}, source: {title: bureau, clause: one}}
tenders:
  - {from: 2026-01-01, value: [card, qr_scan, qr_show], source: {title: bureau, clause: one}}
rounding:
  - {from: 2026-01-01, value: half_up, source: {title: bureau, clause: one}}
price_limit_basis:
  - {from: 2026-01-01, value: final_price, source: {title: bureau, clause: one}}
serial_no_required:
  - {from: 2026-01-01, value: true, source: {title: bureau, clause: one}}
return_restores_quota:
  - {from: 2026-01-01, value: true, source: {title: bureau, clause: one}}
shares_bp:
  - {from: 2026-01-01, value: {central: 8500, city: 1500}, source: {title: bureau, clause: one}}
held_for_s:
  - {from: 2026-01-01, value: 900, source: {title: bureau, clause: one}}
lag_target_s:
  - {from: 2026-01-01, value: 300, source: {title: bureau, clause: one}}
open_holds_per_terminal:
  - {from: 2026-01-01, value: 3, source: {title: bureau, clause: one}}
open_holds_per_shop:
  - {from: 2026-01-01, value: 30, source: {title: bureau, clause: one}}
evidence:
  - {from: 2026-01-01, value: [invoice], source: {title: bureau, clause: one}}
differences_owner:
  - {from: 2026-01-01, value: platform, source: {title: bureau, clause: one}}
"""

NO_HOURS = (PROGRAMME[PROGRAMME.index("hours:") : PROGRAMME.index("tenders:")], "")


def texts(*changes: tuple[str, str]) -> dict[str, str]:
    """Return the two files with each (old, new) replaced. An old text stands once, in one of them."""
    files = {"rules.yaml": RULES, "programme.yaml": PROGRAMME}
    for old, new in changes:
        (name,) = (one for one in files if files[one].count(old) == 1)
        files[name] = files[name].replace(old, new)
    return files


@functools.cache
def pack(*changes: tuple[str, str]) -> Pack:
    """Return the pack with `changes` made to its files."""
    return read_packs(texts(*changes))["P"]


def facts(**changes: Any) -> Facts:
    """Return the facts of a fridge at 3999.00, of which all is in order, with `changes`."""
    said: dict[str, Any] = {
        "sold_at": "2026-03-01T10:00:00+08:00",
        "programme": "P",
        "initial_price_fen": 399900,
        "merchant_discount_fen": 0,
        "trade_in_fen": 0,
        "merchant_active": True,
        "terminal_registered": True,
        "region": "321202",
        "tender": "card",
        "product_listed": True,
        "category": "FRIDGE",
        "energy_level": 2,
        "serial_no": "SN-0001",
        "serial_taken": False,
        "filed_price_fen": 399900,
        "qualification_known": True,
        "qualification_valid": True,
        "qualification_category": "FRIDGE",
        "qualification_in_use": False,
        "used_in_category": 0,
        "payer_matches": True,
        "risk_blocked": False,
        "fund_left_fen": 10**11,
        **changes,
    }
    return msgspec.convert({key: value for key, value in said.items() if value is not ABSENT}, Facts)


ABSENT = object()
"""The value of a fact that is left out."""
