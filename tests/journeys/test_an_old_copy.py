"""A shop's disk is put back from a copy. The agent is told by the centre, before anything is contradicted."""

import json
import re
import shutil
import subprocess

from killing_proxy import cut
from shop import Shop
from story.processes import BIN, wait_for


def told(shop):
    """Return what the agent has said of its journal since it was started first."""
    lines = [json.loads(line) for line in shop.agent.log().splitlines() if line.startswith("{")]
    return [one for one in lines if one["event"] == "journal.is_an_old_copy"]


def put_back(shop, copy):
    """Put a copy of the agent's data back, and wait until the agent knows that it is one."""
    shop.agent.stop()
    data = shop.folder / "agent-data"
    shutil.rmtree(data)
    copy.rename(data)
    shop.restart()
    wait_for("the agent's word", lambda: told(shop))


def command_status(shop):
    """Return what the command prints, which says by its exit code that it is worth a look."""
    command = [BIN / "terminal-agent", "status", "--config", "agent.yaml"]
    done = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4, done.stderr
    return done.stdout


def test_a_journal_put_back_from_a_copy_is_known_as_one_at_the_centres_first_word(
    tmp_path, centre, moves_taken
):
    with Shop.open(tmp_path, centre, moves_taken) as shop:
        data, copy = tmp_path / "agent-data", tmp_path / "copy"
        shop.sell()
        shop.wait_for_empty_outbox()
        shop.agent.stop()
        shutil.copytree(data, copy)
        shop.restart()
        later = shop.sell()["record_id"]
        shop.wait_for_record(later, "PAYABLE")
        shop.wait_for_empty_outbox()
        assert told(shop) == []

        put_back(shop, copy)
        (one, *_) = told(shop)
        assert (one["last_seq"], one["heard_last_seq"]) == (1, 2)
        assert one["upload_no"] < one["heard_upload_no"]
        # Nothing has contradicted the centre yet; the next sale would.
        status = shop.get("/v1/status")
        assert (status["is_old_copy"], status["refused_by_centre"]) == (True, None)
        assert "the journal is an old copy" in command_status(shop)
        (why,) = shop.sell()["reasons"]
        assert why["code"] == "DEVICE_NOT_ACCEPTED"
        assert "the centre refuses this device: DEVICE_FROZEN" in command_status(shop)


def test_an_old_copy_tells_nobody_to_sell_again_what_was_paid_since(tmp_path, centre, moves_taken):
    with Shop.open(tmp_path, centre, moves_taken) as shop:
        shop.terminal().fault("declined")
        declined = shop.sell()
        assert (declined["state"], declined["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
        record_id = declined["record_id"]
        shutil.copytree(shop.folder / "agent-data", tmp_path / "copy")
        assert shop.pay(record_id)["state"] == "paid"
        shop.wait_for_record(record_id, "PAYABLE")
        shop.wait_for_empty_outbox()

        put_back(shop, tmp_path / "copy")

        told_again = shop.sale(record_id)
        # As the copy has it, nothing was paid under this hold, and a restart has ended it.
        assert told_again["closed_because"] == "the agent was restarted"
        assert [one["state"] for one in told_again["attempts"]] == ["NOT_PAID"]
        assert (told_again["state"], told_again["next_action"]) == ("unknown", "DO_NOT_CHARGE")


def test_while_nobody_answers_a_sale_of_an_earlier_run_is_unknown_and_told_soon_after(
    tmp_path, centre, moves_taken
):
    with Shop.open(tmp_path, centre, moves_taken) as shop:
        config = shop.folder / "agent.yaml"
        text, found = re.subn(
            r"(?m)^sync_every_ms: .*$", "sync_every_ms: 300000", config.read_text(encoding="utf-8")
        )
        assert found == 1
        config.write_text(text, encoding="utf-8")
        shop.terminal().fault("declined")
        record_id = shop.sell()["record_id"]
        shop.proxy.always("heard", cut)
        shop.agent.stop()
        shop.restart()

        after = shop.wait_for_sale(record_id, lambda sale: sale["closed_because"])
        assert (after["state"], after["next_action"]) == ("unknown", "DO_NOT_CHARGE")
        asked_again = shop.pay(record_id)
        assert (asked_again["state"], asked_again["next_action"]) == ("unknown", "DO_NOT_CHARGE")
        assert shop.charges(record_id) == 0

        shop.proxy.clear()
        # Not `sync_every_ms` later.
        told_at_last = shop.wait_for_sale(record_id, lambda sale: sale["state"] != "unknown")
        assert (told_at_last["state"], told_at_last["next_action"]) == ("not_paid", "SELL_AGAIN")
