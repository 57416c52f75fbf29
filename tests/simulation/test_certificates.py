"""In some worlds Alipay and its application know each other by certificates; all else is the same there."""

from contextlib import contextmanager

import msgspec
import pytest
from sim import wallet_alipay
from sim.plan import draw, draw_nights
from sim.world import World

from terminal_agent.channels import alipay_client
from terminal_agent.channels.alipay_client import Believed

ALIPAY = "alipay"
NAMED = [seed for seed in range(1, 60) if draw(seed).by_certificate]


def in_the_other_mode(plan):
    return msgspec.structs.replace(plan, by_certificate=() if plan.by_certificate else (ALIPAY,))


def test_a_part_of_the_worlds_with_alipay_names_certificates():
    for drawn in (draw, draw_nights):
        plans = [drawn(seed) for seed in range(1, 400)]
        assert not [one for one in plans if one.by_certificate and ALIPAY not in one.wallets]
        with_it = [one for one in plans if ALIPAY in one.wallets]
        assert 0.25 < sum(map(bool, (one.by_certificate for one in with_it))) / len(with_it) < 0.55


@contextmanager
def on_the_line():
    """Give what both sides say of certificates in a world: each request's, and each believed answer's."""
    said, believed = [], []
    doubt_of, look = wallet_alipay.doubt_of, alipay_client.believed

    def noted_doubt(keys, app_id, parameters):
        doubt = doubt_of(keys, app_id, parameters)
        said.append((parameters.get("app_cert_sn"), parameters.get("alipay_root_cert_sn"), doubt))
        return doubt

    def noted_look(body, method, platform):
        found = look(body, method, platform)
        if isinstance(found, Believed):
            believed.append(alipay_client.members_of(body).get("alipay_cert_sn"))
        return found

    wallet_alipay.doubt_of, alipay_client.believed = noted_doubt, noted_look
    try:
        yield said, believed
    finally:
        wallet_alipay.doubt_of, alipay_client.believed = doubt_of, look


def test_both_sides_really_name_them():
    paid = 0
    with on_the_line() as (said, believed):
        for seed in NAMED[:4]:
            outcome = World(draw(seed), keep=True).run()
            assert outcome.violations == []
            assert [line for line in outcome.lines if line.endswith("alipay: both sides name certificates")]
            paid += sum(count for way, count in outcome.paid_by.items() if way.startswith(ALIPAY))
    assert paid > 3
    assert len(said) > len(believed) > 20
    (of_app,), (of_root,), (doubt,) = (set(one) for one in zip(*said, strict=True))
    assert len(of_app) == len(of_root) == 32
    assert doubt is None
    (of_alipay,) = set(believed)
    assert len(of_alipay) == 34  # in its quotes
    assert of_alipay.strip(b'"').decode() not in (of_app, of_root)


def test_a_world_without_them_names_none():
    with on_the_line() as (said, believed):
        assert World(in_the_other_mode(draw(NAMED[0]))).run().violations == []
    assert set(said) == {(None, None, None)}
    assert set(believed) == {None}


@pytest.mark.parametrize("seed", NAMED[:3])
def test_what_is_sold_and_paid_does_not_hang_on_how_keys_are_named(seed):
    by_certificate, by_key = World(draw(seed)).run(), World(in_the_other_mode(draw(seed))).run()
    assert by_certificate.hash != by_key.hash  # which is in the first line
    assert (by_certificate.ends, by_certificate.paid_by, by_certificate.points) == (
        by_key.ends,
        by_key.paid_by,
        by_key.points,
    )
