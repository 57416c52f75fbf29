"""What do we know of one merchant's UnionPay? From `config/channels/unionpay.yaml`, read at start."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from subsidy.strict import yaml_text
from terminal_agent.channels import profile_parts as parts
from terminal_agent.channels.one_exchange import Limits
from terminal_agent.checkout.ports import Clocks

FAMILY = "unionpay_acp"

_EMULATOR = re.compile("EMU", re.ASCII)
_MER_ID = re.compile(r"[0-9A-Z]{15}", re.ASCII)
_TERM_ID = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_CODE = re.compile(r"[0-9A-Z]{2}", re.ASCII)
_WHO = ("family", "base_url", "mer_id", "term_id", "back_url", "shows_codes", "merchant", "platform")
_MEANINGS = ("refused", "failed", "pending", "not_found", "cannot_reverse", "refund_refused")


class Profile(msgspec.Struct, frozen=True):
    """One merchant's UnionPay. `files` has the paths of certificate, private_key, root and middle.

    `refused` has, for each response code that is a sure no, what the cashier reads; `failed` are those
    that are one only when they are said of the payment in an answer to a question.
    """

    base_url: str
    mer_id: str
    term_id: str
    back_url: str
    shows_codes: bool
    files: Mapping[str, Path]
    platform_name: str
    connect_s: float
    clocks: Clocks
    refused: Mapping[str, str]
    failed: frozenset[str]
    pending: frozenset[str]
    not_found: frozenset[str]
    cannot_reverse: frozenset[str]
    refund_refused: frozenset[str]

    @property
    def limits(self) -> Limits:
        """How long one call may take."""
        return Limits(self.connect_s, self.clocks.answer_wait_s, self.clocks.answer_cap_s)


def read_profile(text: str, file_name: str, folder: Path, *, training: bool = False) -> Profile:
    """Return the profile that `text` describes, or raise an error with file, line and remedy.

    Key files are relative to `folder`. An emulator's numbers, names and address are taken only in training.
    """
    root = yaml_text.read(text, file_name).mapping(required=(*_WHO, "connect_ms", "clocks", *_MEANINGS))
    root["family"].choice((FAMILY,))
    merchant = root["merchant"].mapping(required=("certificate", "private_key"))
    platform = root["platform"].mapping(required=("root", "middle", "name"))
    pending = parts.words(root["pending"], _CODE)
    return Profile(
        base_url=parts.address(root["base_url"], training=training),
        mer_id=parts.no_emulator(
            root["mer_id"], parts.code(root["mer_id"], _MER_ID, "a merchant number"), _EMULATOR, training
        ),
        term_id=parts.code(root["term_id"], _TERM_ID, "a terminal number"),
        back_url=_back_url(root["back_url"]),
        shows_codes=root["shows_codes"].flag(),
        files={
            "certificate": folder / merchant["certificate"].text(),
            "private_key": folder / merchant["private_key"].text(),
            "root": folder / platform["root"].text(),
            "middle": folder / platform["middle"].text(),
        },
        platform_name=parts.no_emulator(
            platform["name"], parts.short_text(platform["name"], 64), _EMULATOR, training
        ),
        connect_s=parts.seconds(root["connect_ms"]),
        clocks=parts.read_clocks(root["clocks"]),
        refused=parts.refused(root["refused"], pending, _CODE),
        failed=parts.words(root["failed"], _CODE),
        pending=pending,
        not_found=parts.words(root["not_found"], _CODE),
        cannot_reverse=parts.words(root["cannot_reverse"], _CODE),
        refund_refused=parts.words(root["refund_refused"], _CODE),
    )


def _back_url(node: yaml_text.Node) -> str:
    url = node.text()
    if not re.fullmatch(r"https?://[!-~]{1,240}", url, re.ASCII):
        raise node.wrong("no address", 'Write it as in "https://shop.example/not-used"')
    return url
