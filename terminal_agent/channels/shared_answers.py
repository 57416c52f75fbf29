"""Which answers do all channels give in the same words?"""

from collections.abc import Callable

from subsidy.records.payment import Evidence
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.one_exchange import Silence
from terminal_agent.checkout.ports import Answer, Say

NOTHING_TO_STORE = "-"

# A code lives for a minute and is stored nowhere: a restart has none, and sends nothing.
NO_PAY_CODE = Answer(Say.DECLINED, evidence=Evidence(code="NO_PAY_CODE", text="请重新扫付款码"))
NO_KEYS = Answer(Say.DECLINED, evidence=Evidence(code=Silence.NO_KEYS, text="密钥不可用，未发出任何请求"))


def mark_with(keys: Callable[[], object]) -> str | None:
    """Return "-": nothing must be stored before money may move. None when we have no keys to sign with.

    Whether the channel can be reached is not asked.
    """
    try:
        keys()
    except KeyTrouble:
        return None
    return NOTHING_TO_STORE


def unclear(code: str) -> Answer:
    """Return that nothing is clear. The code is ours or has the shape of one; it proves nothing."""
    return Answer(Say.UNCLEAR, evidence=Evidence(code=str(code)))
