"""Until when is an armed amount asked for, and until when does it count?"""

from terminal_agent.checkout.ports import Say
from terminal_agent.checkout.sighting import Sight
from terminal_agent.terminals.relay.seen import Kind, Said, Seen
from terminal_agent.terminals.relay.watch import Watch

FEN, FOR_MS = 85_000, 180_000
ASKED_MS = FOR_MS * 3 // 4


def armed():
    told = []
    watch = Watch("EMU00001", 120_000, told.append)
    watch.arm("PAYREF", FEN, 0, FOR_MS, [])
    watch.opened(1)
    return watch, told


def request(**changes):
    fields = {"kind": Kind.SALE, "is_answer": False, "terminal_no": "EMU00001", "own_trace": "000001"}
    return Seen(**(fields | {"batch": "000001", "trace": "000001", "fen": FEN} | changes))


def test_the_last_call_is_told_once_a_quarter_of_the_time_before_the_end():
    watch, told = armed()
    watch.pass_time(ASKED_MS - 1, [])
    assert told == []
    for at_ms in (ASKED_MS, ASKED_MS + 1, FOR_MS, FOR_MS + 1):
        watch.pass_time(at_ms, [])
    assert [(one.sight, one.pay_ref) for one in told] == [(Sight.LAST_CALL, "PAYREF")]


def test_what_is_charged_after_the_last_call_counts():
    watch, _ = armed()
    watch.pass_time(ASKED_MS, [])
    assert watch.word("PAYREF").say is Say.PENDING
    watch.pass_time(FOR_MS - 1, [])
    watch.message(1, request(), FOR_MS - 1)
    watch.message(1, request(is_answer=True, said=Said.YES), FOR_MS + 5)
    assert (watch.word("PAYREF").say, watch.word("PAYREF").approved_fen) == (Say.APPROVED, FEN)


def test_nobody_is_called_once_a_sale_has_passed_or_was_given_up():
    for end in (lambda watch: watch.message(1, request(), 5), lambda watch: watch.disarm("PAYREF", [])):
        watch, told = armed()
        end(watch)
        watch.pass_time(ASKED_MS, [])
        assert Sight.LAST_CALL not in [one.sight for one in told]
