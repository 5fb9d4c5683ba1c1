"""Other people's software in the three roles: issuer, holder, verifier. What a peer refuses comes out as `No`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

FOLDER = Path(__file__).parent
Claims = Mapping[str, Any]
Jwk = Mapping[str, str]
Token = str | Mapping[str, Any]
"""Compact, or an object in a JSON serialisation."""


class No(Exception):
    """The peer refused, in its own words."""


class Peer(Protocol):
    """`hide` and `show` are trees of names (and indices) whose leaves are True; `""` beside names means the whole too.
    Binding is verified where `audience` and `nonce` are given."""

    name: str

    def issue(self, claims: Claims, hide: Claims, key: Jwk, cnf: Jwk, *, alg: str, header: Claims) -> str: ...
    def present(self, token: str, show: Claims, key: Jwk, *, alg: str, audience: str, nonce: str, at: int) -> str: ...
    def verify(self, token: Token, issuer: Jwk, *, alg: str, audience: str, nonce: str, at: int) -> Claims: ...


class PyPi:
    """PyPI `sd-jwt`: it knows no `dc+sd-jwt` (the type is handed in as a header), takes the time from the clock for the
    binding that it signs (set here), and looks at no time when it verifies."""

    name = "sd-jwt"

    def issue(
        self, claims: Claims, hide: Claims, key: Jwk, cnf: Jwk, *, alg: str, header: Claims, decoys: bool = False,
        form: str = "compact",
    ) -> str:  # fmt: skip
        made = SDJWTIssuer(
            marked(claims, hide), JWK(**key), JWK(**cnf), sign_alg=alg, add_decoy_claims=decoys,
            serialization_format=form, extra_header_parameters={"typ": "dc+sd-jwt", **header},
        )  # fmt: skip
        return str(made.sd_jwt_issuance)

    def present(
        self, token: str, show: Claims, key: Jwk, *, alg: str, audience: str, nonce: str, at: int,
        form: str = "compact",
    ) -> str:  # fmt: skip
        holder = SDJWTHolder(token, serialization_format=form)
        with mock.patch("sd_jwt.holder.time", return_value=at):  # a slow run must not outlast the window of a binding
            holder.create_presentation(listed(show), nonce, audience, JWK(**key), sign_alg=alg)
        return str(holder.sd_jwt_presentation)

    def verify(self, token: Token, issuer: Jwk, *, alg: str, audience: str, nonce: str, at: int) -> Claims:
        text, form = (token, "compact") if isinstance(token, str) else (json.dumps(token), "json")
        try:
            found = SDJWTVerifier(text, lambda _issuer, _header: JWK(**issuer), audience or None, nonce or None, form)
            payload: Claims = found.get_verified_payload()
        except Exception as error:  # it has no exceptions of its own
            raise No(f"{type(error).__name__}: {error}") from error
        return payload


def marked(claims: Any, hide: Any) -> Any:
    """`claims` with an SDObj wherever `hide` says True, or has more to say inside something hidden (`""`)."""
    if isinstance(claims, list):
        return [SDObj(item) if hide.get(str(n)) is True else item for n, item in enumerate(claims)]
    made: dict[Any, Any] = {}
    for name, value in claims.items():
        rule = hide.get(name)
        inner = marked(value, rule) if isinstance(rule, dict) else value
        made[SDObj(name) if rule is True or (isinstance(rule, dict) and rule.get("") is True) else name] = inner
    return made


def listed(show: Any) -> Any:
    """`show` with lists where it has indices."""
    if not isinstance(show, Mapping):
        return show
    if show and all(name.isdigit() for name in show):
        return [show.get(str(n), False) for n in range(max(map(int, show)) + 1)]
    return {name: listed(value) for name, value in show.items()}


class Npm:
    """`peers.mjs` with one of the npm peers; one process for all."""

    def __init__(self, node: Node, kind: str, name: str) -> None:
        self.node, self.kind, self.name = node, kind, name

    def issue(
        self, claims: Claims, hide: Claims, key: Jwk, cnf: Jwk, *, alg: str, header: Claims, hash: str = "sha-256"
    ) -> str:
        header = {"typ": "dc+sd-jwt", **header} if self.kind == "core" else header
        claims = {**claims, "cnf": {"jwk": cnf}}
        made = self.node.ask(
            op="issue", peer=self.kind, alg=alg, hash=hash, issuer=key, claims=claims, frame=framed(hide), header=header
        )
        return str(made)

    def present(self, token: str, show: Claims, key: Jwk, *, alg: str, audience: str, nonce: str, at: int) -> str:
        kb = {"iat": at, "aud": audience, "nonce": nonce}
        return str(self.node.ask(op="present", peer=self.kind, alg=alg, holder=key, token=token, frame=show, kb=kb))

    def verify(self, token: Token, issuer: Jwk, *, alg: str, audience: str, nonce: str, at: int) -> Claims:
        found = self.node.ask(op="verify", peer=self.kind, alg=alg, issuer=issuer, token=token, nonce=nonce, at=at)
        if nonce and found["kb"] is None:
            raise No("no key binding")
        payload: Claims = found["payload"]
        return payload

    def flatten(self, token: str) -> Claims:
        made: Claims = self.node.ask(op="flatten", peer=self.kind, alg="ES256", token=token)
        return made


def framed(hide: Any) -> dict[str, Any]:
    """`hide` in the form of @sd-jwt: `_sd` lists what is hidden."""
    made: dict[str, Any] = {}
    hidden = [name for name, rule in hide.items() if rule is True or (isinstance(rule, dict) and rule.get("") is True)]
    if hidden := [name for name in hidden if name]:
        made["_sd"] = [int(name) if name.isdigit() else name for name in hidden]
    made.update({name: framed(rule) for name, rule in hide.items() if isinstance(rule, dict)})
    return made


class Node:
    """A Node process that runs `script`."""

    def __init__(self, script: str = "peers.mjs") -> None:
        node = shutil.which("node")
        assert node, "node is not on the path"
        assert (FOLDER / "node_modules").is_dir(), "npm packages are absent: make interop"
        self.process = subprocess.Popen(
            [node, str(FOLDER / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, **request: Any) -> Any:
        """One operation.

        Raises:
            No: the peer threw.
        """
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the node process ended (status {self.process.poll()})"
        answer = json.loads(line)
        if "refused" in answer:
            raise No(answer["refused"])
        return answer["value"]

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
