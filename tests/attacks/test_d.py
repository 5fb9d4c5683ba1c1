"""Attack group D: DIDs and resolvers (the methods key, jwk and web). D11 to D15 are in tests/edge/test_http.py.

D22 to D30 are about did:webvh, which is not among the methods here."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NoReturn

import pytest

from cityid import limits
from cityid.did import DidDocument, dereference, parse_url, resolve, web
from cityid.edge.http_cache import Cache
from cityid.encoding import base58, base64url, json, multibase
from cityid.errors import CityIdError, Malformed, Refused, Unavailable
from cityid.keys import Purpose, jwk, multikey
from cityid.plan import Request, Response

ED25519 = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
X25519 = "z6LSj72tK8brWgZja8NLRwPigth2T9QRiG1uH9oKZuKjdh9p"
P256 = "zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"
SECP256K1 = "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"
CITY = "did:web:id.lindau.example"
AT = datetime(2026, 5, 1, tzinfo=UTC)


def no_network(request: Request) -> NoReturn:
    raise AssertionError(f"asked for {request.url}")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in this file reaches the network, resolver included."""

    def spy(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was touched")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, spy)


def local(text: str) -> DidDocument:
    return resolve(text).run(no_network)


def refused(text: str) -> str:
    with pytest.raises((Malformed, Refused)) as error:
        local(text)
    return str(error.value.code)


def coded(codec: bytes, raw: bytes) -> str:
    return "did:key:" + multibase.encode(codec + raw)


def raw_of(body: str) -> bytes:
    return multibase.decode(body)


class TestD01Codecs:
    def test_d01_x25519_makes_no_assertion(self) -> None:
        found = local(f"did:key:{X25519}")
        for purpose in Purpose:
            with pytest.raises(Refused) as error:
                found.key(X25519, purpose)
            assert error.value.code == "did.wrong_purpose"
        assert local(f"did:key:{ED25519}").key(ED25519, Purpose.ASSERTION).algorithm.signs

    def test_d01_lengths_and_forms(self) -> None:
        ed, p256, k1 = raw_of(ED25519)[2:], raw_of(P256)[2:], raw_of(SECP256K1)[2:]
        uncompressed = multikey.read(SECP256K1).raw
        assert refused(coded(b"\x80\x24", ed)) == "key.length"
        assert refused(coded(b"\xe7\x01", uncompressed)) == "key.length"
        assert refused(coded(b"\xe7\x01", b"\x04" + k1[1:])) == "key.point_form"
        assert refused(coded(b"\x82\x24", p256)) == "key.length"
        for codec, raw in ((b"\x80\x24", p256), (b"\xe7\x01", k1), (b"\xed\x01", ed)):
            assert local(coded(codec, raw)).methods

    @pytest.mark.parametrize("codec", [b"\x85\x24", b"\xea\x01", b"\x12", b"\x83\x24", b"\x92\x24"])
    def test_d01_other_codecs(self, codec: bytes) -> None:
        assert refused(coded(codec, bytes(32))) == "key.unsupported"

    def test_d01_secret_codec(self) -> None:
        assert refused(coded(b"\x80\x26", bytes(range(32)))) == "key.private"

    def test_d01_varint_in_its_shortest_form(self) -> None:
        ed = raw_of(ED25519)[2:]
        assert refused(coded(b"\xed\x81\x00", ed)) == "multibase.varint"
        assert refused(coded(b"\xed\x81\x80\x00", ed)) == "multibase.varint"
        assert local(coded(b"\xed\x01", ed)).did == f"did:key:{ED25519}"


class TestD02Multibase:
    @pytest.mark.parametrize("base", ["f", "u", "m", "Z", "1"])
    def test_d02_other_bases(self, base: str) -> None:
        assert refused(f"did:key:{base}{ED25519[1:]}") == "multibase.base"

    def test_d02_other_bases_of_the_same_bytes(self) -> None:
        raw = raw_of(ED25519)
        assert refused(f"did:key:f{raw.hex()}") == "multibase.base"
        assert refused(f"did:key:u{base64url.encode(raw)}") == "multibase.base"

    def test_d02_leading_ones(self) -> None:
        # each 1 is a zero byte in front of the codec
        assert refused(f"did:key:z1{ED25519[1:]}") == "key.unsupported"

    @pytest.mark.parametrize("text", [" {}", "{} ", "{}\n", "\t{}"])
    def test_d02_white_space(self, text: str) -> None:
        assert refused(text.format(f"did:key:{ED25519}")) == "did.syntax"
        assert refused("did:key:" + text.format(ED25519)) == "did.syntax"

    def test_d02_mixed_case(self) -> None:
        assert refused("did:key:" + ED25519.swapcase()) in ("multibase.base", "multibase.alphabet")
        with pytest.raises((Malformed, Refused)):
            local("did:key:z" + ED25519[1:].upper().replace("I", "J").replace("O", "P"))

    def test_d02_empty_short_and_long(self) -> None:
        raw = raw_of(ED25519)
        assert refused("did:key:z") == "multibase.alphabet"
        assert refused("did:key:" + multibase.encode(raw[:2])) == "key.length"
        assert refused("did:key:" + multibase.encode(raw[:-1])) == "key.length"
        assert refused("did:key:" + multibase.encode(raw + b"\0")) == "key.length"
        assert local("did:key:" + multibase.encode(raw)).did == f"did:key:{ED25519}"

    @pytest.mark.parametrize("body", ["1.1:" + ED25519, ED25519 + ":x", ED25519 + "%20", ED25519 + "0"])
    def test_d02_anything_around(self, body: str) -> None:
        assert refused(f"did:key:{body}") in ("multibase.base", "multibase.alphabet")


class TestD03Lengths:
    def test_d03_a_megabyte(self) -> None:
        assert refused("did:key:z" + "1" * (1 << 20)) == "did.too_long"
        assert refused("did:jwk:" + "A" * (1 << 20)) == "did.too_long"

    def test_d03_an_ed25519_codec_has_512(self, monkeypatch: pytest.MonkeyPatch) -> None:
        body = next(text for n in range(400) if len(text := multibase.encode(b"\xed\x01" + bytes(n))) == limits.DID_KEY)
        assert refused(f"did:key:{body}") == "key.length"
        monkeypatch.setattr(base58, "decode", no_network)
        assert refused(f"did:key:{body}1") == "multibase.too_long"

    @pytest.mark.parametrize(("codec", "length", "characters"), [(b"\x90\x24", 1312, 1796), (b"\x91\x24", 1952, 2670)])
    def test_d03_ml_dsa_fits(self, codec: bytes, length: int, characters: int) -> None:
        text = coded(codec, bytes(range(256)) * 7 + bytes(length - 1792) if length > 1792 else bytes(length))
        assert len(text) == len("did:key:") + characters
        body = text.removeprefix("did:key:")
        assert local(text).key(body, Purpose.ASSERTION).algorithm.value.startswith("ML-DSA")

    @pytest.mark.parametrize(("codec", "length"), [(b"\x90\x24", 1312), (b"\x91\x24", 1952)])
    def test_d03_an_ml_dsa_codec_has_3072(self, codec: bytes, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
        body = coded(codec, bytes(length)).removeprefix("did:key:")
        body += "1" * (limits.DID_KEY_MLDSA - len(body))
        assert refused(f"did:key:{body}") not in ("did.too_long", "multibase.too_long")
        monkeypatch.setattr(base58, "decode", no_network)
        assert refused(f"did:key:{body}1") == "did.too_long"

    def test_d03_ml_dsa_87_is_too_long(self) -> None:
        text = coded(b"\x92\x24", bytes(2592))
        assert len(text) == len("did:key:") + 3544
        assert refused(text) == "did.too_long"

    def test_d03_did_jwk_has_6_kib(self) -> None:
        exact = "did:jwk:" + "A" * limits.DID_JWK
        assert refused(exact) != "did.too_long"
        assert refused(exact + "A") == "did.too_long"


class TestD05WeakKeys:
    @pytest.mark.parametrize("raw", [b"\x01" + bytes(31), bytes(32), b"\xec" + b"\xff" * 30 + b"\x7f"])
    def test_d05_low_order(self, raw: bytes) -> None:
        assert refused(coded(b"\xed\x01", raw)) == "key.low_order"
        written = json.write({"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(raw)})
        assert refused("did:jwk:" + base64url.encode(written)) == "key.low_order"
        assert local(coded(b"\xed\x01", raw_of(ED25519)[2:])).methods

    def test_d05_off_the_curve(self) -> None:
        assert refused(coded(b"\x80\x24", b"\x02" + b"\xff" * 32)) == "key.not_on_curve"


def jwk_did(value: Any) -> str:
    written = value if isinstance(value, bytes) else json.write(value)
    return "did:jwk:" + base64url.encode(written)


class TestD06DidJwk:
    JWK: ClassVar = jwk.write(multikey.read(P256))

    def test_d06_twin(self) -> None:
        assert local(jwk_did(self.JWK)).key("0", Purpose.ASSERTION) == multikey.read(P256)

    @pytest.mark.parametrize("member", ["d", "k", "p", "q"])
    def test_d06_private_members(self, member: str) -> None:
        assert refused(jwk_did({**self.JWK, member: "AA"})) == "key.private"

    def test_d06_symmetric(self) -> None:
        assert refused(jwk_did({"kty": "oct", "k": "AA"})) == "key.private"
        assert refused(jwk_did({"kty": "oct"})) == "key.unsupported"

    def test_d06_encryption_key_does_not_assert(self) -> None:
        found = local(jwk_did({**self.JWK, "use": "enc"}))
        with pytest.raises(Refused) as error:
            found.key("0", Purpose.ASSERTION)
        assert error.value.code == "did.wrong_purpose"

    def test_d06_alg_none(self) -> None:
        assert refused(jwk_did({**self.JWK, "alg": "none"})) == "key.algorithm_mismatch"
        assert local(jwk_did({**self.JWK, "alg": "ES256"})).methods

    def test_d06_duplicates(self) -> None:
        written = json.write(self.JWK)
        assert refused(jwk_did(written[:-1] + b',"kty":"EC"}')) == "json.duplicate"

    def test_d06_text(self) -> None:
        assert refused("did:jwk:e") == "base64url.length"
        assert refused("did:jwk:" + "e30%3D") == "base64url.alphabet"
        assert refused(jwk_did(self.JWK) + "=") == "did.syntax"
        assert refused(jwk_did(b"not json")) == "json.syntax"


class TestD07Hosts:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "%5B%3A%3A1%5D",
            "%5B::1%5D",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "a.0x7f",
            "a.0x",
            "0177.0.0.1",
            "127.1",
            "a.1",
            "localhost",
            "localhost.",
            "x.localhost",
            "X.LOCALHOST",
            "%EF%BC%91%EF%BC%92%EF%BC%97.%EF%BC%90.0.1",
            "127%2E0%2E0%2E1",
            "127.0.0.1%3A8080",
            "127.0.0.1%3a8080",
        ],
    )
    def test_d07_no_addresses(self, host: str) -> None:
        assert refused(f"did:web:{host}") == "did.web_host"

    @pytest.mark.parametrize("host", ["１２７.０.０.１", "①②⑦.0.0.1"])
    def test_d07_other_digits(self, host: str) -> None:
        assert refused(f"did:web:{host}") == "did.syntax"

    def test_d07_twin(self) -> None:
        assert web.url("did:web:127-0-0-1.example") == "https://127-0-0-1.example/.well-known/did.json"


class TestD08Percent:
    @pytest.mark.parametrize(
        "host",
        [
            "example.com%2fevil",
            "example.com%2Fevil",
            "%2e%2e",
            "example%252ecom",
            "a.example%40evil.example",
            "a.example%23",
            "a.example%3f",
            "a.example%5c",
            "a.example%00",
            "a.example%0a",
            "a.example%20",
            "%20a.example",
            "a.example%C2%AD",
        ],
    )
    def test_d08_hosts(self, host: str) -> None:
        assert refused(f"did:web:{host}") == "did.web_host"

    @pytest.mark.parametrize("port", ["%252f", "80%2f", "80%40evil.example", "80%3A80", "%2e"])
    def test_d08_ports(self, port: str) -> None:
        assert refused(f"did:web:a.example%3A{port}") == "did.web_port"

    @pytest.mark.parametrize(
        "segment",
        [
            "%2e%2e",
            "%2E",
            ".%2e",
            "a%2fb",
            "a%5cb",
            "%00",
            "a%00",
            "%0d%0a",
            "a%3fb",
            "a%23b",
            "a%40b",
            "a%252fb",
            "%25",
            "%3A",
            "%ff",
            "%7f",
        ],
    )
    def test_d08_segments(self, segment: str) -> None:
        assert refused(f"did:web:a.example:{segment}") == "did.web_path"

    def test_d08_decoded_once(self) -> None:
        assert web.url("did:web:a%2Eexample%3a8080") == "https://a.example:8080/.well-known/did.json"
        assert web.url("did:web:a.example:%61%2E%C3%BC") == "https://a.example/a.%C3%BC/did.json"


class TestD09Traversal:
    @pytest.mark.parametrize("path", ["..:..:other", ".", "a::b", ":a", "..", "a:.:b"])
    def test_d09_segments(self, path: str) -> None:
        assert refused(f"did:web:a.example:{path}") == "did.web_path"

    def test_d09_trailing_and_backslash(self) -> None:
        assert refused("did:web:a.example:") == "did.syntax"
        assert refused("did:web:a.example:a\\b") == "did.syntax"
        assert web.url("did:web:a.example:...:b") == "https://a.example/.../b/did.json"


def city(**members: Any) -> dict[str, Any]:
    entry = {"id": f"{CITY}#k", "type": "Multikey", "controller": CITY, "publicKeyMultibase": P256}
    return {"id": CITY, "verificationMethod": [entry], "assertionMethod": [f"{CITY}#k"]} | members


def served(document: Any, kind: str = "application/json", status: int = 200) -> DidDocument:
    body = document if isinstance(document, bytes) else json.write(document)
    return resolve(CITY).run(lambda _: Response(status, {"content-type": kind}, body, AT))


def denied(document: Any, **how: Any) -> str:
    with pytest.raises((Malformed, Refused)) as error:
        served(document, **how).key("k", Purpose.ASSERTION)
    return str(error.value.code)


class TestD16Documents:
    def test_d16_twin(self) -> None:
        assert served(city()).key("k", Purpose.ASSERTION) == multikey.read(P256)

    @pytest.mark.parametrize(
        "name", [f"{CITY}:x", CITY.upper(), "did:web:id.Lindau.example", f"{CITY}#k", "", f"{CITY} "]
    )
    def test_d16_another_id(self, name: str) -> None:
        assert denied(city(id=name)) == "did.document_id"

    def test_d16_another_controller(self) -> None:
        entry = city()["verificationMethod"][0] | {"controller": "did:web:other.example"}
        assert denied(city(verificationMethod=[entry])) == "did.foreign_controller"

    def test_d16_an_error_page(self) -> None:
        assert denied(city(), kind="text/html") == "did.content_type"
        assert denied(b"<html>", kind="application/json") == "json.syntax"

    def test_d16_array_and_duplicates(self) -> None:
        assert denied([city()]) == "json.not_an_object"
        written = json.write(city())
        assert denied(written[:-1] + b',"id":"did:web:other.example"}') == "json.duplicate"
        entry = city()["verificationMethod"][0]
        assert denied(city(verificationMethod=[entry, entry])) == "did.duplicate_method"


class TestD17Sizes:
    def test_d17_many_methods(self) -> None:
        entry = city()["verificationMethod"][0]
        many = [{**entry, "id": f"{CITY}#k{index}"} for index in range(limits.VERIFICATION_METHODS)]
        assert len(served(city(verificationMethod=many)).methods) == limits.VERIFICATION_METHODS
        assert denied(city(verificationMethod=[*many, entry])) == "did.too_many_methods"
        assert denied(b'{"id":"' + CITY.encode() + b'","verificationMethod":[' + b"{}," * 100_000 + b"{}]}") == (
            "json.too_many_values"
        )

    def test_d17_deep_services(self) -> None:
        deep: Any = "x"
        for _ in range(limits.DEPTH - 3):
            deep = [deep]
        assert served(city(service=[{"serviceEndpoint": deep}])).methods
        written = json.write(city())[:-1] + b',"service":' + b"[" * 200 + b"]" * 200 + b"}"
        assert denied(written) == "json.too_deep"


class TestD18TwoKeys:
    def test_d18_twin_either(self) -> None:
        assert served(city()).key("k", Purpose.ASSERTION) == multikey.read(P256)
        entry = city()["verificationMethod"][0] | {"type": "JsonWebKey", "publicKeyJwk": jwk.write(multikey.read(P256))}
        del entry["publicKeyMultibase"]
        assert served(city(verificationMethod=[entry])).key("k", Purpose.ASSERTION) == multikey.read(P256)

    @pytest.mark.parametrize("body", [P256, SECP256K1])
    def test_d18_both(self, body: str) -> None:
        entry = city()["verificationMethod"][0] | {"publicKeyJwk": jwk.write(multikey.read(body))}
        assert denied(city(verificationMethod=[entry])) == "did.two_keys"


class TestD19DidUrls:
    @pytest.mark.parametrize(
        "rest", ["?service=files&relativeRef=//169.254.169.254/", "?versionTime=2020-01-01T00:00:00Z#k", "?x=1", "/a#k"]
    )
    def test_d19_only_fragments(self, rest: str) -> None:
        with pytest.raises(Malformed) as error:
            dereference(CITY + rest).run(no_network)
        assert error.value.code == "did.url_not_plain"

    def test_d19_twin(self) -> None:
        answer = Response(200, {"content-type": "application/json"}, json.write(city()), AT)
        assert dereference(f"{CITY}#k").run(lambda _: answer).key() == multikey.read(P256)

    def test_d19_two_fragments(self) -> None:
        with pytest.raises(Malformed) as error:
            parse_url(f"{CITY}#a#b")
        assert error.value.code == "did.url_fragment"
        assert parse_url(f"{CITY}#a")[1] == "a"


class TestD20Cache:
    URL = web.url(CITY)

    def response(self, seconds: int, status: int = 200, control: str = "max-age=60") -> Response:
        return Response(status, {"cache-control": control}, b"x", AT + timedelta(seconds=seconds))

    def test_d20_a_removed_key_stops_working_within_the_time(self) -> None:
        cache = Cache()
        cache.put(Request("GET", self.URL), self.response(0))
        assert cache.get(Request("GET", self.URL), AT + timedelta(seconds=59)) is not None
        assert cache.get(Request("GET", self.URL), AT + timedelta(seconds=60)) is None
        for_long = self.response(0, control="max-age=99999999")
        cache.put(Request("GET", self.URL), for_long)
        assert cache.get(Request("GET", self.URL), AT + timedelta(minutes=59)) is for_long
        assert cache.get(Request("GET", self.URL), AT + timedelta(hours=1)) is None

    @pytest.mark.parametrize("status", [301, 404, 500])
    def test_d20_failures_are_not_kept(self, status: int) -> None:
        cache = Cache()
        cache.put(Request("GET", self.URL), self.response(0))
        cache.put(Request("GET", self.URL), self.response(1, status))
        assert cache.get(Request("GET", self.URL), AT + timedelta(seconds=2)) is None

    def test_d20_one_place_for_all_spellings(self) -> None:
        spellings = ("did:web:A.example%3A443:b", "did:web:a.Example:%62", "did:web:a%2eexample:b")
        assert {web.url(spelling) for spelling in spellings} == {"https://a.example/b/did.json"}

    def test_d20_a_spelling_gets_no_other_s_document(self) -> None:
        with pytest.raises(Refused) as error:
            resolve("did:web:ID.lindau.example").run(
                lambda _: Response(200, {"content-type": "application/json"}, json.write(city()), AT)
            )
        assert error.value.code == "did.document_id"


class TestD21Idn:
    @pytest.mark.parametrize("host", ["münchen.example", "ⅰssuer.example", "a。example", "аpple.example"])
    def test_d21_unicode(self, host: str) -> None:
        assert refused(f"did:web:{host}") == "did.syntax"

    @pytest.mark.parametrize("host", ["m%C3%BCnchen.example", "%E2%85%B0ssuer.example", "a%E3%80%82example"])
    def test_d21_encoded_unicode(self, host: str) -> None:
        assert refused(f"did:web:{host}") == "did.web_host"

    def test_d21_a_label(self) -> None:
        assert web.url("did:web:xn--mnchen-3ya.example") == "https://xn--mnchen-3ya.example/.well-known/did.json"


class TestD32Methods:
    def test_d32_unsupported(self) -> None:
        assert refused("did:ion:abc") == "did.method_not_supported"

    @pytest.mark.parametrize("text", ["DID:WEB:a.example", "did:WEB:a.example", "did:web:"])
    def test_d32_syntax(self, text: str) -> None:
        assert refused(text) == "did.syntax"

    @pytest.mark.parametrize("method", ["web", "key", "jwk", "ion"])
    def test_d32_eight_kilobytes(self, method: str) -> None:
        assert refused(f"did:{method}:" + "a" * 8192) == "did.too_long"

    def test_d32_four_kilobytes(self) -> None:
        path = ":".join(["a" * 60] * 60)
        longest = f"did:web:a.example:{path}"
        longest += "a" * (limits.DID - len(longest))
        assert web.url(longest).startswith("https://a.example/aaa")
        assert refused(longest + "a") == "did.too_long"


class TestD33Segments:
    @pytest.mark.parametrize(
        "text", ["", ":", "::", "did", "did:", "did:web", "did:key", "did::", "a:b", "#", "did:key:#"]
    )
    def test_d33_too_few(self, text: str) -> None:
        assert refused(text) == "did.syntax"
        with pytest.raises(Malformed):
            dereference(text).run(no_network)


def test_nothing_but_the_four_exceptions() -> None:
    """What the exchange raises arrives as it is: no answer is no verdict."""

    def down(_: Request) -> Response:
        raise Unavailable("net.connect", host="id.lindau.example")

    with pytest.raises(CityIdError) as error:
        resolve(CITY).run(down)
    assert error.value.code == "net.connect"
