"""The configuration of the VC-API server: read strictly, and no secret of it is ever said."""

from __future__ import annotations

import logging
import re
import tomllib

import pytest

from cityid.edge import key_import, vc_api_file
from cityid.edge.signers import load
from cityid.encoding import multibase
from cityid.errors import CityIdError, Malformed, Misuse
from cityid.keys import Algorithm, multikey
from cityid.vc_api import SUITES, Options
from tests.vc_api import URL, configuration, contexts, entropy
from tests.vectors import load as read_vector
from tests.vectors import vectors

SECRETS = [one["secret"] for one in tomllib.loads(configuration())["issuer"]]
FIRST = configuration()[: configuration().index("\n[[issuer]]", configuration().index("[[issuer]]"))]
"""The configuration with its first issuer alone."""
HIDER = next(one for one in tomllib.loads(configuration())["issuer"] if one["name"] == "ecdsa-sd-2023")
OTHER = next(one for one in tomllib.loads(configuration())["issuer"] if one["name"] == "ecdsa-jcs-2019-p384")


def _multikey(data: bytes) -> str:
    return multibase.encode(data)


def read(text: str) -> vc_api_file.Configuration:
    return vc_api_file.read(text.encode(), contexts())


def refused(text: str) -> Misuse:
    with pytest.raises(Misuse) as no:
        read(text)
    assert not any(secret in f"{no.value!r} {no.value.problem}" for secret in SECRETS)
    return no.value


def with_line(line: str) -> str:
    """The first issuer with another line in the place of the one for the same member, or added."""
    text = FIRST
    for one in line.split("\n"):
        name = one.partition(" ")[0]
        changed, count = re.subn(rf"(?m)^{name} = .*$", one.replace("\\", r"\\"), text)
        text = changed if count else f"{text}\n{one}"
    return text


class TestReading:
    def test_what_is_written_is_read(self) -> None:
        found = read(configuration())
        assert found.network == "none"
        assert found.service.url == URL
        assert found.service.options == Options()
        assert {one.suite for one in found.service.issuers.values()} == set(SUITES)
        for one in found.service.issuers.values():
            assert one.method == f"{one.id}#{one.id.removeprefix('did:key:')}"
            assert one.id == f"did:key:{multikey.write(one.signer.public_key)}"

    def test_options(self) -> None:
        text = with_line('controller = "any"').replace('contexts = "known"', 'contexts = "inline"')
        found = read(text.replace("unsecured_presentations = false", "unsecured_presentations = true"))
        assert found.service.options == Options("any", "inline", unsecured_presentations=True)
        assert read(with_line('network = "public"')).network == "public"
        assert read(FIRST[: FIRST.index("[options]")] + FIRST[FIRST.index("[[issuer]]") :]).service.options == Options()

    def test_a_slash_at_the_end_of_the_url(self) -> None:
        assert read(with_line('url = "https://city.example/api/"')).service.url == "https://city.example/api"

    def test_another_id_and_method(self) -> None:
        one = next(
            iter(
                read(FIRST + '\nid = "https://city.example"\nmethod = "did:web:city.example#key-1"\nstatus = true')
                .service.issuers.values()
            )
        )  # fmt: skip
        assert (one.id, one.method, one.status) == ("https://city.example", "did:web:city.example#key-1", True)

    def test_without_the_public_key(self) -> None:
        text = re.sub(r"(?m)^public = .*$", "", FIRST)
        assert list(read(text).service.issuers) == list(read(FIRST).service.issuers)

    def test_each_file_has_other_keys(self) -> None:
        assert vc_api_file.new(URL) != vc_api_file.new(URL)
        assert vc_api_file.new(URL, entropy=entropy()) == configuration()


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ('url = "ftp://city.example"', "vc_api_file.url"),
            ('url = "https://city.example/?a=b"', "vc_api_file.url"),
            (f'url = "https://city.example/{"a" * 200}"', "vc_api_file.url"),
            ('network = "private"', "vc_api_file.word"),
            ('controller = "none"', "vc_api_file.word"),
            ('contexts = "all"', "vc_api_file.word"),
            ('answer = "naked"', "vc_api_file.word"),
            ('unknown_status = "pass"', "vc_api_file.word"),
            ('validity = "never"', "vc_api_file.word"),
            ("controller = true", "json.wrong_type"),
            ('unsecured_presentations = "no"', "json.wrong_type"),
            ('name = "a/b"', "vc_api_file.name"),
            ('name = ""', "vc_api_file.name"),
            ('suite = "eddsa-2022"', "vc_api_file.suite"),
            ('suite = "ecdsa-jcs-2019"', "vc_api_file.key"),
            ('insecure = "yes"', "json.unknown_member"),
            ('method = "did:web:city.example"', "did.url_fragment"),
            ('method = "https://city.example#key"', "did.url_not_plain"),
            ('id = "two\\nlines"', "text.control"),
            ('status = "revocation"', "json.wrong_type"),
            (
                "status = true\n" + "\n".join(f'{name} = "{HIDER[name]}"' for name in ("suite", "secret", "public")),
                "vc_api_file.status",
            ),
            (f'public = "{OTHER["public"]}"', "key.halves_differ"),
            ('public = "z"', "multibase.alphabet"),
            (f'secret = "{OTHER["public"]}"', "key.not_secret"),
            (f'secret = "u{SECRETS[0][1:]}"', "multibase.base"),
            (f'secret = "{SECRETS[0] * 3}"', "multibase.too_long"),
            (f'secret = "{_multikey(bytes([0x80, 0x26]) + bytes(31))}"', "key.secret_length"),
        ],
    )
    def test_members(self, line: str, code: str) -> None:
        assert refused(with_line(line)).code == code

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (FIRST + FIRST[FIRST.index("\n[[issuer]]") :], "vc_api_file.twice"),
            (FIRST + '\n[more]\na = "b"', "json.unknown_member"),
            (FIRST.replace("[options]", "[options]\nmore = 1"), "json.unknown_member"),
            (FIRST.replace("[[issuer]]", "[issuer]"), "json.wrong_type"),
            ('url = "https://city.example"', "json.missing"),
            (FIRST.replace("secret =", "other ="), "json.unknown_member"),
            (FIRST + "\nbroken", "vc_api_file.syntax"),
            (FIRST + "\nbroken = " + "[" * 2000, "vc_api_file.syntax"),
            (FIRST + " " * 2**20, "vc_api_file.too_large"),
        ],
        ids=range(9),
    )
    def test_files(self, text: str, code: str) -> None:
        assert refused(text).code == code

    def test_no_text_at_all(self) -> None:
        with pytest.raises(Misuse, match=r"vc_api_file\.syntax"):
            vc_api_file.read(b"\xff", contexts())


class TestSecrets:
    """X06: nothing that could be logged has them in it."""

    def test_no_repr_shows_them(self, caplog: pytest.LogCaptureFixture) -> None:
        found = read(configuration())
        with caplog.at_level(logging.DEBUG):
            told = [repr(found), repr(found.service), *map(repr, found.service.issuers.values()), caplog.text]
        assert not any(secret in text or secret[8:30] in text for secret in SECRETS for text in told)


class TestSecretMultikeys:
    """Controlled Identifiers 1.0 §2.2.2."""

    def test_official_pairs(self) -> None:
        pairs = [read_vector(vectors("di-eddsa") / "keyPair.json")]
        pairs += [read_vector(vectors("di-ecdsa") / name) for name in ("p256KeyPair.json", "p384KeyPair.json")]
        for pair in pairs:
            algorithm, secret = key_import.read_multikey(_secret(pair))
            assert multikey.write(load(algorithm, secret).public_key) == pair["publicKeyMultibase"]
            assert key_import.write_multikey(algorithm, secret) == _secret(pair)

    def test_other_codes(self) -> None:
        for head in (b"\x80\x30", b"\x85\x26"):
            with pytest.raises(Malformed) as no:
                key_import.read_multikey(_multikey(head + bytes(32)), "$.secret")
            assert (no.value.code, no.value.problem.where) == ("key.unsupported", "$.secret")

    def test_scalars_out_of_range(self) -> None:
        for head, size in ((b"\x86\x26", 32), (b"\x87\x26", 48)):
            for scalar in (bytes(size), b"\xff" * size):
                with pytest.raises(CityIdError) as no:
                    key_import.read_multikey(_multikey(head + scalar))
                assert no.value.code == "key.secret_range"
        good = key_import.read_multikey(_multikey(b"\x86\x26" + bytes(31) + b"\1"))
        assert good == (Algorithm.ES256, bytes(31) + b"\1")


def _secret(pair: dict[str, str]) -> str:
    return next(value for name, value in pair.items() if name in ("secretKeyMultibase", "privateKeyMultibase"))
