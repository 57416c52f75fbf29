from collections.abc import Callable, Iterator

import pytest
from alipay import EmulatedAlipay
from unionpay import EmulatedUnionPay
from wechat import EmulatedWechat, RealClock, new_ask

from terminal_agent.channels.wechat import WechatPay
from terminal_agent.checkout.ports import Ask


@pytest.fixture(scope="package")
def shared_wechat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedWechat]:
    with EmulatedWechat.start(tmp_path_factory.mktemp("wechat")) as running:
        yield running


@pytest.fixture
def wechat(shared_wechat: EmulatedWechat) -> EmulatedWechat:
    shared_wechat.clear_faults()
    return shared_wechat


@pytest.fixture(scope="package")
def shared_alipay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAlipay]:
    with EmulatedAlipay.start(tmp_path_factory.mktemp("alipay")) as running:
        yield running


@pytest.fixture
def alipay(shared_alipay: EmulatedAlipay) -> EmulatedAlipay:
    shared_alipay.clear_faults()
    return shared_alipay


@pytest.fixture
def channel(wechat: EmulatedWechat) -> WechatPay:
    return wechat.channel()


@pytest.fixture(scope="package")
def shared_unionpay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedUnionPay]:
    with EmulatedUnionPay.start(tmp_path_factory.mktemp("unionpay")) as running:
        yield running


@pytest.fixture
def unionpay(shared_unionpay: EmulatedUnionPay) -> EmulatedUnionPay:
    shared_unionpay.clear_faults()
    return shared_unionpay


@pytest.fixture
def ask_for() -> Callable[..., Ask]:
    return new_ask


@pytest.fixture
def clock() -> RealClock:
    return RealClock()
