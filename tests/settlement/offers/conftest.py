"""A day on which phones pay with Alipay, for those tests of this folder that let a night look at it."""

import pytest
from alipay_day import AlipayDay


@pytest.fixture
def day(tmp_path):
    return AlipayDay(tmp_path)
