"""Published documents over the VC-API: the data model's own inputs to be issued, and what others have signed."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from cityid.encoding import base64url, multibase
from tests.vc_api import Server, configured, credential, tampered
from tests.vectors import ROOT, load, vectors

MODEL = vectors("vcdm2")
LENIENT = {
    "controller": '"any"', "contexts": '"inline"', "unknown_status": '"ignore"', "validity": '"ignored"',
    "unsecured_presentations": "true",
}  # fmt: skip
ISSUERS = ("eddsa-rdfc-2022", "ecdsa-jcs-2019-p256", "jwt")
CREDENTIALS = sorted(MODEL.glob("credential-*.json"))
NAMED = sorted((MODEL / "names-and-descriptions").glob("*.json"))
BAD_PRESENTATIONS = sorted([*MODEL.glob("presentation-*-fail*.json"), *MODEL.glob("presentation-*-mismatch.json")])
SIGNED = {
    "eddsa-rdfc-2022": "di-eddsa/eddsa-rdfc-2022/signedDataInt.json",
    "eddsa-jcs-2022": "di-eddsa/eddsa-jcs-2022/signedJCS.json",
    "a set": "di-eddsa/proof-set-chain/signedProofSet1.json",
    "a chain": "di-eddsa/proof-set-chain/signedProofChain1.json",
    "ecdsa-rdfc-2019, P-256": "di-ecdsa/ecdsa-rdfc-2019-p256/signedECDSAP256.json",
    "ecdsa-rdfc-2019, P-384": "di-ecdsa/ecdsa-rdfc-2019-p384/signedECDSAP384.json",
    "ecdsa-jcs-2019": "di-ecdsa/ecdsa-jcs-2019-p256/signedJCSECDSAP256.json",
    "ecdsa-sd-2023": "di-ecdsa/ecdsa-sd-2023/prc/derivedRevealDocument.json",
    "bbs-2023": "di-bbs/wind/derivedRevealDocument.json",
}
DATES = {"PAST DATE": "2020-01-01T00:00:00Z", "FUTURE DATE": "2030-01-01T00:00:00Z"}
BASES = {
    "ecdsa-sd-2023": ("di-ecdsa/ecdsa-sd-2023/prc/addSignedSDBase.json", "di-ecdsa/prCredSelective.json"),
    "bbs-2023": ("di-bbs/wind/addSignedSDBase.json", "di-bbs/windSelective.json"),
}


@pytest.fixture(scope="module")
def server() -> Server:
    return Server(configured(**LENIENT))


@pytest.mark.parametrize("name", ISSUERS)
@pytest.mark.parametrize("file", [*CREDENTIALS, *NAMED], ids=lambda file: getattr(file, "stem", file))
def test_inputs_of_the_data_model(server: Server, file: Any, name: str) -> None:
    document = load(file)
    if "VerifiableCredential" not in document.get("type", ["VerifiableCredential"]) and "Presentation" in file.stem:
        return
    # The suite names the issuer, and dates, which its inputs leave open.
    document |= {name: DATES[date] for name, date in document.items() if isinstance(date, str) and date in DATES}
    if "issuer" not in document:
        document["issuer"] = server.issuer(name)
    elif isinstance(document["issuer"], dict):
        document["issuer"].setdefault("id", server.issuer(name))
    answer = server.issue(name, document)
    if not file.stem.endswith("-ok") or (name == "jwt" and "proof" in document):
        assert answer.status == 400
        return
    assert answer.status == 201, answer.body
    made = answer.body["verifiableCredential"]
    own = all(isinstance(one, str) for one in document["@context"])
    # The proof in an input is by no key that is known; in envelopes no context of the document's own is acceptable.
    if "proof" not in document and (own or name != "jwt"):
        judged = server.verify(made)
        assert judged.status == 200, judged.body


@pytest.mark.parametrize("file", BAD_PRESENTATIONS, ids=lambda file: file.stem)
def test_presentations_that_are_none(server: Server, file: Any) -> None:
    assert server.verify_presentation(load(file)).status == 400


@pytest.mark.parametrize("case", SIGNED)
class TestSigned:
    def test_verified(self, server: Server, case: str) -> None:
        answer = server.verify(load(ROOT / SIGNED[case]))
        assert answer.status == 200, answer.body

    def test_not_after_a_change(self, server: Server, case: str) -> None:
        document = load(ROOT / SIGNED[case])
        date = next(name for name in ("validFrom", "issuer") if name in document)
        assert server.verify({**document, date: "2021-02-03T00:00:00Z"}).status == 400
        if isinstance(document["proof"], dict):
            assert server.verify(tampered(document)).status == 400

    def test_by_another_s_key(self, case: str) -> None:
        answer = Server(configured(**{**LENIENT, "controller": '"issuer"'})).verify(load(ROOT / SIGNED[case]))
        assert (answer.status, answer.code) == (400, "trust.key_of_other")


@pytest.mark.parametrize("suite", BASES)
def test_base_proofs_are_derived_and_not_verified(server: Server, suite: str) -> None:
    base, pointers = (load(ROOT / file) for file in BASES[suite])
    assert server.verify(base).status == 400
    derived = server.derive(base, *pointers)
    assert derived.status == 201, derived.body
    assert server.verify(derived.body["verifiableCredential"]).status == 200


class TestRelatedResources:
    """VCDM 2.0 §5.3, for contexts: over the published bytes."""

    URLS = load(vectors("contexts") / "index.json")

    def judged(self, server: Server, *resources: dict[str, Any]) -> tuple[int, str]:
        answer = server.issue("eddsa-jcs-2022", credential("did:example:x", relatedResource=list(resources)))
        return answer.status, answer.body.get("code", "")

    @pytest.mark.parametrize("url", URLS)
    def test_contexts(self, server: Server, url: str) -> None:
        data = (vectors("contexts") / self.URLS[url]["file"]).read_bytes()
        multi = b"\x12\x20" + hashlib.sha256(data).digest()
        good = [{"digestSRI": f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"}
                for name in ("sha256", "sha384")]  # fmt: skip
        good += [{"digestMultibase": form(made)} for made in (multi, b"\x20\x30" + hashlib.sha384(data).digest())
                 for form in (multibase.encode, lambda made: "u" + base64url.encode(made))]  # fmt: skip
        for one in good:
            assert self.judged(server, {"id": url, **one}) == (201, "")
            ((name, text),) = one.items()
            bad = {name: text[:-6] + ("111111" if name == "digestMultibase" else "AAAAA=")}
            assert self.judged(server, {"id": url, **bad}) == (400, "vc_api.resource_digest")

    def test_by_another_hash(self, server: Server) -> None:
        found = self.judged(server, {"id": next(iter(self.URLS)), "digestSRI": "sha512-AAAA"})
        assert found == (400, "vc_api.resource_digest")

    def test_several_digests(self, server: Server) -> None:
        """The strongest counts (Subresource Integrity §3.3.3); what follows ? is for others."""
        url = next(iter(self.URLS))
        data = (vectors("contexts") / self.URLS[url]["file"]).read_bytes()
        weak, strong = (f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"
                        for name in ("sha256", "sha384"))  # fmt: skip
        for good in (f"{weak} {strong}", f"sha256-AAAA {strong}?ct=application/ld+json", f"sha384-AAAA {strong}"):
            assert self.judged(server, {"id": url, "digestSRI": good}) == (201, "")
        for bad in (f"{weak} sha384-AAAA", f"{strong} sha512-AAAA"):
            assert self.judged(server, {"id": url, "digestSRI": bad}) == (400, "vc_api.resource_digest")

    def test_others_are_for_whoever_uses_them(self, server: Server) -> None:
        assert self.judged(server, {"id": "https://city.example/image.png", "digestSRI": "sha512-AAAA"})[0] == 201
