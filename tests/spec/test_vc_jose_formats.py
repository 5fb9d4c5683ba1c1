"""The formats `vc+jwt`, `vc+sd-jwt`, `vc+cose`, and what `jwt_vc_json` has in common with them: cards issued, read,
shown and judged."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from cityid.checks import Outcome, Step
from cityid.credential import CertificateChain, Challenge, Credential, DidUrl, KeyRef, StatusRef, Unbound, WebIssuer
from cityid.did import jwk as did_jwk
from cityid.did import key as did_key
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url
from cityid.errors import Malformed, Misuse
from cityid.formats import FORMATS, _contexts
from cityid.formats.vc_jose import secured
from cityid.keys import Algorithm, jwk
from tests import credentials, w3c
from tests.credentials import code_of
from tests.sd_jwts import AUDIENCE, HOLDER, ISSUER, NONCE, NOW
from tests.w3c import ASKED, KEYS, VC, WEB

NEW = ("vc+jwt", "vc+sd-jwt", "vc+cose")
STRANGER = MemoryKeyring()
OTHER = STRANGER.signer(STRANGER.create(Algorithm.ES256))


class TestIssued:
    @pytest.mark.parametrize("name", NEW)
    def test_a_card(self, name: str) -> None:
        card = w3c.issued(name)
        assert card.format == FORMATS[name].NAME == name
        assert (card.issuer, card.types, card.holder) == (WEB, (w3c.IRI, VC), HOLDER.public_key)
        assert card.claims["credentialSubject"] == credentials.CLAIMS
        assert (card.window.start, card.window.end) == (credentials.START, credentials.END)
        assert card.signed_by == (w3c.REF,)
        assert [credentials.outcome(one) for one in FORMATS[name].check_issued(card, KEYS, NOW)] == ["passed"]
        assert FORMATS[name].read(card.raw) == card

    def test_only_sd_jwt_hides(self) -> None:
        assert [len(w3c.issued(name).hidden) for name in NEW] == [0, 6, 0]
        assert ("credentialSubject", "address", "locality") in w3c.issued("vc+sd-jwt").hidden

    @pytest.mark.parametrize("name", NEW)
    def test_without_holder_or_dates(self, name: str) -> None:
        from cityid.credential import Window

        card = w3c.issued(name, holder=None, window=Window())
        assert (card.holder, card.window) == (None, Window())

    @pytest.mark.parametrize("name", NEW)
    def test_many(self, name: str) -> None:
        drafts = [credentials.draft(type=w3c.TYPE) for _ in range(3)]
        raws = FORMATS[name].issue_many(drafts, ISSUER, at=NOW, entropy=w3c.entropy)
        assert [FORMATS[name].read(raw).claims for raw in raws] == [w3c.issued(name).claims] * 3

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_keys_are_named_as_they_are_found(self, name: str) -> None:
        did = did_key.create(ISSUER.public_key)
        ref = KeyRef(DidUrl(did, did.removeprefix("did:key:")))
        assert w3c.issued(name, issuer=did, signed_by=ref).signed_by == (ref,)
        bare = KeyRef(DidUrl(did, ""))
        assert w3c.issued(name, issuer=did, signed_by=bare).signed_by == (bare,)

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_drafts_that_nobody_would_believe(self, name: str) -> None:
        for changed, code in (
            ({"suite": "ES384"}, "w3c.suite"),
            ({"issuer": "https://x.example"}, "w3c.wrong_issuer"),
            ({"signed_by": KeyRef(CertificateChain(()))}, "w3c.wrong_certificate"),
            ({"status": (StatusRef("status_list", "https://x.example/1", 1),) * 2}, "w3c.two_statuses"),
        ):
            assert code_of(lambda: w3c.issued(name, **changed)) == code  # noqa: B023
        w3c.issued(name, suite="ES256")

    def test_types_are_few_and_frames_are_dropped(self) -> None:
        for _ in range(70):
            w3c.issued("vc+sd-jwt", type=credentials.credential_type(names=w3c.NAMES))

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_status(self, name: str) -> None:
        """An entry of the register's list is one of each of the W3C's lists beside it."""
        card = w3c.issued(name, status=(StatusRef("status_list", "https://id.example/status/1", 7),))
        assert [(ref.kind, ref.uri, ref.index, ref.facts["statusPurpose"]) for ref in card.status] == [
            ("BitstringStatusListEntry", "https://id.example/status/1.revocation", 7, "revocation"),
            ("BitstringStatusListEntry", "https://id.example/status/1.suspension", 7, "suspension"),
        ]
        own = StatusRef("BitstringStatusListEntry", "https://x.example/l", 9, {"statusPurpose": "refresh"})
        (ref,) = w3c.issued(name, status=(own,)).status
        assert (ref.uri, ref.index, ref.facts["statusPurpose"]) == ("https://x.example/l", 9, "refresh")

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_description(self, name: str) -> None:
        told = FORMATS[name].describe(w3c.TYPE)
        assert told["credential_definition"]["type"] == ["VerifiableCredential", "ResidencyCredential"]
        assert "ES256" in told["alg_values"]


class TestRead:
    @pytest.mark.parametrize(("changed", "place"), [
        ({}, WebIssuer(WEB, "issuer-1")), ({"kid": None}, WebIssuer(WEB, "")),
        ({"kid": "did:x:y#z"}, DidUrl("did:x:y", "z")),
    ])  # fmt: skip
    def test_where_the_key_is(self, changed: dict[str, Any], place: Any) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(), **changed)).signed_by[0].at == place

    def test_where_the_key_of_a_long_name_is(self) -> None:
        issuer = "https://x.example/" + "a" * 500
        for one in (issuer, issuer[:300]):
            found = FORMATS["vc+jwt"].read(w3c.token(w3c.document(issuer=one)))
            assert found.signed_by == (KeyRef(WebIssuer(one, "issuer-1")),)

    def test_where_no_key_is(self) -> None:
        """`http:` and other schemes say of no key where it is."""
        for issuer in ("http://x.example", "urn:x:y"):
            raw = w3c.token(w3c.document(issuer=issuer))
            assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == "w3c.no_key_mechanism"  # noqa: B023
        did = w3c.token(w3c.document(issuer="did:x:y"), kid="#z")
        assert FORMATS["vc+jwt"].read(did).signed_by[0].at == DidUrl("did:x:y", "z")
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(w3c.document(issuer="did:x:")))) == "did.syntax"

    @pytest.mark.parametrize("x5c", [[], "MA==", [1], ["MA=="] * 6])
    def test_wrong_chains(self, x5c: Any) -> None:
        raw = w3c.token(w3c.document(), x5c=x5c)
        assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == "w3c.x5c"
        good = FORMATS["vc+jwt"].read(w3c.token(w3c.document(), x5c=["MA=="]))
        assert good.signed_by[0].at == CertificateChain((b"0",))

    def test_chains_in_cose(self) -> None:
        for x5chain in ([], [b"0"] * 6, ["MA=="], 1):
            raw = w3c.cose(w3c.document(), h33=x5chain)
            assert code_of(lambda: FORMATS["vc+cose"].read(raw)) == "w3c.x5c"  # noqa: B023
        for one in (b"0", [b"0"]):
            good = FORMATS["vc+cose"].read(w3c.cose(w3c.document(), h33=one))
            assert good.signed_by[0].at == CertificateChain((b"0",))

    def test_both_windows_count(self) -> None:
        day = timedelta(days=1)
        raw = w3c.token(w3c.document(nbf=int((credentials.START + day / 2).timestamp()),
                                     exp=int((credentials.END + day).timestamp())))  # fmt: skip
        window = FORMATS["vc+jwt"].read(raw).window
        assert (window.start, window.end) == (credentials.START + day / 2, credentials.END)
        raw = w3c.token(w3c.document(nbf=0, exp=int((credentials.END - day / 2).timestamp())))
        window = FORMATS["vc+jwt"].read(raw).window
        assert (window.start, window.end) == (credentials.START, credentials.END - day / 2)
        raw = w3c.token(w3c.document(validFrom=None, validUntil=None, nbf=5, exp=6))
        assert FORMATS["vc+jwt"].read(raw).window.end is not None

    @pytest.mark.parametrize(("status", "code"), [
        ([], "passed"), ([{"type": ["BitstringStatusListEntry"]}], "passed"), ({"type": []}, "vcdm.type"),
        ({"type": ["A", "B"]}, "w3c.status"),
    ])  # fmt: skip
    def test_status_entries(self, status: Any, code: str) -> None:
        raw = w3c.token(w3c.document(credentialStatus=status))
        assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == code

    @pytest.mark.parametrize(("index", "found"), [
        ("7", 7), ("0", 0), ("07", -1), (7, -1), ("-1", -1), ("1e3", -1), ("１２", -1), ("9" * 17, -1), (None, -1),
    ])  # fmt: skip
    def test_index_of_an_entry(self, index: Any, found: int) -> None:
        raw = w3c.token(w3c.document(credentialStatus={"type": "X", "statusListIndex": index}))
        (ref,) = FORMATS["vc+jwt"].read(raw).status
        assert (ref.kind, ref.uri, ref.index) == ("X", "", found)

    def test_a_jwt_s_own_status(self) -> None:
        """Token Status List §6.2 works in every JWT."""
        status = {"status_list": {"uri": "https://x.example/1", "idx": 5}, "other": 3, "odd": {"idx": -4}}
        refs = FORMATS["vc+jwt"].read(w3c.token(w3c.document(status=status))).status
        assert [(ref.kind, ref.uri, ref.index) for ref in refs] == [
            ("status_list", "https://x.example/1", 5), ("other", "", -1), ("odd", "", -1),
        ]  # fmt: skip
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(w3c.document(status=[])))) == "json.wrong_type"

    def test_audience(self) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(aud="x"))).claims["aud"] == "x"

    def test_answers(self) -> None:
        for name in w3c.FORMS:
            card, ask = w3c.issued(name), FORMATS[name].answers
            assert ask(card, {})
            assert ask(card, {"type_values": [["urn:x"], [w3c.IRI, VC]]})
            assert ask(card, {"type_values": [[w3c.IRI]]})
            assert not ask(card, {"type_values": [[w3c.IRI, "urn:x"], ["ResidencyCredential"]]})


class TestHolder:
    """Whose card it is: `cnf`, or a subject whose DID is a key (§4.1.3)."""

    @pytest.mark.parametrize("create", [did_jwk.create, did_key.create])
    def test_subject(self, create: Any) -> None:
        raw = w3c.token(w3c.document(credentialSubject={"id": create(HOLDER.public_key)}))
        assert FORMATS["vc+jwt"].read(raw).holder == HOLDER.public_key

    @pytest.mark.parametrize("subject", [
        {"id": "did:web:x.example"}, {"id": "did:key:z6Mk"}, {"id": "did:jwk:e30"}, {"id": "urn:x:y"}, {"a": 1},
        [{"id": did_key.create(HOLDER.public_key)}],
    ])  # fmt: skip
    def test_subjects_that_are_no_key(self, subject: Any) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(credentialSubject=subject))).holder is None

    @pytest.mark.parametrize(("cnf", "code"), [
        ({"jwk": jwk.write(HOLDER.public_key)}, "passed"), ({"kid": "x"}, "passed"), ([], "binding.cnf"),
        ({"jwk": {"kty": "EC", "crv": "brainpoolP256r1", "x": "", "y": ""}}, "passed"),
        ({"jwk": {**jwk.write(HOLDER.public_key), "d": "x"}}, "key.private"),
    ])  # fmt: skip
    def test_cnf(self, cnf: Any, code: str) -> None:
        """`cnf` counts before the subject, also where its key cannot be used."""
        made = w3c.document(cnf=cnf, credentialSubject={"id": did_key.create(OTHER.public_key)})
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(made))) == code
        if code == "passed":
            expected = HOLDER.public_key if cnf == {"jwk": jwk.write(HOLDER.public_key)} else None
            assert FORMATS["vc+jwt"].read(w3c.token(made)).holder == expected

    def test_an_enc_key_is_no_holder(self) -> None:
        value = {**jwk.write(HOLDER.public_key), "use": "enc"}
        did = f"did:jwk:{base64url.encode(json.dumps(value).encode())}"
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(credentialSubject={"id": did}))).holder is None


class TestPresented:
    """OpenID4VP B.1.3: one asker, one question, one holder."""

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_shown(self, name: str) -> None:
        raw = w3c.shown(name, ("credentialSubject", "given_name")) if name == "vc+sd-jwt" else w3c.shown(name)
        assert w3c.codes(name, raw) == ["passed", "passed"]
        (one,) = FORMATS[name].read_presentation(raw)
        assert one.credential.claims["credentialSubject"]["given_name"] == "Ada"
        assert ("locality" in one.credential.claims["credentialSubject"]["address"]) is (name != "vc+sd-jwt")

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_unbound(self, name: str) -> None:
        raw = w3c.shown(name, challenge=Unbound(), holder=None)
        assert w3c.codes(name, raw, Unbound()) == ["passed", "passed"]
        assert w3c.codes(name, raw) == ["passed", "binding.missing"]
        # Bound without being asked for: checked as far as it can be.
        assert w3c.codes(name, w3c.shown(name), Unbound()) == ["passed", "passed"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_for_somebody_else(self, name: str) -> None:
        raw = w3c.shown(name)
        assert w3c.codes(name, raw, Challenge("x509_san_dns:other", NONCE)) == ["passed", "binding.audience"]
        assert w3c.codes(name, raw, Challenge(AUDIENCE, "another-nonce-of-today")) == ["passed", "binding.nonce"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_in_its_time(self, name: str) -> None:
        raw, second = w3c.shown(name), timedelta(seconds=1)
        for at, code in ((NOW + timedelta(seconds=300), "passed"), (NOW + timedelta(seconds=301), "binding.too_old"),
                         (NOW - 60 * second, "passed"), (NOW - 61 * second, "binding.ahead")):  # fmt: skip
            assert w3c.codes(name, raw, at=at) == ["passed", code]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_with_the_right_key(self, name: str) -> None:
        assert code_of(lambda: w3c.shown(name, holder=OTHER)) == "binding.wrong_signer"
        assert code_of(lambda: w3c.shown(name, holder=None)) == "binding.no_signer"
        card = w3c.issued(name, holder=None)
        assert code_of(lambda: FORMATS[name].present(card, (), ASKED, HOLDER, at=NOW, entropy=w3c.entropy)) == (
            "binding.no_key"
        )

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_keys(self, name: str) -> None:
        (one,) = FORMATS[name].read_presentation(w3c.shown(name))
        for act in (lambda: FORMATS[name].check(one, {}, ASKED, NOW),
                    lambda: FORMATS[name].check_issued(one.credential, {}, NOW)):  # fmt: skip
            assert code_of(act) == "keys.not_given"
        wrong = {w3c.REF: OTHER.public_key}
        assert w3c.codes(name, w3c.shown(name), keys=wrong) == ["signature.invalid"]
        assert [credentials.outcome(check) for check in FORMATS[name].check_issued(one.credential, wrong, NOW)] == [
            "signature.invalid"
        ]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_transaction_data(self, name: str) -> None:
        asked = Challenge(AUDIENCE, NONCE, transaction_data=("e30",))
        assert code_of(lambda: w3c.shown(name, challenge=asked)) == "binding.transaction_data_format"
        assert w3c.codes(name, w3c.shown(name), asked) == ["passed", "binding.transaction_data_format"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_what_was_kept_as_bytes(self, name: str) -> None:
        """A wallet keeps the bytes; they are read again."""
        from dataclasses import replace

        card = replace(w3c.issued(name), state=None)
        raw = FORMATS[name].present(card, (), ASKED, HOLDER, at=NOW, entropy=w3c.entropy)
        assert w3c.codes(name, raw) == ["passed", "passed"]

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"iat": None}, "passed"), ({"aud": None}, "binding.claim"), ({"nonce": None}, "binding.claim"),
        ({"aud": [AUDIENCE]}, "binding.claim"), ({"iat": "now"}, "binding.claim"),
        ({"exp": int(NOW.timestamp()) - 60}, "binding.expired"), ({"exp": int(NOW.timestamp()) - 59}, "passed"),
        ({"nbf": int(NOW.timestamp()) + 61}, "binding.not_yet"), ({"nbf": int(NOW.timestamp()) + 60}, "passed"),
        ({"holder": did_key.create(HOLDER.public_key)}, "passed"),
        ({"iss": did_jwk.create(HOLDER.public_key)}, "passed"),
        ({"holder": did_key.create(OTHER.public_key)}, "binding.other_holder"),
        ({"iss": "https://x.example"}, "binding.other_holder"),
    ])  # fmt: skip
    def test_what_the_holder_signs(self, changed: dict[str, Any], code: str) -> None:
        inside = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        raw = w3c.token(w3c.presentation(inside, **changed), "vp+jwt", HOLDER)
        assert w3c.codes("vc+jwt", raw) == ["passed", code]

    def test_whose_signature(self) -> None:
        inside = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        raw = w3c.token(w3c.presentation(inside), "vp+jwt", OTHER)
        assert w3c.codes("vc+jwt", raw) == ["passed", "binding.signature"]
        nobody = secured.envelope(w3c.token(w3c.document()), "vc+jwt")
        raw = w3c.token(w3c.presentation(nobody), "vp+jwt", HOLDER)
        assert w3c.codes("vc+jwt", raw) == ["passed", "binding.no_key"]

    def test_the_subject_itself_is_the_holder(self) -> None:
        """`cnf` says with which key somebody who is called otherwise shows the card."""
        inside = w3c.token(w3c.bound(credentialSubject={"id": "did:web:ada.example"}))
        for name, code in (("did:web:ada.example", "passed"), ("did:web:bob.example", "binding.other_holder")):
            text = w3c.presentation(secured.envelope(inside, "vc+jwt"), holder=name)
            assert w3c.codes("vc+jwt", w3c.token(text, "vp+jwt", HOLDER)) == ["passed", code]

    def test_one_credential_of_this_format(self) -> None:
        one = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        shown = FORMATS["vc+jwt"].read_presentation(w3c.token(w3c.presentation(one, one), "vp+jwt", HOLDER))
        assert len(shown) == 2
        for other in ("vc+sd-jwt", "vc+cose"):
            inside = secured.envelope(w3c.issued(other).raw, other)
            raw = w3c.token(w3c.presentation(inside), "vp+jwt", HOLDER)
            assert code_of(lambda: FORMATS["vc+jwt"].read_presentation(raw)) == "vc_jose.other_format"  # noqa: B023

    def test_nothing_hides_behind_an_issuer_s_binding(self) -> None:
        raw = w3c.shown("vc+sd-jwt")
        assert code_of(lambda: FORMATS["vc+sd-jwt"].read(raw)) == "sd_jwt.bound_by_issuer"
        FORMATS["vc+sd-jwt"].read(w3c.issued("vc+sd-jwt").raw)


class TestUnits:
    def test_states(self) -> None:
        card = w3c.issued("vc+jwt")
        assert isinstance(card, Credential)
        assert FORMATS["vc+jwt"].check_issued(card, KEYS, NOW) == FORMATS["vc+cose"].check_issued(
            w3c.issued("vc+cose"), KEYS, NOW
        )
        (check,) = FORMATS["vc+jwt"].check_issued(card, KEYS, NOW)
        assert (check.step, check.outcome) == (Step.ISSUER_SIGNATURE, Outcome.PASSED)

    def test_too_long(self) -> None:
        with pytest.raises(Malformed, match=r"jws\.too_large"):
            secured.read(w3c.token(w3c.document()), "vc+jwt", limit=100)
        with pytest.raises(Misuse):
            secured.read(b"", "x")


def test_the_contexts_of_a_type_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is the list that other formats have as an object; no more than some types are."""
    monkeypatch.setattr(_contexts, "_MEMO", 1)
    monkeypatch.setattr(_contexts, "_known", {})
    for form in ("vc+jwt", "vc+cose", "vc+jwt"):
        assert _contexts.written(w3c.TYPE, form) == json.dumps(
            _contexts.of_type(w3c.TYPE, form), separators=(",", ":")
        ).encode()  # fmt: skip
        assert _contexts.written(w3c.TYPE, form) is _contexts.written(w3c.TYPE, form)
        assert list(_contexts._known) == [(id(w3c.TYPE), form)]
