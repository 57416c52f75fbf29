"""A terminal that signs in and trades with the acquirer's own host, through us: all of it is understood.

Terminal and host are the direct driver and its emulated host, which share no code with the relay's tests.
"""

import msgspec
import pytest
from acquirer import EmulatedAcquirer, direct_terminal
from watched_line import TERMINAL, WatchedLine

from subsidy import ids
from terminal_agent.checkout.ports import Ask, Back, Say
from terminal_agent.checkout.sighting import Sight

FEN = 12_000


class At:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))


@pytest.fixture
def acquirer(tmp_path):
    with EmulatedAcquirer.start(tmp_path) as running:
        yield running


def test_a_day_at_a_real_host_is_understood_to_the_last_frame(acquirer, tmp_path):
    with WatchedLine(host=At(acquirer.address), armed_for_ms=8000) as line:
        terminal = direct_terminal(f"127.0.0.1:{line.forwarder.port}", tmp_path, TERMINAL)

        def sale(no, fault=None):
            ask = Ask(ids.pay_ref(ids.record_id(1_790_000_000_000, no.to_bytes(10)), 1), FEN, "07", "1")
            ask = msgspec.structs.replace(ask, mark=terminal.prepare(ask))
            armed = line.arm(FEN)
            if fault:
                acquirer.fault(fault)
            return ask, armed, terminal.take(ask)

        ask, armed, paid = sale(1)
        assert paid.say is Say.APPROVED
        seen = line.until(armed, Say.APPROVED)
        assert (seen.evidence.rrn, seen.evidence.trace) == (paid.evidence.rrn, paid.evidence.trace)
        assert terminal.reverse(ask, paid.evidence).say is Say.APPROVED
        assert line.until(armed, Say.DECLINED).evidence.code in ("REVERSED", "VOIDED")

        _, armed, refused = sale(2, "declined")
        assert refused.say is Say.DECLINED
        assert line.until(armed, Say.DECLINED).evidence.code == refused.evidence.code

        ask, armed, paid = sale(3)
        line.until(armed, Say.APPROVED)
        mark = terminal.prepare(ask)
        back = Back(ids.refund_no(ask.pay_ref), FEN, paid.evidence, mark)
        assert terminal.refund(ask, back).say is Say.APPROVED
        line.until(armed, Say.DECLINED)

        state = line.payment.state()
        assert state["frames_seen"] >= 12  # signing in too
        assert (state["frames_not_understood"], state["breaks"]) == (0, 0)
        assert {one.sight for one in line.sightings} - {Sight.LAST_CALL} == {
            Sight.SALE_SENT,
            Sight.MONEY_BACK,
        }
