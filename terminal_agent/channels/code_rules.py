"""By which first digits and lengths does a shop know whose payment code was scanned?

A wallet begins to use new first digits now and then; `config/channels/payment_codes.yaml` has those that
are known, and they hold where the configuration names no file.
"""

import re

from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.channels.codes import Rule, Wallet

_PREFIX = re.compile(r"[0-9]{1,8}", re.ASCII)
_SHORTEST, _LONGEST = 12, 40


def read_rules(text: str, file_name: str) -> tuple[Rule, ...]:
    """Return the rules that `text` has, or raise an error with file, line and remedy."""
    rules: list[Rule] = []
    seen: list[tuple[Wallet, str, int, int]] = []
    known = {wallet.value: wallet for wallet in Wallet}
    for name, node in yaml_text.read(text, file_name).items():
        if name not in known:
            raise node.wrong(f"{name!r} is no wallet", f"Write one of: {', '.join(known)}")
        for member in node.sequence():
            rules.append(_rule(known[name], member, seen))
    return tuple(rules)


def _rule(wallet: Wallet, node: Node, seen: list[tuple[Wallet, str, int, int]]) -> Rule:
    keys = node.mapping(required=("prefixes", "least_digits", "most_digits"))
    least = keys["least_digits"].integer(_SHORTEST, _LONGEST)
    most = keys["most_digits"].integer(_SHORTEST, _LONGEST)
    if least > most:
        raise keys["most_digits"].wrong("below least_digits", "Write at least as much")
    prefixes = [_prefix(member) for member in keys["prefixes"].sequence()]
    if not prefixes:
        raise keys["prefixes"].wrong("no prefix", "Write the first digits, in quotes")
    for prefix in prefixes:
        for other, begins, shortest, longest in seen:
            alike = prefix.startswith(begins) or begins.startswith(prefix)
            if other is not wallet and alike and least <= longest and shortest <= most:
                raise keys["prefixes"].wrong(
                    f"{prefix} could be a code of {other} too", "Keep one of them, or other lengths"
                )
    seen += [(wallet, prefix, least, most) for prefix in prefixes]
    begins = "|".join(prefixes)
    return Rule(wallet, re.compile(rf"(?=[0-9]{{{least},{most}}}\Z)(?:{begins})[0-9]*", re.ASCII))


def _prefix(node: Node) -> str:
    prefix = node.code()
    if _PREFIX.fullmatch(prefix) is None:
        raise node.wrong("no first digits", 'Write one to eight digits, as in "62"')
    return prefix
