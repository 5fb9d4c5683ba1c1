"""bbs-2023 (DI BBS, editor's draft of 3 April 2025): one BBS signature over the statements of a document. Its holder
shows some of them, as often as wanted, and nobody can tell that two proofs come from one credential.

Whoever checks says beforehand which feature a proof must have, which presentation header and, for pseudonyms, which
domain. The key is that of the verification method; what a base proof says of it is compared and not believed. Needs the
extra `bbs`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cityid.bbs import blind, core, pseudonym
from cityid.encoding.jsonld import Loader
from cityid.errors import Misuse, Refused
from cityid.keys import Algorithm, BbsSigner, PublicKey, once
from cityid.proofs import members, selective
from cityid.proofs.bbs2023_values import Base, Derived, Feature, read_base, read_derived
from cityid.proofs.members import Proof

__all__ = [
    "AS_SHOWN", "SUITE", "AsShown", "Feature", "Holder", "check", "check_base", "commit", "create_base",
    "derive", "mandatory_of",
]  # fmt: skip

SUITE: Final = "bbs-2023"
_KEY: Final = 32
_NYMS: Final = 1
"""A holder has one nym secret (the suite's prover_nym); the number is signed (decision 194)."""
_SPEC: Final = "DI BBS §3.3"
Entropy = Callable[[int], bytes]


class AsShown(Enum):
    """Instead of a presentation header: take that of the proof, which then may be anybody's and of any time. For
    whoever judges a proof apart from an occasion."""

    AS_SHOWN = "as shown"


AS_SHOWN: Final = AsShown.AS_SHOWN


@dataclass(frozen=True, slots=True)
class Holder:
    """What the holder keeps secret besides the credential: what it committed to, and the blind factor."""

    blind: bytes
    secret: bytes = b""
    nym: bytes = b""

    def __repr__(self) -> str:
        return "Holder()"

    @property
    def committed(self) -> list[bytes]:
        return [self.secret] if self.secret else []


def commit(
    feature: Feature, *, secret: bytes = b"", nym: bytes = b"", entropy: Entropy = secrets.token_bytes
) -> tuple[bytes, Holder]:
    """A commitment for the issuer, and what the holder keeps. `secret` is what the credential is bound to, `nym` (32
    octets, `pseudonym.prover_nyms`) what pseudonyms are made of: each where the feature has it.

    Raises:
        Misuse: `bbs2023.holder`. Malformed: `bbs.length`, `bbs.scalar`. Unavailable: `install.extra`, `bbs.entropy`.
    """
    _check_holder(feature, Holder(b"-", secret, nym))
    committed = [secret] if secret else []
    if feature.named:
        commitment, factor = pseudonym.commit(committed, [nym], entropy=entropy)
    else:
        commitment, factor = blind.commit(committed, entropy=entropy)
    return commitment, Holder(factor, secret, nym)


def create_base(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    signer: BbsSigner,
    *,
    mandatory: Sequence[str],
    load: Loader,
    entropy: Entropy = secrets.token_bytes,
    feature: Feature = Feature.BASELINE,
    commitment: bytes = b"",
    nym_entropy: bytes = b"",
    alike: bool = True,
) -> dict[str, Any]:
    """The issuer's proof over `document`, for its holder alone (§3.4.1). What is at the JSON pointers `mandatory` can
    not be hidden. `options` are the proof less `proofValue`; `commitment` is the holder's, where the feature has one;
    `nym_entropy` is that of an earlier credential, so that its pseudonyms stay the same. With `alike` the labels of
    nodes are those of every credential of this form (`selective.alike_key`); else they come by chance.

    Raises:
        Misuse: `di.key`, `bbs2023.commitment`. Refused: `bbs.commitment`.
        Malformed: those of `members.read` for the options, and of `selective.group`; `bbs.*`.
        Unavailable: what the signer raises; `keys.entropy`, `bbs.entropy`.
    """
    read = members.read({**options, "proofValue": "u"}, "$.options")
    if read.suite != SUITE or signer.public_key.algorithm is not Algorithm.BBS:
        raise Misuse("di.key", suite=read.suite, algorithm=signer.public_key.algorithm.value)
    if bool(commitment) is (feature is Feature.BASELINE):
        raise Misuse("bbs2023.commitment", spec=_SPEC, feature=feature.value)
    located = selective.locate(document, [mandatory], load)
    hmac_key = selective.alike_key(located, entropy) if alike else once.drawn(_KEY, entropy)
    found = selective.arrange(located, selective.shuffled(hmac_key))
    header = _header(document, options, [found.lines[at] for at in found.groups[0]], load)
    messages = [found.lines[at].encode("utf-8") for at in found.rest(0)]
    if feature.named:
        nym_entropy = nym_entropy or pseudonym.signer_entropy(entropy=entropy)
        signed = signer.sign_with_nym(commitment, _NYMS, nym_entropy, header, messages)
    elif feature.bound:
        signed = signer.blind_sign(commitment, header, messages)
    else:
        signed = signer.sign(header, messages)
    base = Base(signed, header, signer.public_key.raw, hmac_key, tuple(mandatory), nym_entropy)
    return {**options, "proofValue": base.write(feature)}


def _header(document: Mapping[str, Any], proof: Mapping[str, Any], mandatory: Sequence[str], load: Loader) -> bytes:
    """The BBS header (§3.4.5)."""
    return selective.config_hash(document, proof, load) + selective.lines_hash(mandatory)


def check_base(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$.proof",
    feature: Feature = Feature.BASELINE,
    holder: Holder | None = None,
) -> core.Held:
    """Check what the issuer signed, for the holder who got it. Whoever shows the credential often keeps what comes back
    in memory: half of each proof is then done (`derive`).

    Raises:
        Malformed: those of `members.read`, `read_base` and `selective.group`; `di.suite`; `bbs.*`.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `bbs2023.feature`, `bbs2023.public_key`,
            `bbs2023.header`, `bbs.signature`.
        Misuse: `bbs2023.holder`. Unavailable: `install.extra`.
    """
    _check_holder(feature, holder)
    base = read_base(_read(document, proof, key, purpose, where), feature)
    if base.public_key != key.raw:
        raise Refused("bbs2023.public_key", where=where, spec=_SPEC)
    found = selective.group(document, [base.mandatory], selective.shuffled(base.hmac_key), load)
    if base.header != _header(document, proof, [found.lines[at] for at in found.groups[0]], load):
        raise Refused("bbs2023.header", where=where, spec=_SPEC)
    return _hold(base, [found.lines[at].encode("utf-8") for at in found.rest(0)], holder, feature)


def _hold(base: Base, messages: Sequence[bytes], holder: Holder | None, feature: Feature) -> core.Held:
    if holder is None:
        return core.hold(base.public_key, base.signature, base.header, messages)
    if feature.named:
        return pseudonym.hold(
            base.public_key,
            base.signature,
            base.header,
            messages,
            holder.committed,
            [holder.nym],
            base.nym_entropy,
            holder.blind,
        )
    return blind.hold(base.public_key, base.signature, base.header, messages, holder.committed, holder.blind)


def derive(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    *,
    selective: Sequence[str],
    load: Loader,
    presentation_header: bytes,
    entropy: Entropy = secrets.token_bytes,
    feature: Feature = Feature.BASELINE,
    holder: Holder | None = None,
    nym_domain: str = "",
    held: core.Held | None = None,
    where: str = "$.proof",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a holder shows (§3.4.3): the part of `document` at the JSON pointers `selective` and at the mandatory ones,
    and its proof. `presentation_header` is made of what the verifier chose (nonce, audience). `held` is what
    `check_base` gave for this proof and this holder: it halves the work. The base proof is not checked, since the
    wallet did that when it took it.

    Raises:
        Malformed: those of `members.read`, `read_base`, `selective.group` and `selective.reveal`; `bbs.*`.
        Refused: `bbs2023.feature`, `bbs.signature`. Misuse: `bbs2023.holder`, `bbs2023.no_domain`.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    _check_holder(feature, holder)
    _check_domain(feature, nym_domain)
    base = read_base(members.read(proof, where), feature)
    return _derive(
        document, proof, base, selective, load, presentation_header, entropy, feature, holder, nym_domain, held
    )


def _derive(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    base: Base,
    asked: Sequence[str],
    load: Loader,
    presentation_header: bytes,
    entropy: Entropy,
    feature: Feature,
    holder: Holder | None,
    nym_domain: str,
    held: core.Held | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    pointers = [*base.mandatory, *asked]
    found = selective.group(document, [base.mandatory, pointers], selective.shuffled(base.hmac_key), load)
    shown, labels = selective.reveal(document, pointers, found, 1, load)
    mandatory, combined = found.groups
    told, fixed, rest = frozenset(combined), frozenset(mandatory), found.rest(0)
    disclosed = tuple(place for place, at in enumerate(rest) if at in told)
    messages = [found.lines[at].encode("utf-8") for at in rest]
    if held is None and holder is not None:
        held = _hold(base, messages, holder, feature)
    nym = b""
    if held is None:
        made = core.proof_gen(
            base.public_key, base.signature, base.header, presentation_header, messages, disclosed, entropy=entropy
        )
    elif feature.named:
        made, nym = pseudonym.show(
            held, presentation_header, nym_domain.encode("utf-8"), _NYMS, disclosed, entropy=entropy
        )
    else:
        made = core.show(held, presentation_header, disclosed, entropy=entropy)
    derived = Derived(
        made,
        labels,
        tuple(place for place, at in enumerate(combined) if at in fixed),
        disclosed,
        presentation_header,
        nym_domain,
        nym,
        len(rest),
    )
    return shown, {**proof, "proofValue": derived.write(feature)}


def check(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    presentation_header: bytes | AsShown,
    feature: Feature = Feature.BASELINE,
    nym_domain: str = "",
    where: str = "$.proof",
) -> bytes:
    """Check what a holder shows (§3.4.7) with the issuer's `key`: the pseudonym, b"" where the feature has none.

    Raises:
        Malformed: those of `members.read` and `read_derived`; `di.suite`; `sd.label_map`, `sd.indexes`; `bbs.*`;
            `json.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `sd.base_proof`, `bbs2023.feature`,
            `bbs2023.presentation_header`, `bbs2023.nym_domain`, `bbs.proof`.
        Misuse: `bbs2023.no_domain`. Unavailable: `install.extra`.
    """
    _check_domain(feature, nym_domain)
    derived = read_derived(_read(document, proof, key, purpose, where), feature)
    if presentation_header not in (AS_SHOWN, derived.presentation_header):
        raise Refused("bbs2023.presentation_header", where=where, spec=_SPEC)
    if derived.nym_domain != nym_domain:
        raise Refused("bbs2023.nym_domain", where=where, spec=_SPEC)
    lines = selective.shown_lines(document, derived.labels, load, where)
    mandatory, rest = selective.divide(lines, derived.mandatory, where)
    header = _header(document, proof, mandatory, load)
    messages = [text.encode("utf-8") for text in rest]
    raw, made, ph, told = key.raw, derived.proof, derived.presentation_header, derived.selective
    if feature.named:
        domain = nym_domain.encode("utf-8")
        pseudonym.proof_verify(
            raw, made, header, ph, derived.pseudonym, domain, _NYMS, derived.length, told, messages, [], []
        )
    elif feature.bound:
        blind.proof_verify(raw, made, header, ph, derived.length, told, messages, [], [])
    else:
        core.proof_verify(raw, made, header, ph, told, messages)
    return derived.pseudonym


def mandatory_of(
    proof: Mapping[str, Any], where: str = "$.proof", *, feature: Feature = Feature.BASELINE
) -> tuple[str, ...]:
    """The mandatory JSON pointers of a base proof. Raises Malformed, Refused: those of `members.read`, `read_base`."""
    return read_base(members.read(proof, where), feature).mandatory


def _read(document: Mapping[str, Any], proof: Mapping[str, Any], key: PublicKey, purpose: str, where: str) -> Proof:
    read = members.read(proof, where)
    members.check(read, (SUITE,), purpose)
    if key.algorithm is not Algorithm.BBS:
        raise Refused("di.key_of_other_suite", where=where, spec=_SPEC, suite=read.suite, algorithm=key.algorithm.value)
    selective.check_context(document, proof, where)
    return read


def _check_holder(feature: Feature, holder: Holder | None) -> None:
    fits = (
        holder is None
        if feature is Feature.BASELINE
        else holder is not None and bool(holder.secret) is feature.bound and bool(holder.nym) is feature.named
    )
    if not fits:
        raise Misuse("bbs2023.holder", feature=feature.value)


def _check_domain(feature: Feature, nym_domain: str) -> None:
    if bool(nym_domain) is not feature.named:
        raise Misuse("bbs2023.no_domain", feature=feature.value)
