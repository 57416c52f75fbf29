import pytest

from terminal_agent.emulators.host_keys import Keys, encipher, mac
from terminal_agent.terminals.direct.pinpad import CardData, PinpadFault, Use
from terminal_agent.terminals.direct.training_pinpad import TrainingPinpad

MASTER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PIK, MAK = bytes(range(16)), bytes(range(100, 108))
BLOCK = bytes.fromhex(Keys("cup", MAK, PIK).block(MASTER))


@pytest.fixture
def pinpad(tmp_path):
    return TrainingPinpad(tmp_path / "memory", "cup")


def test_a_number_is_never_given_out_again_by_any_that_comes_after_it(tmp_path):
    given = []
    for count in (1, 49, 50, 51, 3):
        pinpad = TrainingPinpad(tmp_path / "memory", "cup")
        given += [pinpad.next_trace() for _ in range(count)]
    assert len(set(given)) == len(given)
    assert all(len(one) == 6 and one != "000000" for one in given)


def test_numbers_begin_anew_after_the_last(tmp_path):
    (tmp_path / "memory").write_text("999998")
    pinpad = TrainingPinpad(tmp_path / "memory", "cup")
    assert [pinpad.next_trace() for _ in range(3)] == ["999999", "000001", "000002"]


@pytest.mark.parametrize("content", ["", "12a", "-1", "1 2", "\u0661", "1\n\n"])
def test_a_damaged_memory_is_said(content, tmp_path):
    (tmp_path / "memory").write_text(content, encoding="utf-8")
    with pytest.raises(PinpadFault, match="damaged"):
        TrainingPinpad(tmp_path / "memory", "cup").next_trace()


def test_a_memory_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(PinpadFault, match="cannot be written"):
        TrainingPinpad(tmp_path / "nowhere" / "memory", "cup").next_trace()


def test_keys_are_those_of_the_sign_in(pinpad):
    assert not pinpad.is_ready
    assert pinpad.load_keys(BLOCK)
    assert pinpad.seal(b"a message") == mac(MAK, b"a message")
    sale = pinpad.card_data("training-1", Use.SALE).reveal()
    assert len(sale["52"]) == 16
    clear = bytes.fromhex("06246810FFFFFFFF"), bytes.fromhex("0000" + sale["2"][-13:-1])
    block = bytes(one ^ other for one, other in zip(*clear, strict=True))
    assert sale["52"] == encipher(PIK, block).hex().upper()


@pytest.mark.parametrize("at", [0, 16, 20, 27, 36, 39])
def test_keys_whose_check_value_is_wrong_are_not_kept(pinpad, at):
    assert pinpad.load_keys(BLOCK)
    assert not pinpad.load_keys(BLOCK[:at] + bytes((BLOCK[at] ^ 1,)) + BLOCK[at + 1 :])
    assert not pinpad.is_ready
    with pytest.raises(PinpadFault, match="no session keys"):
        pinpad.seal(b"a message")


@pytest.mark.parametrize("size", [0, 23, 39, 41, 56, 84])
def test_a_block_of_another_size_is_not_taken(pinpad, size):
    assert not pinpad.load_keys(bytes(size))


def test_card_data_hides_itself(pinpad):
    pinpad.load_keys(BLOCK)
    data = pinpad.card_data("training-1", Use.SALE)
    assert isinstance(data, CardData)
    assert data.reveal()["2"] not in f"{data!r} {data}"
    assert {"26", "35", "52"} & pinpad.card_data("training-1", Use.UNDO).reveal().keys() == set()
