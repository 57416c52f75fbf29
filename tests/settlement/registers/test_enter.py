"""Which registers may a programme use, and what is refused before it starts?"""

import msgspec
import pytest
from fake_device import promised
from sharing import Sharing

from settlement.db.connection import reading
from settlement.registers.config import PERSON, SERIAL, RegisterSettings
from settlement.registers.database import look, make_register
from settlement.registers.enter import enter, entered
from settlement.system import random_bytes
from subsidy.strict.yaml_text import FileError


def changed(sharing, kind, **changes):
    """Return the settings with one register named differently."""
    return RegisterSettings(
        tuple(
            msgspec.structs.replace(one, **changes) if one.kind == kind else one for one in sharing.settings
        )
    )


def start(books, settings):
    """Do what starting does with the registers."""
    enter(books.engine, settings, books.pack.programme, books.clock.now_ms(), random_bytes)


def test_a_register_is_made_once_and_keeps_who_it_is(sharing):
    before = [look(place) for place in sharing.settings]
    assert [make_register(place, random_bytes) for place in sharing.settings] == before
    assert [one.scope for one in before] == ["CN-2026", "CN-2026"]
    assert len({one.register_id for one in before}) == 1


def test_people_are_the_same_in_all_programmes_of_a_register_and_codes_are_not_its_business(one, other):
    assert one.centre.keys.person_index("x") == other.centre.keys.person_index("x")
    assert one.sql_rows("SELECT person FROM qualification") == other.sql_rows(
        "SELECT person FROM qualification"
    )


def test_two_programmes_whose_scopes_overlap_on_two_registers_are_refused(one, other, sharing):
    # The persons stay where both are known; the serial numbers go to a register of that scope elsewhere.
    second = changed(sharing, SERIAL, database=sharing.new_place("second"))
    make_register(second.of(SERIAL), random_bytes)
    with pytest.raises(FileError, match="programme TRAINING-A uses another serial register") as wrong:
        start(other, second)
    assert (wrong.value.line, wrong.value.where) == (10, "registers.serial")
    # Nothing is changed by it: the programme still starts as before.
    start(other, sharing.settings)


def test_a_scope_that_is_not_the_registers_is_refused(one, sharing):
    with pytest.raises(FileError, match="its scope is CN-2026, not CN-2027"):
        start(one, changed(sharing, SERIAL, scope="CN-2027"))


def test_a_key_that_is_missing_or_another_is_refused(one, sharing):
    place = sharing.settings.of(PERSON)
    right = place.key.read_text()
    place.key.write_text("ab" * 32)
    for wrong_key in (lambda: start(one, sharing.settings), lambda: make_register(place, random_bytes)):
        with pytest.raises(FileError, match="is not the key of this register"):
            wrong_key()
    # Also when the register cannot be asked: the books remember which key it was.
    with reading(one.engine) as connection, pytest.raises(FileError, match="not the key"):
        entered(connection, sharing.settings, one.pack.programme)
    place.key.unlink()
    with pytest.raises(FileError, match="cannot be read"):
        start(one, sharing.settings)
    with pytest.raises(FileError, match="cannot be read"):
        make_register(place, random_bytes)
    assert not place.key.exists()
    place.key.write_text(right)
    place.key.chmod(0o600)
    start(one, sharing.settings)


def test_a_register_is_not_left_or_changed_once_it_was_used(one, sharing, tmp_path):
    without = RegisterSettings()
    with pytest.raises(FileError, match="before its first"):
        start(one, without)
    one.sql("DELETE FROM qualification")
    elsewhere = changed(sharing, SERIAL, database=sharing.new_place("second"))
    make_register(elsewhere.of(SERIAL), random_bytes)
    start(one, elsewhere)
    start(one, sharing.settings)
    one.enter("TRAINING-A", sharing.settings)
    sealed = one.hold(one.enrol("here"))
    with pytest.raises(FileError, match="put back what its configuration said"):
        start(one, elsewhere)
    with reading(one.engine) as connection, pytest.raises(FileError, match="is not named"):
        entered(connection, without, one.pack.programme)
    assert one.record(sealed).record_id == promised(sealed).record_id


def test_books_that_have_granted_do_not_enter_a_register(one, tmp_path, sharing):
    one.sql("DELETE FROM meta WHERE name LIKE 'register.%'")
    with reading(one.engine) as connection, pytest.raises(FileError, match="Run `settlement init`"):
        entered(connection, sharing.settings, one.pack.programme)
    with pytest.raises(FileError, match="have used the person register their own"):
        start(one, sharing.settings)


def test_another_database_of_the_same_programme_is_refused(tmp_path):
    with Sharing(tmp_path / "a", on="sqlite") as sharing:
        sharing.programme("TRAINING-A")
        elsewhere = sharing.open.enter_context(Sharing(tmp_path / "b", on="sqlite"))
        with pytest.raises(FileError, match="another database has entered as programme TRAINING-A"):
            elsewhere.programme("TRAINING-A", sharing.settings)


def test_a_database_that_is_something_else_is_no_register(one, sharing):
    books = changed(sharing, SERIAL, database=one.centre.settings.database)
    with pytest.raises(FileError, match="is not a register"):
        start(one, books)
    with pytest.raises(FileError, match="is not a register"):
        make_register(books.of(SERIAL), random_bytes)
