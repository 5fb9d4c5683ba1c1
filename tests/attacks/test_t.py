"""Group T: status lists, as far as Token Status Lists go. T07, T09 and half of T05 are about the W3C's lists, which are
not built; T22 and T25 are with the register and the publisher."""

from __future__ import annotations

import json
import time
import tracemalloc
import zlib
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cityid import limits
from cityid.checks import Outcome, Rejected, Step
from cityid.credential import DidUrl, KeyRef, Window
from cityid.edge import http
from cityid.encoding import base64url, cbor
from cityid.errors import CityIdError, Malformed, Unavailable
from cityid.formats._sd_jwt_vc_payload import statuses_of
from cityid.plan import Request, Response
from cityid.status import Freshness
from cityid.status import token_status_list as lists
from cityid.status.memo import Memo
from cityid.status.token_status_list import CWT, JWT, Packed, build, read
from cityid.status.traces import traces
from cityid.trust import TrustEntry, TrustList
from tests.city import NOW, TYPES, WIRE, Town, codes
from tests.jobs.offices import Office
from tests.jobs.test_verify import present_of
from tests.lists import HOUR, MINUTE, URI, Host, code, forged, judge, of, ref, token

OFFICE = Office()
SIGNER = OFFICE.issuer.signer
FORMS: tuple[lists.Form, ...] = ("jwt", "cwt")


@pytest.fixture(scope="module")
def town() -> Town:
    return Town(OFFICE)


def trusting(status: Any = "required") -> TrustList:
    return TrustList((TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=tuple(TYPES), status=status),), WIRE)


def test_t01_zip_bombs() -> None:
    bomb = zlib.compress(bytes(256 << 20), 9)
    assert len(bomb) < 300_000
    at_most = zlib.compress(bytes(limits.STATUS_LIST))
    one_more = zlib.compress(bytes(limits.STATUS_LIST + 1))
    tracemalloc.start()
    try:
        for form in FORMS:
            good = token(OFFICE, form=form)
            for lst, expected in (
                (bomb, "status_list.too_large"),
                (one_more, "status_list.too_large"),
                (at_most, "passed"),
            ):
                inside = {"lst": lst if form == "cwt" else base64url.encode(lst)}
                assert of(forged(good, SIGNER, form, inside=inside), OFFICE) == expected
        assert tracemalloc.get_traced_memory()[1] < 2 * limits.STATUS_LIST + (40 << 20)
    finally:
        tracemalloc.stop()
    # several streams, one after the other: the second is never opened
    two = zlib.compress(bytes(10)) + bomb
    assert of(forged(token(OFFICE), SIGNER, inside={"lst": base64url.encode(two)}), OFFICE) == "status_list.trailing"


def test_t01_unsigned_bombs_are_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    inflate = lists._inflate

    def counted(data: bytes) -> bytes:
        opened.append(1)
        return inflate(data)

    monkeypatch.setattr(lists, "_inflate", counted)
    made = forged(token(OFFICE, {4: 1}), Office().issuer.signer)
    assert of(made, OFFICE) == "signature.invalid"
    assert opened == []
    assert of(token(OFFICE, {4: 1}), OFFICE) == "passed"
    assert opened == [1]


@pytest.mark.parametrize("index", ["1e3", 1.0, "7", "１２", "1_0", " 7", "+5", "007", "²", True, None, [7]])
def test_t04_indices_are_numbers(index: Any) -> None:
    with pytest.raises(Malformed) as caught:
        statuses_of({"status_list": {"idx": index, "uri": URI}})
    assert caught.value.code == "json.wrong_type"
    assert statuses_of({"status_list": {"idx": 7, "uri": URI}})[0].index == 7


def test_t04_indices_outside() -> None:
    made = token(OFFICE, size=1024)
    assert of(made, OFFICE, ref(1023)) == "passed"
    for index in (1024, 1025, 2**31, 2**53, 2**63):
        assert of(made, OFFICE, ref(index)) == "status.index"
    for index in (-1, -(2**63)):
        with pytest.raises(Malformed) as caught:
            statuses_of({"status_list": {"idx": index, "uri": URI}})
        assert caught.value.code == "sd_jwt_vc.status_index"


def test_t05_bit_order() -> None:
    """§4.1: entry 0 is the lowest bit of the first byte; read the other way round it would be entry 7."""
    for index in range(64):
        found = build({index: 1}, bits=1, size=64).unpack()
        assert [found[other] for other in range(64)] == [int(other == index) for other in range(64)]
        mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in found.data)
        assert Packed(1, zlib.compress(mirrored)).unpack()[index] == 0


def test_t06_widths_and_values() -> None:
    good = token(OFFICE)
    assert of(good, OFFICE) == "passed"
    for bits in (3, 16, 0, -1):
        assert of(forged(good, SIGNER, inside={"bits": bits}), OFFICE) == "status_list.bits"
        assert of(forged(token(OFFICE, form="cwt"), SIGNER, "cwt", inside={"bits": bits}), OFFICE) == "status_list.bits"
    for width in ("1", True, 2.0, None):
        assert of(forged(good, SIGNER, inside={"bits": width}), OFFICE) in ("json.wrong_type", "json.missing")
    # index * bits beyond the array, though the index is not
    assert of(token(OFFICE, bits=8, size=128), OFFICE, ref(127)) == "passed"
    assert of(token(OFFICE, bits=8, size=128), OFFICE, ref(128)) == "status.index"
    values = {value: value for value in range(1, 16)}
    made = token(OFFICE, values, bits=4, size=16)
    for value in range(1, 16):
        found = judge(Host({URI: made}), OFFICE, ref(value))
        assert found.outcome is Outcome.FAILED
    assert of(made, OFFICE, ref(0)) == "passed"


def test_t08_every_entry_counts() -> None:
    other = "https://id.lindau.example/status/suspension"
    host = Host({URI: token(OFFICE, {1: 1}), other: token(OFFICE, {5: 2}, uri=other)})
    assert code(judge(host, OFFICE, ref(0), ref(0, other))) == "passed"
    assert code(judge(host, OFFICE, ref(0), ref(5, other))) == "status.suspended"
    assert code(judge(host, OFFICE, ref(1), ref(0, other))) == "status.invalid"


def test_t08_in_a_credential(town: Town) -> None:
    """An entry of a kind that nobody here can read, beside one that is valid."""
    desk = town.desk(trusted=trusting())
    host = Host({URI: token(OFFICE)})
    raw, asked = present_of(town, desk, status=(ref(0),))
    assert desk.judge_one(raw, asked, exchange=host)
    raw, asked = present_of(town, desk, status=(ref(0), replace(ref(0), kind="identifier_list")))
    assert codes(desk.judge_one(raw, asked, exchange=host))[Step.STATUS] == "status.kind_not_built"


def test_t10_whose_list_it_is() -> None:
    good = token(OFFICE)
    other = Office()
    assert of(good, OFFICE) == "passed"
    assert of(token(OFFICE, uri=URI + "/"), OFFICE) == "status.subject"
    assert of(token(OFFICE, uri=URI.replace("id.", "ID.")), OFFICE) == "status.subject"
    assert of(forged(good, SIGNER, header={"typ": "JWT"}), OFFICE) == "jws.typ"
    assert of(forged(good, SIGNER, iss="https://elsewhere.example"), OFFICE) == "status.other_iss"
    assert of(forged(good, other.issuer.signer), OFFICE) == "signature.invalid"
    # a key that may sign credentials of another issuer on the same trust list, but not lists of this one
    theirs = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
    entries = [
        TrustEntry(did=one.issuer.id, mechanism="did", types=tuple(TYPES), status="required") for one in (OFFICE, other)
    ]
    assert of(theirs, OFFICE, trusted=TrustList(tuple(entries), WIRE)) == "status.other_signer"
    entries[0] = replace(entries[0], status_issuer=other.issuer.id)
    assert of(theirs, OFFICE, trusted=TrustList(tuple(entries), WIRE)) == "passed"


def test_t11_times() -> None:
    good = token(OFFICE)
    day = int(timedelta(days=1).total_seconds())
    now = int(NOW.timestamp())
    assert of(forged(good, SIGNER, exp=now), OFFICE) == "status.expired"
    assert of(forged(good, SIGNER, exp=now + 1), OFFICE) == "passed"
    assert of(forged(good, SIGNER, iat=now + 61), OFFICE) == "status.not_yet"
    assert of(forged(good, SIGNER, iat=now + 60), OFFICE) == "passed"
    for ttl in (0, -1, -900):
        assert of(forged(good, SIGNER, ttl=ttl), OFFICE) == "status_list.ttl"
    lax = Freshness(max_age=timedelta(days=30))
    wishes: tuple[tuple[int | None, int], ...] = ((1, 60), (10**9, day), (None, 30 * day))
    for wish, bound in wishes:
        found = judge(Host({URI: forged(good, SIGNER, ttl=wish)}), OFFICE, freshness=lax)
        assert found.facts["bound"] == bound
    host = Host({URI: token(OFFICE, ttl=5 * MINUTE)})
    assert code(judge(host, OFFICE)) == "passed"
    host.now += 5 * MINUTE + timedelta(seconds=1)
    host.answers.clear()
    assert code(judge(host, OFFICE)) == "net.connect"


def test_t14_places_that_are_none() -> None:
    """A trusted issuer's card can name any address; the fetcher has the last word, and none is a yes."""
    for uri in (
        "http://id.lindau.example/1", "file:///etc/passwd", "data:,x", "ftp://id.lindau.example/1", "javascript:1",
        "https://127.0.0.1/1", "https://[::1]/1", "https://169.254.169.254/latest", "https://0x7f000001/1",
        "https://user@id.lindau.example/1", "https://localhost:99999/1", "",
    ):  # fmt: skip
        found = judge(http.Http(resolver=lambda host, port: ("127.0.0.1",)), OFFICE, ref(0, uri), at=NOW)
        assert found.outcome is Outcome.UNDECIDED
        assert code(found).startswith("net."), uri
    named = judge(http.Http(resolver=lambda host, port: ("10.0.0.7",)), OFFICE, at=NOW)
    assert code(named) == "net.address"
    assert of(token(OFFICE), OFFICE) == "passed"


def test_t15_nothing_is_asked_before_all_else_has_passed(town: Town) -> None:
    desk = town.desk(trusted=trusting())
    host = Host({URI: token(OFFICE)})
    raw, asked = present_of(town, desk, status=(ref(0),))
    assert desk.judge_one(raw, asked, exchange=host)
    assert [request.url for request in host.asked] == [URI]

    strangers = Town()
    spoilt = raw[:-3] + (b"AAA" if raw[-3:] != b"AAA" else b"BBB")
    by_strangers, _ = present_of(strangers, desk, status=(ref(0),))
    expired, _ = present_of(town, desk, status=(ref(0),), window=Window(None, NOW - HOUR))
    for wrong in (spoilt, by_strangers, expired):
        spy = Host({URI: token(OFFICE)})
        verdict = desk.judge_one(wrong, asked, exchange=spy)
        assert not verdict
        assert codes(verdict)[Step.STATUS] == "not_reached"
        assert spy.asked == []


def test_t16_history_answered_with_today() -> None:
    from cityid.status import check_then

    then = NOW - 48 * HOUR
    url = f"{URI}?time={int(then.timestamp())}"

    def asked(answer: bytes) -> str:
        plan = check_then(ref(0), OFFICE.issuer.signed_by, OFFICE.trusted, then)
        return code(plan.run(Host({url: answer})))

    assert asked(token(OFFICE, at=then - HOUR)) == "passed"
    assert asked(token(OFFICE)) == "status.not_yet"
    assert asked(token(OFFICE, at=then - 49 * HOUR)) == "status.expired"
    assert asked(forged(token(OFFICE, at=then), SIGNER, exp=None)) == "status.no_history"


def test_t17_a_list_with_a_status() -> None:
    status = {"status_list": {"idx": 0, "uri": URI}}
    for form in FORMS:
        good = token(OFFICE, form=form)
        assert of(good, OFFICE) == "passed"
        assert of(forged(good, SIGNER, form, status=status), OFFICE) == "status_list.own_status"


def test_t18_a_status_that_is_taken_away(town: Town) -> None:
    desk = town.desk(trusted=trusting())
    host = Host({URI: token(OFFICE)})
    raw, asked = present_of(town, desk)
    assert codes(desk.judge_one(raw, asked, exchange=host))[Step.STATUS] == "status.missing"
    raw, asked = present_of(town, desk, status=(replace(ref(0), kind="unheard_of"),))
    assert codes(desk.judge_one(raw, asked, exchange=host))[Step.STATUS] == "status.kind_not_built"
    assert statuses_of({}) == ()
    # `status` cannot be hidden, so no holder can take it away
    raw, asked = present_of(town, desk, status=(ref(1),))
    assert codes(desk.judge_one(raw, asked, exchange=host))[Step.STATUS] == "status.invalid"
    raw, asked = present_of(town, desk, status=(ref(0),))
    assert desk.judge_one(raw, asked, exchange=host)


def test_t19_two_hundred_large_lists() -> None:
    """The memory that decoded lists take is bounded by bytes, however many there are."""
    memo: Memo[lists.Token] = Memo(limits.STATUS_MEMO)
    packed = build({5: 1}, bits=1, size=1 << 23)
    tracemalloc.start()
    try:
        for number in range(200):
            made = lists.issue(
                packed, f"{URI}/{number}", SIGNER, signed_by=OFFICE.issuer.signed_by.at, at=NOW, lifetime=HOUR, ttl=HOUR
            )
            entries = memo.read(made, JWT, lambda body: read(body, "jwt")).checked(SIGNER.public_key)
            assert (entries[5], entries[6]) == (1, 0)
        assert tracemalloc.get_traced_memory()[1] < limits.STATUS_MEMO + (24 << 20)
    finally:
        tracemalloc.stop()
    assert 50 < len(memo) < 64


def test_t19_the_largest_list() -> None:
    """2^26 entries: read, checked and looked up within the budget for one hostile input."""
    size = limits.STATUS_LIST * 8
    made = token(OFFICE, {size - 1: 1}, bits=1, size=size)
    begun = time.process_time()
    assert of(made, OFFICE, ref(size - 1)) == "status.invalid"
    assert time.process_time() - begun < 0.25
    assert of(made, OFFICE, ref(size - 2)) == "passed"


def test_t20_what_a_request_tells() -> None:
    """The list's address and what we can read: neither the index nor anything of the card or its holder."""
    found = []
    for index in (7, 900):
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE, ref(index))) == "passed"
        (request,) = host.asked
        found.append(request)
    assert found[0] == found[1]
    assert found[0].url == URI
    assert set(found[0].headers) == {"accept"}
    assert found[0].body == b""


def test_t24_a_mac_is_no_signature() -> None:
    from cityid.cose import sign1

    head, claims, _ = token(OFFICE).split(b".")
    for alg in ("HS256", "none", "ES384", "EdDSA"):
        header = {**json.loads(base64url.decode(head)), "alg": alg}
        made = base64url.encode(json.dumps(header).encode()).encode() + b"." + claims + b"." + b"A" * 86
        assert of(made, OFFICE) in ("jws.alg", "jws.alg_none")
    good = cbor.read(token(OFFICE, form="cwt"))
    mac = cbor.write(cbor.Tag(17, good.value))
    assert of(Response(200, {"content-type": CWT}, mac, NOW), OFFICE) == "cose.not_sign1"
    protected = cbor.read(good.value[0])
    good.value[0] = cbor.write({**protected, 1: 5})
    assert of(cbor.write(good), OFFICE) == "cose.alg"
    assert sign1.read(token(OFFICE, form="cwt"))
    assert of(token(OFFICE, form="cwt"), OFFICE) == "passed"


FAULTS: dict[str, Any] = {
    "404": Response(404, {"content-type": JWT}, b"", NOW),
    "500": Response(500, {"content-type": "text/html"}, b"<h1>", NOW),
    "timeout": Unavailable("net.timeout", host="id.lindau.example", seconds="10"),
    "no such name": Unavailable("net.name", host="id.lindau.example"),
    "TLS": Unavailable("net.tls", host="id.lindau.example", reason="expired"),
    "HTML": Response(200, {"content-type": "text/html"}, b"<html>sign in", NOW),
    "empty": Response(200, {"content-type": JWT}, b"", NOW),
    "206": Response(206, {"content-type": JWT}, token(OFFICE)[:100], NOW),
    "wrong type": Response(200, {"content-type": "application/jwt"}, token(OFFICE), NOW),
    "refused": Unavailable("net.connect", host="id.lindau.example"),
    "reset": Unavailable("net.broken", host="id.lindau.example"),
    "truncated": Response(200, {"content-type": JWT}, token(OFFICE)[:200], NOW),
    "loop": Unavailable("net.too_many_redirects", url=URI, limit=3),
    "endless": Unavailable("net.too_large", host="id.lindau.example", limit=limits.STATUS_TOKEN),
}
"""T13; how the fetcher meets each of them is in tests/edge/test_http.py."""
POLICIES = {
    "closed": Freshness(max_age=15 * MINUTE),
    "grace": Freshness(max_age=15 * MINUTE, grace=HOUR),
    "offline": Freshness(max_age=15 * MINUTE, offline=8 * HOUR),
}
KEPT = {"fresh": 10 * MINUTE, "stale": 50 * MINUTE, "none": None}
"""How long ago the list was had."""
ACCEPTED = {
    ("closed", "fresh"): "fresh", ("grace", "fresh"): "fresh", ("offline", "fresh"): "fresh",
    ("grace", "stale"): "stale", ("offline", "stale"): "stale",
}  # fmt: skip


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("fault", FAULTS)
def test_t13_faults_and_policies(fault: str, policy: str, kept: str) -> None:
    """E7: 14 faults, three policies, three things that may be at hand; and each heals within one time to live."""
    host = Host()
    age = KEPT[kept]
    if age is not None:
        made = Response(200, {"content-type": JWT}, token(OFFICE, at=NOW - age), NOW - age, ahead=policy == "offline")
        host.cache.put(Request("GET", URI, {"accept": f"{JWT}, {CWT};q=0.9"}, max_age=HOUR), made)
    host.answers[URI] = FAULTS[fault]
    for _ in range(2):  # a fault does not drive out what was kept
        found = judge(host, OFFICE, freshness=POLICIES[policy])
        wanted = ACCEPTED.get((policy, kept))
        if wanted is not None:
            assert (code(found), found.facts["freshness"]) == ("passed", wanted)
        else:
            assert found.outcome is Outcome.UNDECIDED
            assert code(found).partition(".")[0] in ("net", "status", "jws")
        assert code(judge(host, OFFICE, ref(1), freshness=POLICIES[policy])) == (
            "status.invalid" if wanted else code(found)
        )
    host.answers[URI] = token(OFFICE, {0: 2})
    host.now += 15 * MINUTE + timedelta(seconds=1)
    assert code(judge(host, OFFICE, freshness=POLICIES[policy])) == "status.suspended"


def test_t13_the_table_is_whole() -> None:
    assert len(FAULTS) * len(POLICIES) * len(KEPT) == 126


def test_t13_a_verdict_says_that_nothing_could_be_had(town: Town) -> None:
    desk = town.desk(trusted=trusting())
    raw, asked = present_of(town, desk, status=(ref(0),))
    assert desk.judge_one(raw, asked, exchange=Host({URI: token(OFFICE)}))
    verdict = desk.judge_one(raw, asked, exchange=Host())
    assert isinstance(verdict, Rejected)
    assert verdict.undecided
    assert verdict.reason.code == "net.connect"


def _copies(*uris: str, kinds: tuple[str, ...] = ("status_list",), keys: tuple[str, ...] = ("k",)) -> list[Any]:
    """Copies of one card: one with a status entry in each list, signed with the keys by turns."""
    return [
        SimpleNamespace(
            status=tuple(ref(index, uri, kind) for kind in kinds),
            signed_by=(KeyRef(DidUrl("did:web:id.lindau.example", keys[index % len(keys)])),),
        )
        for index, uri in enumerate(uris)
    ]


def _traces(copies: list[Any]) -> list[str]:
    return [problem.code for problem in traces(copies)]


def test_t21_what_a_wallet_sees_of_an_issuer_that_follows_its_cards() -> None:
    """Copies made at one time lie in one list, or in two when one became full, and have one key."""
    assert _traces(_copies(*[URI] * 10)) == []
    assert _traces(_copies(*[URI] * 4, *[URI + "4"] * 6)) == []
    assert _traces(_copies(URI, URI + "4", URI + "5")) == ["trace.lists"]
    assert _traces(_copies(URI, URI + "4", URI + "5", kinds=("status_list", "other"))) == []
    assert _traces(_copies(*[URI + "?card=ada"] * 2)) == ["trace.address"]
    assert _traces(_copies(URI + "#ada")) == ["trace.address"]
    assert _traces(_copies(*[URI] * 10, keys=("k", "l"))) == ["trace.keys"]
    assert _traces(_copies(*[f"{URI}?{n}" for n in range(3)], keys=("k", "l", "m"))) == [
        "trace.address", "trace.lists", "trace.keys",
    ]  # fmt: skip
    assert _traces([]) == []
    assert _traces([SimpleNamespace(status=(), signed_by=())]) == []


def test_t21_a_service_asks_for_exactly_the_address() -> None:
    """A service sees nothing of it."""
    uri = URI + "?card=ada"
    host = Host({uri: token(OFFICE, uri=uri)})
    assert code(judge(host, OFFICE, ref(0, uri))) == "passed"
    assert [request.url for request in host.asked] == [uri]


def test_t26_one_bad_list_among_many() -> None:
    """An aggregation names lists; each is judged for itself."""
    uris = [f"{URI}/{number}" for number in range(5)]
    host = Host({uri: token(OFFICE, uri=uri) for uri in uris})
    host.answers[uris[2]] = b"no list"
    found = [code(judge(host, OFFICE, ref(0, uri))) for uri in lists.read_aggregation(lists.write_aggregation(uris))]
    assert found == ["passed", "passed", "jws.segments", "passed", "passed"]


def test_only_our_errors_leave() -> None:
    for wrong in (b"", b"\0", b"\xd2", b"a.b.c", b"{}", token(OFFICE)[:-1], token(OFFICE, form="cwt")[:-1]):
        for form in FORMS:
            with pytest.raises(CityIdError):
                read(wrong, form).check(SIGNER.public_key)
