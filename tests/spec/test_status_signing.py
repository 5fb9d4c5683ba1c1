"""Token Status List §11.3: a certificate of its own signs the lists, by the extended key usage that the trust list
names; without one named, only the certificate of the credential does."""

from __future__ import annotations

from typing import Any

import pytest

from cityid import trust
from cityid.credential import CertificateChain, KeyRef
from cityid.errors import Misuse
from cityid.keys import Algorithm, Signer, certify
from cityid.trust import TrustEntry, TrustList
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, forged, of, token

OFFICE = Office()
USAGE, OTHER_USAGE = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2"
CITY, NEIGHBOUR = "https://id.bregenz.example", "https://id.dornbirn.example"


def key() -> Signer:
    return OFFICE.keyring.signer(OFFICE.keyring.create(Algorithm.ES256))


ROOT_KEY, OTHER_ROOT_KEY = key(), key()
ROOT = certify.certify_root(ROOT_KEY, certify.Name("Region"), at=NOW - HOUR)
OTHER_ROOT = certify.certify_root(OTHER_ROOT_KEY, certify.Name("Elsewhere"), at=NOW - HOUR)


def certified(
    *usages: str, name: str = CITY, other_root: bool = False, host: str = "", common: str = "City"
) -> tuple[CertificateChain, Signer]:
    mine, root, above = key(), OTHER_ROOT if other_root else ROOT, OTHER_ROOT_KEY if other_root else ROOT_KEY
    leaf = certify.certify_issuer(
        mine.public_key, certify.Name(common), root=root, signer=above, at=NOW - HOUR, uris=[name] if name else [],
        dns=[host] if host else [], usages=usages,
    )  # fmt: skip
    return CertificateChain((leaf,)), mine


def entry(**more: Any) -> TrustEntry:
    return TrustEntry(**{"roots": (ROOT,), "mechanism": "x5c", "types": ("x",), "status_eku": USAGE, **more})


CARD, CARD_KEY = certified()


def found(signed_by: CertificateChain, signer: Signer, *entries: TrustEntry, card: CertificateChain = CARD) -> str:
    return of(
        token(OFFICE, signed_by=signed_by, signer=signer), OFFICE, trusted=TrustList(entries), issuer=KeyRef(card)
    )


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_the_usage_that_is_named(form: Any) -> None:
    chain, signer = certified(USAGE)
    made = token(OFFICE, form=form, signed_by=chain, signer=signer)
    issuer = KeyRef(CARD)
    assert of(made, OFFICE, trusted=TrustList((entry(),)), issuer=issuer) == "passed"
    assert of(forged(made, CARD_KEY, form), OFFICE, trusted=TrustList((entry(),)), issuer=issuer) == "signature.invalid"
    nobody_named_one = TrustList((entry(status_eku=""),))
    assert of(made, OFFICE, trusted=nobody_named_one, issuer=issuer) == "status.other_signer"


def test_another_usage_or_none() -> None:
    assert found(*certified(USAGE, OTHER_USAGE), entry()) == "passed"
    for usages in ((), (OTHER_USAGE,)):
        assert found(*certified(*usages), entry()) == "trust.leaf_extended_key_usage"


def test_the_card_s_own_certificate_needs_none() -> None:
    assert found(CARD, CARD_KEY, entry()) == "passed"


def test_under_the_same_root() -> None:
    both = entry(roots=(ROOT, OTHER_ROOT))
    assert found(*certified(USAGE), both) == "passed"
    assert found(*certified(USAGE, other_root=True), both) == "trust.chain_unknown_root"


def test_of_the_same_issuer() -> None:
    """A neighbour's certificate for status lists is not the city's."""
    assert found(*certified(USAGE, name=NEIGHBOUR, common="Neighbour"), entry()) == "status.other_signer"
    by_host, _ = certified(name="", host="id.bregenz.example", common="Office")
    assert found(*certified(USAGE, common="Lists"), entry(), card=by_host) == "passed"
    assert found(*certified(USAGE, name=NEIGHBOUR, common="Lists"), entry(), card=by_host) == "status.other_signer"


def test_named_for_this_issuer_at_this_time() -> None:
    good = certified(USAGE)
    assert found(*good, entry(issuer=CITY)) == "passed"
    assert found(*good, entry(issuer=NEIGHBOUR)) == "status.other_signer"
    assert found(*good, entry(since=NOW, until=NOW + HOUR)) == "passed"
    assert found(*good, entry(until=NOW)) == "status.other_signer"
    assert found(*good, entry(since=NOW + HOUR)) == "status.other_signer"
    elsewhere = entry(roots=(OTHER_ROOT,))
    assert found(*good, entry(status_eku=""), elsewhere) == "status.other_signer"
    assert found(*good, entry(status_eku=OTHER_USAGE), entry(issuer=CITY, types=("y",))) == "passed"


def test_a_certificate_for_lists_signs_no_cards() -> None:
    trusted = TrustList((entry(),))

    def judged(chain: CertificateChain) -> str:
        check = trusted.check(KeyRef(chain), CITY, ("x",), NOW)
        return check.problem.code if check.problem else check.outcome.value

    assert judged(certified(USAGE)[0]) == "trust.leaf_for_status"
    for usages in ((), (OTHER_USAGE,), (USAGE, OTHER_USAGE)):
        assert judged(certified(*usages)[0]) == "passed"


class TestFile:
    """`status_eku` in a trust file."""

    TEXT = 'root = "r.pem"\nmechanism = "x5c"\ntypes = ["x"]\nstatus_eku = {}\n'

    def read(self, value: str) -> TrustList:
        return trust.read(f"[[issuer]]\n{self.TEXT.format(value)}", lambda name: ROOT)

    def test_read_and_written(self) -> None:
        assert self.read(f'"{USAGE}"').entries[0].status_eku == USAGE
        assert f'status_eku = "{USAGE}"' in trust.write_entry({"root": "r.pem", "status_eku": USAGE})

    @pytest.mark.parametrize("value", ['"statusSigning"', '""', "7", '"1.3."'])
    def test_what_is_none(self, value: str) -> None:
        with pytest.raises(Misuse) as error:
            self.read(value)
        assert (error.value.code, error.value.problem.where) == ("trust_file.wrong_type", "issuer[0].status_eku")

    def test_belongs_to_certificates(self) -> None:
        with pytest.raises(Misuse) as error:
            TrustEntry(mechanism="web", web=CITY, types=("x",), status_eku=USAGE)
        assert error.value.code == "trust_file.pin"
