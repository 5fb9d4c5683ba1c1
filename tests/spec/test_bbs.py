"""BBS signatures (draft-irtf-cfrg-bbs-signatures-09), section by section, and RFC 9380 under them.

Every published case is run byte by byte, with the values on the way: `TestOfficialCases` counts them.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cityid import bbs, limits
from cityid.bbs import core, curve, generators, hash_to_curve, isogeny, keys
from cityid.bbs import octets as strict
from cityid.bbs.suites import CORE, SHA_256, SHAKE_256, Interface, Suite
from cityid.errors import CityIdError
from tests.bbs import all_octets, arkworks, beside, cases, mocked, named, octets, signed_by
from tests.vectors import load, vectors

SUITES = [SHA_256, SHAKE_256]
EXPAND = {"expand_message_xmd_SHA256_38": SHA_256, "expand_message_xof_SHAKE256_36": SHAKE_256}


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


class TestRfc9380:
    """Expanding messages, the map to the curve, and the suite BLS12381G1_XMD:SHA-256_SSWU_RO_."""

    @pytest.mark.parametrize("name", EXPAND)
    def test_expand_message(self, name: str) -> None:
        found = load(vectors("hash-to-curve") / f"{name}.json")
        for case in found["tests"]:
            length = int(case["len_in_bytes"], 16)
            made = EXPAND[name].expand(case["msg"].encode(), found["DST"].encode(), length)
            assert made.hex() == case["uniform_bytes"]
        assert len(found["tests"]) >= 10

    def test_hash_to_curve(self) -> None:
        found = load(vectors("hash-to-curve") / "BLS12381G1_XMD_SHA-256_SSWU_RO_.json")
        for case in found["vectors"]:
            message, dst = case["msg"].encode(), found["dst"].encode()
            uniform = hash_to_curve.expand_message_xmd(message, dst, 128)
            u = hash_to_curve.field_elements(uniform)
            assert u == tuple(int(each, 16) for each in case["u"])
            maps = [hash_to_curve.map_to_curve(each) for each in u]
            assert maps == [tuple(int(case[q][axis], 16) for axis in "xy") for q in ("Q0", "Q1")]
            point = tuple(int(case["P"][axis], 16) for axis in "xy")
            assert hash_to_curve.clear_cofactor(hash_to_curve.add(*maps)) == point
            made = hash_to_curve.point_of(uniform)
            backend = SHA_256.backend()
            assert made == hash_to_curve.compress(point) == backend.octets(backend.hash_to_g1(message, dst))
        assert len(found["vectors"]) >= 5

    def test_the_exceptional_value(self) -> None:
        """§6.6.2(4): u = 0, where tv1 would have to be inverted. The sum of equal points is a doubling."""
        x, y = hash_to_curve.map_to_curve(0)
        assert (y * y - x**3 - 4) % hash_to_curve.Q == 0
        backend = SHA_256.backend()
        assert backend.g1(hash_to_curve.point_of(bytes(128))) is not None
        one = hash_to_curve.map_to_curve(1)
        assert one != (x, y)
        assert isogeny.Z == 11

    def test_a_long_tag(self) -> None:
        """§5.3.3 would hash it; the BBS draft refuses it."""
        for suite in SUITES:
            assert len(suite.expand(b"", bytes(255))) == 48
            assert code(suite.expand, b"", bytes(256)) == "bbs.dst"


class TestSection34Keys:
    @pytest.mark.parametrize("name", named("bbs", "keypair"))
    def test_official(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        material, info, dst = (octets(case[each]) for each in ("keyMaterial", "keyInfo", "keyDst"))
        for key in (
            keys.key_gen(material, info, suite=suite),
            keys.key_gen(material, info, suite=suite, dst=dst),
            keys.key_gen(material, info, suite=beside(suite)),
            keys.secret_key(octets(case["keyPair"]["secretKey"]), suite=suite),
        ):
            assert (key.octets().hex(), key.public.hex()) == tuple(case["keyPair"].values())
            keys.check_public_key(key.public, suite=suite)

    def test_key_gen_asks_for_enough(self) -> None:
        assert keys.key_gen(bytes(32)) == keys.key_gen(bytes(32), b"") != keys.key_gen(bytes(32), b"x")
        assert code(keys.key_gen, bytes(31)) == "bbs.key_material"
        assert len(keys.key_gen(bytes(32), bytes(65_535)).public) == 96
        assert code(keys.key_gen, bytes(32), bytes(65_536)) == "bbs.key_info"
        assert code(keys.key_gen, bytes(32), dst=bytes(256)) == "bbs.dst"

    def test_a_secret_key_shows_itself_to_nobody(self) -> None:
        key = keys.key_gen(bytes(32))
        assert key.octets().hex() not in repr(key)
        assert str(key.scalar) not in repr(key)
        assert repr(key.public) in repr(key)

    def test_secret_keys_are_scalars(self) -> None:
        for scalar in (1, curve.R - 1):
            assert keys.secret_key(strict.from_scalar(scalar)).scalar == scalar
        assert keys.secret_key(strict.from_scalar(1)).public == curve.BP2
        for scalar in (0, curve.R, curve.R + 1, 2**256 - 1):
            assert code(keys.secret_key, strict.from_scalar(scalar)) == "bbs.scalar"
        for length in (0, 31, 33):
            assert code(keys.secret_key, b"\1" * length) == "bbs.length"


class TestSection41Interfaces:
    @pytest.mark.parametrize("name", named("bbs", "MapMessageToScalarAsHash"))
    def test_messages_to_scalars(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        interface = Interface(suite, CORE)
        assert interface.api_id + b"MAP_MSG_TO_SCALAR_AS_HASH_" == octets(case["dst"])
        messages = [octets(each["message"]) for each in case["cases"]]
        found = [strict.from_scalar(each).hex() for each in interface.scalars(messages)]
        assert found == [each["scalar"] for each in case["cases"]]

    @pytest.mark.parametrize("name", named("bbs", "generators"))
    def test_create_generators(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        for each in (suite, beside(suite)):
            found = generators.create_generators(1 + len(case["MsgGenerators"]), Interface(each, CORE))
            assert [base.octets.hex() for base in found] == [case["Q1"], *case["MsgGenerators"]]
            assert generators.p1(each).octets.hex() == case["P1"]
            backend = each.backend()
            assert backend.octets(generators.p1(each).point).hex() == case["P1"]

    def test_generators_are_made_once(self) -> None:
        interface = Interface(SHA_256, CORE)
        few, more = (generators.create_generators(count, interface) for count in (3, 5))
        assert few == more[:3]
        again = generators.Chain(interface, b"")
        assert [base.octets for base in again.take(5)] == [base.octets for base in more]
        assert again.take(2) == again.take(5)[:2]


class TestSection42Utilities:
    @pytest.mark.parametrize("name", named("bbs", "h2s"))
    def test_hash_to_scalar(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        message, dst = octets(case["message"]), octets(case["dst"])
        assert strict.from_scalar(suite.hash_to_scalar(message, dst)).hex() == case["scalar"]
        assert strict.from_scalar(Interface(suite, CORE).hash_to_scalar(message)).hex() == case["scalar"]

    @pytest.mark.parametrize("name", named("bbs", "mockedRng"))
    def test_random_scalars(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        entropy = mocked(suite, octets(case["seed"]), octets(case["dst"]), case["count"])
        found = keys.random_scalars(case["count"], entropy)
        assert [strict.from_scalar(each).hex() for each in found] == case["mockedScalars"]

    def test_random_scalars_are_48_octets_each(self) -> None:
        asked: list[int] = []

        def entropy(length: int) -> bytes:
            asked.append(length)
            return len(asked).to_bytes(length, "big")

        assert keys.random_scalars(3, entropy) == [1, 2, 3]
        assert asked == [48, 48, 48]
        assert len(set(keys.random_scalars(8))) == 8

    def test_inverse(self) -> None:
        for value in (1, 2, curve.R - 1):
            for blind in (1, 77, curve.R - 1):
                assert keys.inverse(value, blind) * value % curve.R == 1
        assert code(keys.inverse, curve.R, 5) == "bbs.scalar"


class TestSection35Signatures:
    @pytest.mark.parametrize("name", named("bbs", "signature"))
    def test_official(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        public, signature, header = (
            octets(text) for text in (case["signerKeyPair"]["publicKey"], case["signature"], case["header"])
        )
        messages = all_octets(case["messages"])
        for each in (suite, beside(suite)):
            if case["result"]["valid"]:
                core.verify(public, signature, header, messages, suite=each)
            else:
                assert code(core.verify, public, signature, header, messages, suite=each) == "bbs.signature"

    @pytest.mark.parametrize("name", named("bbs", "signature"))
    def test_official_signatures_are_made_again(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        _, pair = cases("bbs")[f"{name.split('/')[0]}/keypair"]
        header, messages = signed_by(case, name)
        key = keys.secret_key(octets(pair["keyPair"]["secretKey"]), suite=suite)
        interface = Interface(suite, CORE)
        bases = generators.create_generators(len(messages) + 1, interface)
        domain = core.calculate_domain(key.public, bases, header, interface)
        b = core.signed_point(suite, bases, domain, interface.scalars(messages))
        assert case["trace"] == {"B": suite.backend().octets(b).hex(), "domain": strict.from_scalar(domain).hex()}
        for each in (suite, beside(suite)):
            assert core.sign(key, header, messages, suite=each).hex() == case["signature"]

    @pytest.mark.parametrize("suite", SUITES)
    def test_no_messages_and_no_header(self, suite: Suite) -> None:
        key = keys.key_gen(bytes(32), suite=suite)
        signature = core.sign(key, b"", [], suite=suite)
        core.verify(key.public, signature, b"", [], suite=suite)
        assert code(core.verify, key.public, signature, b"", [b""], suite=suite) == "bbs.signature"
        assert code(core.verify, key.public, signature, b"\0", [], suite=suite) == "bbs.signature"
        proof = core.proof_gen(key.public, signature, b"", b"", [], [], suite=suite)
        assert len(proof) == strict.PROOF_FLOOR
        core.proof_verify(key.public, proof, b"", b"", [], [], suite=suite)

    def test_how_many_messages(self) -> None:
        key = keys.key_gen(bytes(32))
        many = [b""] * (limits.BBS_MESSAGES + 1)
        assert code(core.sign, key, b"", many) == "bbs.too_many"
        assert code(core.verify, key.public, bytes(80), b"", many) == "bbs.too_many"
        assert code(core.proof_gen, key.public, bytes(80), b"", b"", many, []) == "bbs.too_many"
        assert code(core.verify, key.public, bytes(80), b"", [b""]) == "bbs.scalar"


class TestSection35Proofs:
    @pytest.mark.parametrize("name", named("bbs", "proof"))
    def test_official(self, name: str) -> None:
        suite, case = cases("bbs")[name]
        public, header, shown, proof = (
            octets(case[each]) for each in ("signerPublicKey", "header", "presentationHeader", "proof")
        )
        messages, disclosed = all_octets(case["messages"]), case["disclosedIndexes"]
        revealed = [messages[index] for index in disclosed]
        # One case repeats an index: that is told before anything is computed.
        expected = "bbs.proof" if disclosed == sorted(set(disclosed)) else "bbs.index"
        for each in (suite, beside(suite)):
            args = (public, proof, header, shown, disclosed, revealed)
            if case["result"]["valid"]:
                core.proof_verify(*args, suite=each)
            else:
                assert code(core.proof_verify, *args, suite=each) == expected

    @pytest.mark.parametrize("name", named("bbs", "proof"))
    def test_official_proofs_are_made_again(self, name: str) -> None:
        """With the mocked scalars, and from the intermediate values: byte by byte."""
        suite, case = cases("bbs")[name]
        folder, signature, expected = name.split("/")[0], octets(case["signature"]), case["trace"]
        _, rng = cases("bbs")[f"{folder}/mockedRng"]
        _, first = cases("bbs")[f"{folder}/proof/proof001"]
        header, messages = signed_by(case, name)
        valid = case["result"]["valid"]
        disclosed = case["disclosedIndexes"] if valid else [0, 2, 4, 6]
        shown, public = (octets((case if valid else first)[each]) for each in ("presentationHeader", "signerPublicKey"))
        drawn = expected["random_scalars"]
        count = 5 + len(drawn["m_tilde_scalars"])
        interface = Interface(suite, CORE)
        scalars = interface.scalars(messages)
        bases = generators.create_generators(len(messages) + 1, interface)
        held = core.take(public, signature, bases, header, scalars, interface, disclosed)
        begun = core.begin(held, disclosed, mocked(suite, octets(rng["seed"]), octets(rng["dst"]), count))
        names = ("r1", "r2", "e_tilde", "r1_tilde", "r3_tilde")
        in_order = [*(drawn[name] for name in names), *drawn["m_tilde_scalars"]]
        assert [strict.from_scalar(each).hex() for each in begun.scalars] == in_order
        assert begun.points.hex() == expected["A_bar"] + expected["B_bar"] + expected["D"]
        assert begun.commitments.hex() == expected["T1"] + expected["T2"]
        assert strict.from_scalar(begun.domain).hex() == expected["domain"]
        challenge = core.calculate_challenge(begun, disclosed, held, shown)
        assert strict.from_scalar(challenge).hex() == expected["challenge"]
        assert core.finalize(begun, challenge) == octets(case["proof"])
        assert (repr(begun), repr(held)) == ("Begun()", "Held()")
        for each in (suite, beside(suite)):
            entropy = mocked(suite, octets(rng["seed"]), octets(rng["dst"]), count)
            made = core.proof_gen(public, signature, header, shown, messages, disclosed, suite=each, entropy=entropy)
            assert made == octets(case["proof"])
            entropy = mocked(suite, octets(rng["seed"]), octets(rng["dst"]), count)
            kept = core.hold(public, signature, header, messages, suite=each)
            assert core.show(kept, shown, disclosed, entropy=entropy) == made


class TestBackendsAndTables:
    def test_tables_change_no_sum(self) -> None:
        interface = Interface(SHA_256, CORE)
        backend, chain = SHA_256.backend(), generators.Chain(interface, b"")
        bases = chain.take(3)
        scalars = [0, 1, 63, 64, 2**250 + 5, curve.R - 1, curve.R, curve.R + 7]
        lists = [list(zip(bases, scalars[at : at + 3], strict=False)) for at in range(len(scalars) - 2)]
        before = [generators.public_sum(each, backend, generators.Tables(0)) for each in lists]
        assert all(base.table is None for base in bases)
        generators.Tables().consider(bases, backend.zero(), least=0, most=3)
        assert all(base.table is not None for base in bases)
        for each, expected in zip(lists, before, strict=True):
            found = generators.public_sum(each, backend)
            reduced = [(base, scalar % curve.R) for base, scalar in each]
            assert found == expected == generators.secret_sum(reduced, backend, backend.zero())
        assert generators.public_sum([], backend) == backend.zero()

    def test_tables_are_for_generators_in_use_and_bounded(self) -> None:
        backend = SHA_256.backend()
        bases = generators.Chain(Interface(SHA_256, CORE), b"").take(6)
        tables = generators.Tables(3)

        def made() -> list[bool]:
            return [base.table is not None for base in bases]

        for _ in range(generators.USES - 1):
            tables.consider(bases, backend.zero())
        assert not any(made())
        tables.consider(bases, backend.zero())
        assert made() == [True, True, False, False, False, False]
        for _ in range(3):
            tables.consider(bases, backend.zero())
        assert made() == [True, True, True, False, False, False]
        assert tables.left == 0

    def test_prepare(self) -> None:
        interface = Interface(SHAKE_256, "TEST_OF_PREPARE_")
        generators.prepare(2, interface)
        bases = [generators.p1(SHAKE_256), *generators.create_generators(3, interface)]
        assert all(base.table is not None for base in bases)
        assert generators.create_generators(4, interface)[3].table is None

    def test_strange_bytes_are_no_points(self) -> None:
        for backend in (SHA_256.backend(), arkworks()):
            for data in (b"", b"\x80", bytes(48), bytes(96), b"\xff" * 48, b"\xff" * 96, b"\xc0" + bytes(46) + b"\1"):
                assert backend.g1(data) is None
                assert backend.g2(data) is None
            assert backend.g2(curve.BP2) is not None
            assert backend.octets(backend.zero()) == b"\xc0" + bytes(47)

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        curve.blst.cache_clear()
        monkeypatch.setitem(sys.modules, "pyblst", None)
        with pytest.raises(CityIdError) as caught:
            keys.key_gen(bytes(32))
        assert (caught.value.code, caught.value.problem.facts["extra"]) == ("install.extra", "bbs")
        monkeypatch.undo()
        assert keys.key_gen(bytes(32)).public

    def test_nothing_is_imported_before_it_is_needed(self) -> None:
        program = "import sys, cityid, cityid.bbs.pseudonym, cityid.bbs.batch; sys.exit('pyblst' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

    def test_revisions(self) -> None:
        assert set(bbs.REVISIONS) == {"core", "blind", "pseudonym"}
        assert {each.id.encode()[-1:] for each in SUITES} == {b"_"}


class TestOfficialCases:
    def test_run_and_listed_are_all_that_is_present(self) -> None:
        parts = ("keypair", "h2s", "mockedRng", "generators", "MapMessageToScalarAsHash", "signature", "proof")
        run = [name for part in parts for name in named("bbs", part)]
        assert sorted([*run, "messages"]) == sorted(cases("bbs"))  # `messages` is what the others are about
        files = {path.stem for path in vectors("hash-to-curve").glob("*.json")}
        assert files == {*EXPAND, "BLS12381G1_XMD_SHA-256_SSWU_RO_"}
