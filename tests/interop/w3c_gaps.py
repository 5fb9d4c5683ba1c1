"""What the peers of W3C credentials cannot do, or do in another way than the specifications say. Each is shown in
test_w3c_gaps.py."""

from __future__ import annotations

from typing import Final

BAZAAR: Final = "@digitalbazaar/vc"
OPENVC: Final = "openvc-core"
GAPS: Final[dict[tuple[str, str], str]] = {
    (BAZAAR, "base of bbs-2023"): "has no check of what an issuer signed, before something of it is shown",
    (BAZAAR, "base of ecdsa-sd-2023"):
        "names the nodes of the mandatory part apart from the others (confirm.js, step 4), so that it refuses its own "
        "now and then, where nodes have no names",
    (BAZAAR, "proof sets"): "is content with one good proof of several, where we want all (decision 231)",
    (BAZAAR, "small numbers"):
        "takes a number whose text has no point for an integer (jsonld.js, types.js: isDouble): 1e-7 is signed as 0",
    (BAZAAR, "text like a label"):
        "takes `_:` in a text for a node, where it hides (di-sd-primitives, canonicalize.js: a regular expression)",
    (BAZAAR, "lists in parts"): "gives lists an id before they are taken apart (skolemize.js)",
    (BAZAAR, "keywords in parts"): "gives maps of keywords an id before they are taken apart (skolemize.js)",
    (BAZAAR, "graphs in parts"): "has no labels for graphs without a name (createShuffledIdLabelMapFunction)",
    (OPENVC, "bbs-2023"): "has no such suite",
    (OPENVC, "arrays"): "points into no arrays (ecdsa_sd.py: `array-index JSON pointers are not yet supported`)",
    (OPENVC, "nodes without names"):
        "loses their statements when it derives, its own too (ecdsa_sd.py: pyld names the nodes anew)",
    (OPENVC, "issue by JCS"):
        "leaves `@context` out of the proof that it signed with it, where DI EdDSA 1.0 and DI ECDSA 1.0 §3.3.1 have it",
    (OPENVC, "P-384"):
        "names nodes by SHA-256 for keys on P-384 too (pyld knows no other), where DI ECDSA 1.0 §3.2.3 has SHA-384",
    (OPENVC, "contexts inside"): "takes contexts by their URLs alone (_context_validation.py)",
    (OPENVC, "control characters"): "does not escape them (pyld: URDNA2015), where RDFC-1.0 §5 does",
    (OPENVC, "context of VP-JWT"): "presents by the JWT encoding of VCDM 1.1 with the context of VCDM 2.0",
    (OPENVC, "line separators"): "ends statements at U+0085 and U+2028, where it hides (pyld: parse_nquads)",
    (OPENVC, "directions"): "drops base directions (pyld without `rdfDirection`): they are not signed",
}  # fmt: skip
