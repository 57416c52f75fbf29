"""The page beside the till in a real browser: what the shopper sees, how large, and when it goes."""

import os
import re
import signal

import pytest
from browser import look_at
from playwright.sync_api import expect

WITHIN_MS = 15_000


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True)


def test_a_shopper_sees_the_code_scans_it_and_is_thanked_without_anybody_touching_the_page(shop):
    with look_at(f"{shop.url}/display/01") as (page, complaints):
        expect(page.locator("main")).to_contain_text("欢迎光临", timeout=WITHIN_MS)
        sale = shop.sell(tender=shop.by_shown_code())
        code = shop.wait_for_code(sale["record_id"])
        expect(page.locator(".code svg")).to_be_visible(timeout=WITHIN_MS)
        expect(page.locator(".pay")).to_contain_text("应付")
        left = page.locator("[data-until]")
        expect(left).to_have_text(re.compile(r"^[0-9]+:[0-5][0-9]$"))
        before = left.text_content()
        expect(left).not_to_have_text(before, timeout=WITHIN_MS)
        assert shop.wechat.scan(code)
        expect(page.locator("main")).to_contain_text("支付成功", timeout=WITHIN_MS)
        assert page.locator("svg").count() == 0
        assert complaints == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 480), (768, 1366), (600, 1024)])
def test_the_code_and_the_amounts_fit_on_the_screen_beside_each_other_or_one_below_the_other(
    shop, width, height
):
    with look_at(f"{shop.url}/display/01", width, height) as (page, complaints):
        less = {"merchant_discount_fen": 20_000, "trade_in_fen": 30_000}
        sale = shop.sell(tender=shop.by_shown_code(), item=less)
        shop.wait_for_code(sale["record_id"])
        expect(page.locator(".code svg")).to_be_visible(timeout=WITHIN_MS)
        code, amounts = page.locator(".code").bounding_box(), page.locator(".sale").bounding_box()
        for box in (code, amounts):
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
        drawn = page.locator(".code svg").bounding_box()
        assert drawn["width"] >= min(width, height) * 0.6
        beside = code["x"] + code["width"] <= amounts["x"]
        below = code["y"] + code["height"] <= amounts["y"]
        assert beside or below
        assert shop.stop(sale["record_id"])["state"] == "not_paid"
        expect(page.locator("main")).to_contain_text("二维码已失效", timeout=WITHIN_MS)
        assert complaints == []


def test_a_page_whose_agent_is_gone_shows_no_code_any_more(shop):
    with look_at(f"{shop.url}/display/01") as (page, _complaints):
        sale = shop.sell(tender=shop.by_shown_code())
        shop.wait_for_code(sale["record_id"])
        expect(page.locator(".code svg")).to_be_visible(timeout=WITHIN_MS)
        os.kill(shop.agent.pid, signal.SIGKILL)
        shop.agent.wait_dead()
        expect(page.locator("main")).to_be_empty(timeout=WITHIN_MS)
        shop.agent.start()
        expect(page.locator("main")).not_to_be_empty(timeout=WITHIN_MS)
        shop.wait_for_sale(sale["record_id"], lambda sale: sale["state"] == "not_paid")


def test_a_page_whose_agent_hangs_shows_no_code_any_more(shop):
    with look_at(f"{shop.url}/display/01") as (page, _complaints):
        sale = shop.sell(tender=shop.by_shown_code())
        shop.wait_for_code(sale["record_id"])
        expect(page.locator(".code svg")).to_be_visible(timeout=WITHIN_MS)
        os.kill(shop.agent.pid, signal.SIGSTOP)
        try:
            expect(page.locator("main")).to_be_empty(timeout=WITHIN_MS)
        finally:
            os.kill(shop.agent.pid, signal.SIGCONT)
        expect(page.locator(".code svg")).to_be_visible(timeout=WITHIN_MS)
        assert shop.stop(sale["record_id"])["state"] == "not_paid"
