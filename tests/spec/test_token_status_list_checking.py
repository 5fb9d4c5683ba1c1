"""Token Status List, draft-ietf-oauth-status-list-20: how an entry is judged. One class a section."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cityid import limits
from cityid.checks import Outcome
from cityid.credential import CertificateChain, KeyRef, WebIssuer
from cityid.encoding import base64url
from cityid.keys import certify, jwk
from cityid.plan import Response
from cityid.status import Freshness, check, check_then
from cityid.status import token_status_list as lists
from cityid.status.token_status_list import CWT, JWT
from cityid.trust import TrustEntry, TrustList
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, MINUTE, URI, Host, code, forged, judge, of, ref, token
from tests.spec.test_token_status_list import BREGENZ, FORMS, OFFICE, ROOT, ROOT_SIGNER, SIGNER, certified, raised


class TestStatusTypes:
    """§7.1"""

    def test_values(self) -> None:
        values = {1: 1, 2: 2, 3: 3, 4: 4, 10: 0x0A, 11: 0x0B, 12: 0x0C, 15: 0x0F}
        made = token(OFFICE, values, bits=4, size=64)
        wanted = {
            0: "passed", 1: "status.invalid", 2: "status.suspended", 3: "status.application", 4: "status.reserved",
            10: "status.reserved", 11: "status.reserved", 12: "status.application", 15: "status.application",
        }  # fmt: skip
        for index, expected in wanted.items():
            found = judge(Host({URI: made}), OFFICE, ref(index))
            assert code(found) == expected
            assert found.outcome is (Outcome.PASSED if index == 0 else Outcome.FAILED)
        eight = token(OFFICE, {1: 255, 2: 16}, bits=8, size=64)
        assert of(eight, OFFICE, ref(1)) == of(eight, OFFICE, ref(2)) == "status.reserved"

    def test_what_is_told_of_a_bad_one(self) -> None:
        host = Host({URI: token(OFFICE)})
        for index, bad in ((1, "status.invalid"), (2, "status.suspended")):
            problem = judge(host, OFFICE, ref(index)).problem
            assert problem is not None
            assert (problem.code, dict(problem.facts)) == (
                bad, {"list": URI, "index": index, "as_of": "2026-11-22T09:30:12Z"},
            )  # fmt: skip
        problem = judge(host, OFFICE, ref(3)).problem
        assert problem is not None
        assert dict(problem.facts) == {"list": URI, "index": 3, "value": 3}


class TestRequest:
    """§8.1, §8.2"""

    def test_what_is_asked(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE)) == "passed"
        (request,) = host.asked
        assert (request.method, request.url, request.body) == ("GET", URI, b"")
        assert dict(request.headers) == {"accept": f"{JWT}, {CWT};q=0.9"}
        assert (request.redirects, request.limit) == (limits.REDIRECTS, limits.STATUS_TOKEN)
        assert request.max_age == Freshness().max_age
        assert not request.kept

    def answer(self, status: int = 200, media: str = JWT, body: bytes | None = None) -> Response:
        return Response(status, {"content-type": media}, token(OFFICE) if body is None else body, NOW)

    def test_both_forms(self) -> None:
        assert of(self.answer(), OFFICE) == "passed"
        assert of(self.answer(media="Application/StatusList+JWT; charset=us-ascii"), OFFICE) == "passed"
        assert of(self.answer(media=CWT, body=token(OFFICE, form="cwt")), OFFICE) == "passed"
        assert of(self.answer(media=CWT), OFFICE).startswith("cbor.")
        assert of(self.answer(body=b"\xd2" * 9), OFFICE) == "jws.segments"

    def test_other_answers(self) -> None:
        for status in (201, 206, 301, 404, 500):
            assert of(self.answer(status), OFFICE) == "status.http"
        for media in ("text/html", "application/jwt", "", "application/statuslist+jwt+x"):
            assert of(self.answer(media=media), OFFICE) == "status.media_type"
        assert of(Response(200, {}, token(OFFICE), NOW), OFFICE) == "status.media_type"


class TestValidation:
    """§8.3"""

    def test_a_passed_check_says_how_fresh_it_is(self) -> None:
        host = Host({URI: token(OFFICE)})
        found = judge(host, OFFICE, ref(1023))
        assert dict(found.facts) == {
            "status": "valid", "list": URI, "index": 1023, "status_as_of": "2026-11-22T09:30:12Z",
            "known_until": "2026-11-22T09:45:12Z", "ttl": 900, "bound": 900, "met": "yes", "freshness": "fresh",
        }  # fmt: skip

    def test_no_entries(self) -> None:
        empty = Host()
        missing = check((), OFFICE.issuer.signed_by, OFFICE.trusted, Freshness(), NOW, required=True).run(empty)
        assert code(missing) == "status.missing"
        none = check((), OFFICE.issuer.signed_by, OFFICE.trusted, Freshness(), NOW, required=False).run(empty)
        assert dict(none.facts) == {"status": "none"}
        assert empty.asked == []

    def test_an_entry_counts_where_none_is_demanded(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE, ref(1), required=False)) == "status.invalid"

    def test_subject(self) -> None:
        made = token(OFFICE)
        assert of(made, OFFICE) == "passed"
        for uri in (URI + "/", URI.upper(), URI + "?", "https://id.lindau.example/status/4"):
            assert of(token(OFFICE, uri=uri), OFFICE) == "status.subject"
        # the address that a redirect led to is not the subject
        assert of(made, OFFICE, ref(uri=URI)) == "passed"

    def test_index(self) -> None:
        assert of(token(OFFICE), OFFICE, ref(1023)) == "passed"
        found = judge(Host({URI: token(OFFICE)}), OFFICE, ref(1024))
        assert (code(found), found.outcome) == ("status.index", Outcome.FAILED)

    def test_the_signature(self) -> None:
        other = Office().issuer.signer
        for form in FORMS:
            made = token(OFFICE, form=form)
            assert of(made, OFFICE) == "passed"
            found = judge(Host({URI: forged(made, other, form)}), OFFICE)
            assert (code(found), found.outcome) == ("signature.invalid", Outcome.FAILED)

    def test_times(self) -> None:
        made = token(OFFICE, lifetime=HOUR)
        for moment, expected in (
            (NOW, "passed"), (NOW + HOUR - timedelta(seconds=1), "passed"), (NOW + HOUR, "status.expired"),
            (NOW - limits.SKEW, "passed"), (NOW - limits.SKEW - timedelta(seconds=1), "status.not_yet"),
        ):  # fmt: skip
            found = judge(Host({URI: made}, now=moment), OFFICE)
            assert code(found) == expected
            assert found.outcome is (Outcome.PASSED if expected == "passed" else Outcome.UNDECIDED)
        assert of(forged(made, SIGNER, exp=None), OFFICE) == "passed"

    def test_not_before(self) -> None:
        """RFC 7519 §4.1.5: a list that was made before, and is to be believed from later on."""
        latest = int((NOW + limits.SKEW).timestamp())
        for form in FORMS:
            made = token(OFFICE, form=form)
            for nbf, expected in ((0, "passed"), (latest, "passed"), (latest + 1, "status.not_yet")):
                assert of(forged(made, SIGNER, form, nbf=nbf), OFFICE) == expected

    def test_several_entries_the_worst_wins(self) -> None:
        other = "https://id.lindau.example/status/4"
        host = Host({URI: token(OFFICE), other: token(OFFICE, {0: 2}, uri=other, ttl=5 * MINUTE)})
        assert code(judge(host, OFFICE, ref(0), ref(0, other))) == "status.suspended"
        assert code(judge(host, OFFICE, ref(0, other), ref(0))) == "status.suspended"
        assert code(judge(host, OFFICE, ref(0), ref(1, other))) == "passed"
        gone = ref(0, "https://id.lindau.example/status/5")
        assert code(judge(host, OFFICE, ref(0), gone)) == "net.connect"
        assert code(judge(host, OFFICE, gone, ref(0))) == "net.connect"
        assert code(judge(host, OFFICE, gone, ref(1))) == "status.invalid"
        assert code(judge(host, OFFICE, ref(1), gone)) == "status.invalid"
        assert code(judge(host, OFFICE, ref(1), ref(2))) == "status.invalid"
        assert code(judge(host, OFFICE, ref(0), ref(kind="other"))) == "status.kind_not_built"
        # what is told is how long all of it is known
        for refs in ((ref(0), ref(5, other)), (ref(5, other), ref(0))):
            assert judge(host, OFFICE, *refs).facts["known_until"] == "2026-11-22T09:35:12Z"

    def test_no_list_is_fetched_twice_for_two_entries(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE, ref(0), ref(5))) == "passed"
        assert len(host.asked) == 1

    def test_unpacked_only_when_signed(self) -> None:
        made = forged(token(OFFICE), SIGNER, inside={"lst": base64url.encode(b"no zlib")})
        assert of(made, OFFICE) == "status_list.not_zlib"
        assert of(forged(made, Office().issuer.signer), OFFICE) == "signature.invalid"


class TestHistory:
    """§8.4"""

    THEN = NOW - 48 * HOUR

    def asked(self, answer: Any, moment: datetime = THEN, index: int = 0, uri: str = URI) -> str:
        seconds = int(moment.timestamp())
        host = Host({f"{uri}{'&' if '?' in uri else '?'}time={seconds}": answer})
        plan = check_then(ref(index, uri), OFFICE.issuer.signed_by, OFFICE.trusted, moment)
        return code(plan.run(host))

    def test_a_list_of_that_time(self) -> None:
        made = token(OFFICE, {1: 1}, at=self.THEN - HOUR, lifetime=2 * HOUR)
        assert self.asked(made) == "passed"
        assert self.asked(made, index=1) == "status.invalid"
        assert self.asked(made, self.THEN - HOUR) == "passed"
        assert self.asked(made, self.THEN - HOUR - timedelta(seconds=1)) == "status.no_history"
        assert self.asked(made, self.THEN + HOUR - timedelta(seconds=1)) == "passed"
        assert self.asked(made, self.THEN + HOUR) == "status.expired"
        query = "https://id.lindau.example/status?list=3"
        assert self.asked(token(OFFICE, at=self.THEN, uri=query), uri=query) == "passed"

    def test_a_host_that_knows_no_history(self) -> None:
        assert self.asked(token(OFFICE)) == "status.not_yet"
        endless = forged(token(OFFICE, at=self.THEN), SIGNER, exp=None)
        assert self.asked(endless) == "status.no_history"
        for status in (404, 501):
            assert self.asked(Response(status, {}, b"", NOW)) == "status.http"

    def test_refused(self) -> None:
        made = token(OFFICE, at=self.THEN)
        assert self.asked(made) == "passed"
        assert self.asked(forged(made, Office().issuer.signer)) == "signature.invalid"
        plan = check_then(ref(kind="other"), OFFICE.issuer.signed_by, OFFICE.trusted, self.THEN)
        assert code(plan.run(Host())) == "status.kind_not_built"


class TestAggregation:
    """§9"""

    def test_read(self) -> None:
        assert lists.read_aggregation(b'{"status_lists":["a","b","a"],"more":1}') == ("a", "b")
        assert lists.read_aggregation(b'{"status_lists":[]}') == ()
        for wrong, expected in (
            (b"[]", "json.not_an_object"), (b"{}", "json.missing"), (b'{"status_lists":"a"}', "json.wrong_type"),
            (b'{"status_lists":[1]}', "json.wrong_type"),
        ):  # fmt: skip
            assert raised(lists.read_aggregation, wrong) == expected

    def test_how_many(self) -> None:
        most = lists.write_aggregation(map(str, range(limits.STATUS_LISTS)))
        assert len(lists.read_aggregation(most)) == limits.STATUS_LISTS
        more = lists.write_aggregation(map(str, range(limits.STATUS_LISTS + 1)))
        assert raised(lists.read_aggregation, more) == "status_list.aggregation_too_long"


class TestKeyResolution:
    """§11.3"""

    def test_of_a_did(self) -> None:
        made = token(OFFICE)
        own = OFFICE.issuer.id
        fragment = own.removeprefix("did:key:")
        for kid in (f"{own}#{fragment}", f"#{fragment}", fragment, None):
            assert of(forged(made, SIGNER, header={"kid": kid}), OFFICE) == "passed"
            assert of(forged(made, SIGNER, header={"kid": kid}, iss=None), OFFICE) == "passed"
        other = Office().issuer.id
        other_url = f"{other}#{other.removeprefix('did:key:')}"
        assert of(forged(made, SIGNER, header={"kid": other_url}), OFFICE) == "status.other_iss"
        assert of(forged(made, SIGNER, header={"kid": other_url}, iss=None), OFFICE) == "status.other_signer"
        for iss in (other, "https://id.lindau.example", own + "#"):
            assert of(forged(made, SIGNER, header={"kid": None}, iss=iss), OFFICE) == "status.other_signer"
        assert of(forged(made, SIGNER, header={"kid": "#elsewhere"}), OFFICE) == "did.no_such_key"
        assert of(forged(made, SIGNER, header={"kid": "did:"}), OFFICE).startswith("did.")
        chain, leaf = certified()
        assert of(token(OFFICE, signed_by=chain, signer=leaf), OFFICE) == "status.other_signer"

    def test_of_an_https_issuer(self) -> None:
        web = "https://id.wangen.example"
        keys = {"a": SIGNER.public_key, "b": ROOT_SIGNER.public_key}
        trusted = TrustList((TrustEntry(web=web, mechanism="web", types=("x",), keys=keys),))

        def found(made: bytes) -> str:
            return of(made, OFFICE, trusted=trusted, issuer=KeyRef(WebIssuer(web, "a")))

        for form in FORMS:
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "a"))) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "b"), signer=ROOT_SIGNER)) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "b"))) == "signature.invalid"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, ""))) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "c"))) == "trust.no_such_key"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web + "/x", "a"))) == "status.other_signer"
            assert found(token(OFFICE, form=form)) == "status.other_signer"

    def test_of_a_certificate(self) -> None:
        chain, leaf = certified()
        trusted = TrustList((TrustEntry(roots=(ROOT,), mechanism="x5c", types=("x",)),))

        def found(made: bytes) -> str:
            return of(made, OFFICE, trusted=trusted, issuer=KeyRef(chain))

        for form in FORMS:
            good = token(OFFICE, form=form, signed_by=chain, signer=leaf)
            assert found(good) == "passed"
            without = {"header": {"x5c": None} if form == "jwt" else {33: None}}
            assert found(forged(good, leaf, form, **without)) == "passed"
            assert found(forged(good, leaf, form, **without, iss=BREGENZ)) == "passed"
            assert found(forged(good, leaf, form, **without, iss="https://elsewhere.example")) == "status.other_signer"
            assert found(forged(good, SIGNER, form)) == "signature.invalid"
            # another certificate of the same authority, even under the same name, is not the issuer's key
            twin, twin_signer = certified()
            assert found(token(OFFICE, form=form, signed_by=twin, signer=twin_signer)) == "status.other_signer"
        # the same key under another authority, or renewed by its own
        elsewhere = certify.certify_root(ROOT_SIGNER, certify.Name("Elsewhere"), at=NOW - HOUR)
        again = certify.certify_issuer(
            leaf.public_key, certify.Name("Issuer"), root=ROOT, signer=ROOT_SIGNER, at=NOW - HOUR, uris=[BREGENZ]
        )
        strange = certify.certify_issuer(
            leaf.public_key, certify.Name("Issuer"), root=elsewhere, signer=ROOT_SIGNER, at=NOW - HOUR, uris=[BREGENZ]
        )
        assert found(token(OFFICE, signed_by=CertificateChain((again,)), signer=leaf)) == "passed"
        assert found(token(OFFICE, signed_by=CertificateChain((strange,)), signer=leaf)).startswith("trust.chain")
        nonsense = forged(token(OFFICE), SIGNER, header={"x5c": ["MAA="]})
        assert found(nonsense).startswith("x509.")

    def test_somebody_whom_the_trust_list_names(self) -> None:
        """A status list signed by another key adds one exchange, for that signer's document."""
        other = Office()
        made = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
        assert of(made, OFFICE) == "status.other_signer"
        entry = TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",), status_issuer=other.issuer.id)
        assert of(made, OFFICE, trusted=TrustList((entry,))) == "passed"
        assert of(token(OFFICE), OFFICE, trusted=TrustList((entry,))) == "passed"
        assert of(forged(made, SIGNER), OFFICE, trusted=TrustList((entry,))) == "signature.invalid"
        over = TrustList((replace(entry, until=NOW),))
        assert of(made, OFFICE, trusted=over) == "status.other_signer"
        early = TrustList((replace(entry, since=NOW + HOUR),))
        assert of(made, OFFICE, trusted=early) == "status.other_signer"
        assert of(made, OFFICE, trusted=TrustList((replace(entry, since=NOW, until=NOW + HOUR),))) == "passed"
        elsewhere = TrustList((replace(entry, did="did:web:elsewhere.example"),))
        assert of(made, OFFICE, trusted=elsewhere) == "status.other_signer"

    def test_an_https_signer_whom_the_trust_list_names(self) -> None:
        web = "https://status.example"
        entry = TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",), status_issuer=web)
        keys = json.dumps({"issuer": web, "jwks": {"keys": [{**jwk.write(ROOT_SIGNER.public_key), "kid": "s"}]}})
        url = "https://status.example/.well-known/jwt-vc-issuer"
        made = token(OFFICE, signer=ROOT_SIGNER, signed_by=WebIssuer(web, "s"))
        host = Host({URI: made, url: Response(200, {"content-type": "application/json"}, keys.encode(), NOW)})
        assert code(judge(host, OFFICE, trusted=TrustList((entry,)))) == "passed"
        assert [request.url for request in host.asked] == [URI, url]

    def test_a_signer_beside_a_certificate(self) -> None:
        chain, _ = certified()
        other = Office()
        made = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
        entry = TrustEntry(roots=(ROOT,), mechanism="x5c", types=("x",), status_issuer=other.issuer.id)

        def found(entry: TrustEntry) -> str:
            return of(made, OFFICE, trusted=TrustList((entry,)), issuer=KeyRef(chain))

        assert found(entry) == "passed"
        assert found(replace(entry, issuer=BREGENZ)) == "passed"
        assert found(replace(entry, issuer="https://elsewhere.example")) == "status.other_signer"
        assert found(replace(entry, status_issuer="did:web:other.example")) == "status.other_signer"
        two = certify.certify_root(SIGNER, certify.Name("Two"), at=NOW - HOUR)
        other_root = TrustEntry(roots=(two,), mechanism="x5c", types=("x",), status_issuer=other.issuer.id)
        plain = replace(entry, status_issuer="")
        both = TrustList((other_root, plain))
        assert of(made, OFFICE, trusted=both, issuer=KeyRef(chain)) == "status.other_signer"
