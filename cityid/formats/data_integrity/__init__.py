"""`ldp_vc`: W3C credentials whose proof is inside them (VCDM 2.0 and 1.1 with Data Integrity 1.0; OpenID4VP B.1.3.2).

The proofs are `cityid.proofs`, the rules of the data model `_vcdm`. Here is what joins them to the jobs: which suite
signs a draft, what a suite lets a holder hide, and how a presentation is bound to a question.
"""

from __future__ import annotations

from cityid.formats.data_integrity.ldp_vc import LDP_VC as LDP_VC
