"""A driver that does what it must not fails in the scenario that shows it: otherwise passing says nothing."""

import secrets
from contextlib import closing

import pytest
from links_to_certify import to_certify
from msgspec.structs import replace
from wechat import RealClock

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.certify import side as sides
from terminal_agent.certify.at_the_terminal import EmulatedKeypad
from terminal_agent.certify.control import Control
from terminal_agent.certify.link_side import LinkSide
from terminal_agent.certify.links import links_of
from terminal_agent.certify.on_watched_lines import LineInOurHands
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.certify.people import MadeUp
from terminal_agent.certify.plan import Means, trials_of
from terminal_agent.certify.run import Verdict, run_all
from terminal_agent.checkout.ports import Answer, Ask, Say, Secret
from terminal_agent.config import read_config
from terminal_agent.terminals.relay import hand_over
from terminal_agent.terminals.relay.forward import Forwarder
from terminal_agent.terminals.relay.hand_over import HandOver
from terminal_agent.terminals.relay.observer import Observer, Way
from terminal_agent.terminals.relay.profile import Profile
from terminal_agent.terminals.relay.watch import Watch


class Honest:
    """A driver as it ships."""

    def __init__(self, driver):
        self._driver = driver

    def __getattr__(self, name):
        return getattr(self._driver, name)


class PaysAgain(Honest):
    """Pays again, under another number, when it has heard nothing."""

    def take(self, ask):
        said = self._driver.take(ask)
        if said.say is Say.UNCLEAR:
            self._driver.take(replace(ask, pay_ref=ids.pay_ref(ids.read_pay_ref(ask.pay_ref)[0], 2)))
        return said

    def query(self, ask):
        return Answer(Say.APPROVED, ask.amount_fen)  # as it remembers


class SilenceIsANo(Honest):
    """Takes no answer for a no."""

    def take(self, ask):
        said = self._driver.take(ask)
        return replace(said, say=Say.DECLINED) if said.say is Say.UNCLEAR else said


class BelievesItself(Honest):
    """Says the amount that was asked for, whatever was approved."""

    def take(self, ask):
        said = self._driver.take(ask)
        return replace(said, approved_fen=ask.amount_fen) if said.say is Say.APPROVED else said


class OnlySaysSo(Honest):
    """Says that a payment is undone, and does nothing."""

    def reverse(self, ask, evidence):
        return Answer(Say.APPROVED)


class GivesBackEachTime(Honest):
    """Gives back under another number with every try."""

    tries = 0

    def refund(self, ask, back):
        self.tries += 1
        # Neither the number nor the mark tells the terminal that it is the same one.
        number = ids.refund_no(ids.pay_ref(ids.read_pay_ref(ask.pay_ref)[0], self.tries))
        part = replace(back, refund_no=number, mark=self._driver.prepare(ask), fen=back.fen // 4)
        said = self._driver.refund(ask, part)
        return replace(said, approved_fen=back.fen) if said.say is Say.APPROVED else said


class ForgetsAfterAPowerCut(Honest):
    """Says of whatever it is asked about after a restart that it knows of none."""

    def query(self, ask):
        said = self._driver.query(ask)
        return said if ask.pay_code is not None or ask.operator != "certify" else Answer(Say.NOT_FOUND)


class KnowsNoneSoNo(Honest):
    """Takes "I know of no such order" for a no."""

    def query(self, ask):
        said = self._driver.query(ask)
        return replace(said, say=Say.DECLINED) if said.say is Say.NOT_FOUND else said


class BelievesAnybody(Honest):
    """Takes any answer to a question for an answer about its own payment."""

    def query(self, ask):
        said = self._driver.query(ask)
        return Answer(Say.APPROVED, ask.amount_fen) if said.say is Say.UNCLEAR else said


class BelievesTheClosing(Honest):
    """Calls an order closed when it has been told to close, without asking."""

    def reverse(self, ask, evidence):
        said = self._driver.reverse(ask, evidence)
        return said if said.say is Say.DECLINED else Answer(Say.APPROVED)


class ForgetsWhenTimeIsOver(Honest):
    """Says of whatever was shown that it was not paid, once its time is over."""

    def query(self, ask):
        is_over = ask.show_until_ms < RealClock().wall_ms()
        return Answer(Say.DECLINED) if is_over else self._driver.query(ask)


class Raises(Honest):
    """Raises with what it must not say."""

    def take(self, ask):
        raise ValueError("6222021234567890123")


CASES = [
    (PaysAgain, "paying: the answer is lost", "their books: taken 101, taken under another number 101"),
    (SilenceIsANo, "paying: the answer is lost", "was seen: paying: no"),
    (BelievesItself, "paying: another amount is taken", "had to be seen: a yes of 1 fen"),
    (OnlySaysSo, "undoing: nothing goes wrong", "had to be seen: asked after it was undone: not yes"),
    (OnlySaysSo, "undoing: its answer is lost", "was seen: undoing: yes"),
    (GivesBackEachTime, "giving back, day ended: nothing goes wrong", "given back 25, given back 25"),
    (ForgetsAfterAPowerCut, "power cut while paying", "was seen: "),
    (Raises, "paying: nothing goes wrong", "a link must answer and raised ValueError"),
]


BY_A_SHOWN_CODE = [
    (KnowsNoneSoNo, "asking: it is not known yet", "had to be seen: asked about: it knows of none"),
    (BelievesAnybody, "asking: the answer of the payment before comes instead", "was seen: asked about: yes"),
    (BelievesAnybody, "asking: the answer names another currency", "was seen: asked about: yes"),
    (
        BelievesTheClosing,
        "the shopper pays: after a closing that was confirmed and did not hold",
        "was seen: closing: yes",
    ),
    (BelievesTheClosing, "closing: the reversal is lost", "a scan after it is closed is not taken"),
    (ForgetsWhenTimeIsOver, "the shopper pays: at the last second", "was seen: no"),
    (GivesBackEachTime, "giving back, same day: its answer is lost", "given back 25, given back 25"),
]


class BlindSoNo(Honest):
    """Takes what it has not seen for a no."""

    def query(self, ask):
        said = self._driver.query(ask)
        return replace(said, say=Say.DECLINED) if said.say is Say.UNCLEAR else said


def changes_a_byte(self, source, target, number, way):
    while content := source.recv(65_536):
        self._observer.passed(number, way, content)
        target.sendall(content[:-1] + bytes((content[-1] ^ (way is Way.TO_TERMINAL),)))
    target.shutdown(1)


def passes_only_what_is_watched(self, connection, way, content, see=Observer.passed):
    if not self.runs:
        raise ConnectionError
    see(self, connection, way, content)


def takes_any_amount(self, connection, seen, now_ms, see=Watch.message):
    armed = self._armings.get(self.armed)
    see(self, connection, replace(seen, fen=armed.fen) if armed else seen, now_ms)


def nothing(*_):
    return None


def none_of(*_):
    return []


def never(*_):
    return False


ON_A_WATCHED_LINE = [
    (Forwarder, "_pass_on", changes_a_byte, "charging: nothing goes wrong", "other bytes went out"),
    (Observer, "passed", passes_only_what_is_watched, "charged: while whoever watches dies", "slip: unclear"),
    (Observer, "_inside", none_of, "charged: while it is given up, half the request being here", "no"),
    (Watch, "message", takes_any_amount, "charged: with another amount", "was seen: asked about: yes"),
    (Watch, "hung_up", nothing, "charging: the answer comes when the terminal has hung up", "seen: yes"),
    (Watch, "broken", nothing, "charging: there is noise before the request", "still at work"),
    (Watch, "disarm", nothing, "charged: after it was given up", "was seen: given up: still at work"),
    (Profile, "no_original_ms", 0, "charging: the request is lost", "was seen: asked about: no (REVERSED)"),
    (LineInOurHands, "tell", nothing, "charged: twice", "SALE_NOT_OURS, 1 times; was seen: 0 times"),
    (LineInOurHands, "tell", nothing, "power cut while charging", "had to be seen: told unasked: MONEY_BACK"),
]


def reads_another(line, read=hand_over._read_one):
    told = read(line)
    return told[:-1] + bytes((told[-1] ^ 1,))


WHERE_FRAMES_ARE_HANDED_OVER = [
    (hand_over, "_read_one", reads_another, "charging: nothing goes wrong", "other bytes went out"),
    (HandOver, "_is_again", never, "charging: our ACK is lost, so the request comes again", "slip: no"),
    (HandOver, "_end_last", nothing, "charging: the terminal's cable is pulled after the request", "at work"),
    (HandOver, "_end_last", nothing, "giving back: its answer fails its check each time", "still at work"),
    (Observer, "_inside", none_of, "charged: while it is given up, half the request being here", "no"),
    (Observer, "not_connected", nothing, "charged: never, and the cable was out", "was seen: no"),
]


@pytest.mark.parametrize(("part", "name", "broken", "trial", "shown"), WHERE_FRAMES_ARE_HANDED_OVER)
def test_a_hand_over_that_breaks_a_promise_fails(part, name, broken, trial, shown, handed, monkeypatch):
    monkeypatch.setattr(part, name, broken)
    result = tried(Honest, trial, handed)
    assert result.verdict is Verdict.FAILED
    assert shown in result.why


@pytest.mark.parametrize(("part", "name", "broken", "trial", "shown"), ON_A_WATCHED_LINE)
def test_a_relay_that_breaks_a_promise_fails(part, name, broken, trial, shown, watched, monkeypatch):
    monkeypatch.setattr(part, name, broken)
    result = tried(Honest, trial, watched)
    assert result.verdict is Verdict.FAILED
    assert shown in result.why


def test_a_relay_that_takes_blindness_for_a_no_fails(watched):
    result = tried(BlindSoNo, "power cut while charging", watched)
    assert result.verdict is Verdict.FAILED
    assert "had to be seen: asked about: unclear; was seen: undisturbed: asked about: no" in result.why


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    with to_certify("allinpay", tmp_path_factory.mktemp("serial")) as given:
        config = read_config(given.config)
        yield links_of(config)[given.link], Control(given.control), None


def of_a_line(kind, folder):
    """Yield a terminal that is only watched, and let nothing wait at its line afterwards."""
    with to_certify(kind, folder) as given:
        link = links_of(read_config(given.config))[given.link]
        with closing(link.line):
            yield link, Control(given.control), Control(given.terminal)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    yield from of_a_line("relay", tmp_path_factory.mktemp("relay"))


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    yield from of_a_line("relay/serial", tmp_path_factory.mktemp("handed"))


@pytest.fixture(scope="module")
def shown_code(tmp_path_factory):
    with to_certify("wechat/shown", tmp_path_factory.mktemp("shown")) as given:
        config = read_config(given.config)
        yield links_of(config)[given.link], Control(given.control), None


@pytest.mark.parametrize(("driver", "name", "shown"), BY_A_SHOWN_CODE)
def test_a_driver_that_breaks_a_promise_of_a_shown_code_fails(driver, name, shown, shown_code):
    assert tried(Honest, name, shown_code).verdict is Verdict.PASSED
    result = tried(driver, name, shown_code)
    assert result.verdict is Verdict.FAILED
    assert shown in result.why


@pytest.mark.parametrize(("driver", "name", "shown"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_driver_that_breaks_a_promise_fails(driver, name, shown, given):
    result = tried(driver, name, given)
    assert result.verdict is Verdict.FAILED
    assert shown in result.why
    assert "6222021234567890123" not in repr(result)
    assert result.orders


@pytest.mark.parametrize("name", sorted({name for _, name, _ in CASES}))
def test_the_driver_that_ships_keeps_it(name, given):
    assert tried(Honest, name, given).verdict is Verdict.PASSED


def tried(driver, name, given):
    link, control, terminal = given
    end, clock = OurEnd(RealClock()), RealClock()

    def side_of():
        return LinkSide(
            link.counterpart,
            lambda: driver(link.open(clock, end)),
            clock,
            secrets.token_bytes,
            MadeUp(link.counterpart, control, secrets.token_bytes),
            fen=101,
            end=end,
            control=control,
            settles=dict(link.settles),
            watched=None if terminal is None else (link.line, EmulatedKeypad(terminal)),
        )

    trials = trials_of(link.counterpart, Means(our_end=True, control=True))
    (result,) = run_all([one for one in trials if one.name == name], side_of, control, lambda _: None)
    end.clear()  # what is still kept back has a line to itself
    return result


def test_what_is_not_tried_is_never_passed(given):
    link, _, _ = given
    trials = trials_of(link.counterpart, Means(our_end=True, control=False))
    kept = [one for one in trials if one.not_tried or one.does_not_apply]
    assert len(kept) >= 15

    def nobody():
        raise AssertionError("tried")

    results = list(run_all(kept, nobody, None, lambda _: None))
    assert {one.verdict for one in results} == {Verdict.NOT_TRIED, Verdict.DOES_NOT_APPLY}
    assert all(one.why for one in results)


def test_an_answer_that_shows_the_payment_code_is_broken():
    ask = Ask("A" * 26 + "01", 101, "certify", "1", pay_code=Secret("130000000000001234"))
    sides.must_hide_the_code(Answer(Say.APPROVED, 101), ask)
    leak = Answer(Say.APPROVED, 101, Evidence(text="130000000000001234"))
    with pytest.raises(sides.Broken) as broken:
        sides.must_hide_the_code(leak, ask)
    assert "130000000000001234" not in str(broken.value)
