"""SD-JWT VC type metadata (draft-ietf-oauth-sd-jwt-vc §5): what a `vct` means, how it looks, which claims it has.

Wallets and desks read it; `verify` never fetches it, because a fetch at presentation time tells the issuer who is being
shown what. A document is used only when the whole `extends` chain was read and every integrity value held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from cityid import limits
from cityid.credential import Credential, CredentialType
from cityid.credential_type import Path
from cityid.encoding import json
from cityid.encoding.integrity import check_integrity
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.jose.sd_jwt import SdJwt
from cityid.plan import Request, Steps, plan

SdRule = Literal["always", "allowed", "never"]

_SVG_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A language, or the `x-` and `i-` tags of RFC 5646 §2.1.
_LOCALE: Final = re.compile(r"(?:[A-Za-z]{2,8}|[IXix](?=-))(?:-[A-Za-z0-9]{1,8})*")
_NO_DOCUMENTS: Final[Mapping[str, bytes]] = MappingProxyType({})
_ORIENTATION: Final = {
    "orientation": ("portrait", "landscape"),
    "color_scheme": ("light", "dark"),
    "contrast": ("normal", "high"),
}


@dataclass(frozen=True, slots=True)
class Image:
    """A logo or background (§5.5.1.1): `uri` is https or data."""

    uri: str
    integrity: str | None = None
    alt_text: str | None = None


@dataclass(frozen=True, slots=True)
class SvgTemplate:
    """Where an SVG template lies (§5.5.1.2), and for which display it is made."""

    uri: str
    integrity: str | None
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Display:
    """How a type is called and drawn in one locale (§5.5)."""

    locale: str
    name: str
    description: str | None = None
    logo: Image | None = None
    background_image: Image | None = None
    background_color: str | None = None
    text_color: str | None = None
    svg_templates: tuple[SvgTemplate, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimDisplay:
    """How a claim is called in one locale (§5.6.2)."""

    locale: str
    label: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimMetadata:
    """What is said of one claim path (§5.6). `stated` are the members that the document itself has: a child's replace
    the parent's one by one, and what it leaves out is inherited."""

    path: Path
    display: tuple[ClaimDisplay, ...] = ()
    mandatory: bool = False
    sd: SdRule = "allowed"
    svg_id: str | None = None
    stated: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class TypeMetadata:
    """One document, or (`extends` is None, or was followed) the whole of a chain. `chain` are the types it was made
    from, own first."""

    vct: str
    name: str | None
    description: str | None
    extends: str | None
    extends_integrity: str | None
    display: tuple[Display, ...] | None
    claims: tuple[ClaimMetadata, ...]
    chain: tuple[str, ...]


def read(document: bytes, vct: str) -> TypeMetadata:
    """The type metadata in `document`, which must be that of `vct`. Unknown members are ignored (§5.2).

    Raises:
        Malformed: `json.*`, `type_metadata.*`.
    """
    top = Fields(json.read_object(document, where="$"), "$")
    found = top.text("vct")
    if found != vct:
        raise Malformed("type_metadata.vct", where="$.vct", spec="SD-JWT VC §5.2", expected=vct, found=found)
    extends = top.optional_text("extends")
    claims = [_claim(item) for item in _items(top, "claims")]
    _unique((claim.path for claim in claims), "type_metadata.path_twice", "$.claims")
    _unique((claim.svg_id for claim in claims if claim.svg_id), "type_metadata.svg_id_twice", "$.claims")
    return TypeMetadata(
        found,
        top.optional_text("name"),
        top.optional_text("description"),
        extends,
        top.optional_text("extends#integrity"),
        _displays(top) if "display" in top else None,
        tuple(claims),
        (found,),
    )


def _unique(values: Iterable[object], code: str, where: str) -> None:
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise Malformed(code, where=where, spec="SD-JWT VC §5.6")


def _items(fields: Fields, name: str) -> list[Fields]:
    return [Fields(item, f"{fields.at(name)}[{n}]") for n, item in enumerate(fields.optional_array(name) or ())]


def _locale(fields: Fields) -> str:
    locale = fields.text("locale")
    if not _LOCALE.fullmatch(locale):
        raise Malformed("type_metadata.locale", where=fields.at("locale"), spec="RFC 5646 §2.1", found=locale)
    return locale


def _displays(top: Fields) -> tuple[Display, ...]:
    displays = tuple(_display(item) for item in _items(top, "display"))
    _unique((display.locale.lower() for display in displays), "type_metadata.locale_twice", "$.display")
    return displays


def _display(fields: Fields) -> Display:
    rendering = fields.fields("rendering") if "rendering" in fields else Fields({}, fields.at("rendering"))
    simple = rendering.fields("simple") if "simple" in rendering else Fields({}, rendering.at("simple"))
    templates = [_template(item) for item in _items(rendering, "svg_templates")]
    if len(templates) > 1 and not all(template.properties for template in templates):
        raise Malformed(
            "type_metadata.template_properties", where=rendering.at("svg_templates"), spec="SD-JWT VC §5.5.1.2"
        )
    return Display(
        _locale(fields),
        fields.text("name"),
        fields.optional_text("description"),
        _image(simple, "logo"),
        _image(simple, "background_image"),
        simple.optional_text("background_color"),
        simple.optional_text("text_color"),
        tuple(templates),
    )


def _image(simple: Fields, name: str) -> Image | None:
    if name not in simple:
        return None
    fields = simple.fields(name)
    return Image(_uri(fields), fields.optional_text("uri#integrity"), fields.optional_text("alt_text"))


def _uri(fields: Fields) -> str:
    uri = fields.text("uri")
    if not uri.startswith(("https://", "data:")):
        raise Malformed("type_metadata.uri", where=fields.at("uri"), spec="SD-JWT VC §5.5.1", found=uri)
    return uri


def _template(fields: Fields) -> SvgTemplate:
    properties: dict[str, str] = {}
    if "properties" in fields:
        given = fields.fields("properties")
        for name, allowed in _ORIENTATION.items():
            value = given.optional_text(name)
            if value is None:
                continue
            if value not in allowed:
                raise Malformed("type_metadata.property", where=given.at(name), spec="SD-JWT VC §5.5.1.2", found=value)
            properties[name] = value
        if not properties:
            raise Malformed("type_metadata.template_properties", where=given.where, spec="SD-JWT VC §5.5.1.2")
    return SvgTemplate(_uri(fields), fields.optional_text("uri#integrity"), MappingProxyType(properties))


def _claim(fields: Fields) -> ClaimMetadata:
    sd = fields.optional_text("sd")
    if sd not in (None, "always", "allowed", "never"):
        raise Malformed("type_metadata.sd", where=fields.at("sd"), spec="SD-JWT VC §5.6", found=str(sd))
    svg_id = fields.optional_text("svg_id")
    if svg_id is not None and not _SVG_ID.fullmatch(svg_id):
        raise Malformed("type_metadata.svg_id", where=fields.at("svg_id"), spec="SD-JWT VC §5.6", found=svg_id)
    labels = tuple(
        ClaimDisplay(_locale(item), item.text("label"), item.optional_text("description"))
        for item in (
            Fields(raw, f"{fields.at('display')}[{n}]") for n, raw in enumerate(fields.optional_array("display") or ())
        )
    )
    _unique((label.locale.lower() for label in labels), "type_metadata.locale_twice", fields.at("display"))
    return ClaimMetadata(
        _path(fields),
        labels,
        fields.optional_boolean("mandatory") or False,
        cast("SdRule", sd or "allowed"),
        svg_id,
        frozenset(name for name in ("display", "mandatory", "sd", "svg_id") if name in fields),
    )


def _path(fields: Fields) -> Path:
    path = fields.array("path")
    for step in path:
        if not (step is None or isinstance(step, str) or (type(step) is int and step >= 0)):
            raise Malformed("type_metadata.path_step", where=fields.at("path"), spec="SD-JWT VC §5.6.1")
    if not path:
        raise Malformed("type_metadata.path_step", where=fields.at("path"), spec="SD-JWT VC §5.6.1")
    return tuple(path)


# -- extends (§5.4) --


def merge(child: TypeMetadata, parent: TypeMetadata) -> TypeMetadata:
    """`child` completed by the type that it extends: its own display replaces the parent's altogether; of a claim path
    that both know, each member that the child states replaces the parent's (§5.4).

    Raises:
        Refused: `type_metadata.sd_changed`, `type_metadata.mandatory_changed`: a child may narrow and nothing else.
        Malformed: `type_metadata.svg_id_twice`.
    """
    own = {claim.path: claim for claim in child.claims}
    claims = [_inherit(own.pop(claim.path, None), claim) for claim in parent.claims]
    claims.extend(own.values())
    _unique((claim.svg_id for claim in claims if claim.svg_id), "type_metadata.svg_id_twice", "$.claims")
    return replace(
        child,
        extends=None,
        extends_integrity=None,
        display=parent.display if child.display is None else child.display,
        claims=tuple(claims),
        chain=child.chain + parent.chain,
    )


def _inherit(child: ClaimMetadata | None, parent: ClaimMetadata) -> ClaimMetadata:
    if child is None:
        return parent
    # "allowed", said aloud, over the parent's "always" is a change too.
    if "sd" in child.stated and parent.sd != "allowed" and child.sd != parent.sd:
        raise Refused(
            "type_metadata.sd_changed",
            spec="SD-JWT VC §5.6.4",
            path=_told(child.path),
            parent=parent.sd,
            child=child.sd,
        )
    if "mandatory" in child.stated and parent.mandatory and not child.mandatory:
        raise Refused("type_metadata.mandatory_changed", spec="SD-JWT VC §5.6.5.1", path=_told(child.path))
    said = {name: getattr(child, name) for name in child.stated}
    return replace(parent, stated=parent.stated | child.stated, **said)


def _told(path: Path) -> str:
    return "".join(f".{step}" if isinstance(step, str) else f"[{'' if step is None else step}]" for step in path)[1:]


@plan
def fetch(vct: str, integrity: str | None = None, known: Mapping[str, bytes] = _NO_DOCUMENTS) -> Steps[TypeMetadata]:
    """The whole type metadata of `vct`: its document and every type it extends. `integrity` is the credential's
    `vct#integrity`; `known` are documents at hand, by type, which need no network.

    Raises (when run):
        Malformed: `json.*`, `type_metadata.*` (`cycle` and `too_deep` among them), `integrity.*`.
        Refused: `integrity.*`, `type_metadata.*_changed`.
        Unavailable: `type_metadata.no_place`, `type_metadata.status`, `net.*`: metadata that cannot be had is never
            taken for empty.
    """
    documents: list[TypeMetadata] = []
    wanted: str | None = vct
    while wanted is not None:
        if any(document.vct == wanted for document in documents):
            raise Malformed("type_metadata.cycle", spec="SD-JWT VC §7.4", vct=wanted)
        if len(documents) == limits.EXTENDS:
            raise Malformed("type_metadata.too_deep", spec="SD-JWT VC §7.4", limit=limits.EXTENDS)
        body = known.get(wanted)
        if body is None:
            body = yield from _retrieve(wanted)
        if integrity is not None:
            check_integrity(body, integrity, where=wanted)
        document = read(body, wanted)
        documents.append(document)
        wanted, integrity = document.extends, document.extends_integrity
    whole = documents.pop()
    while documents:
        whole = merge(documents.pop(), whole)
    return whole


def _retrieve(vct: str) -> Steps[bytes]:
    """The document at an https `vct`, fetched as it is (§5.3.1): nothing is inserted into the address."""
    if not vct.startswith("https://"):
        raise Unavailable("type_metadata.no_place", spec="SD-JWT VC §5.3", vct=vct)
    response = yield Request(
        "GET", vct, {"accept": "application/json"}, redirects=limits.REDIRECTS, limit=limits.DOCUMENT
    )
    if response.status != 200:
        raise Unavailable("type_metadata.status", spec="SD-JWT VC §3", vct=vct, status=response.status)
    return response.body


# -- what the metadata says about one credential (§5.6) --


def select(credential: Credential, path: Path) -> tuple[tuple[Path, Any], ...]:
    """What `path` selects: (issued path, value) of each. Indices count elements as issued, hidden ones too; nothing
    selected is no error (§5.6.1.2).

    Raises:
        Refused: `type_metadata.path`, where a step meets a value of the wrong kind.
    """
    # `claims` lacks cnf and status, and a type may say something of them too.
    state = credential.state
    found: list[tuple[Path, Any]] = [((), state.payload if isinstance(state, SdJwt) else credential.claims)]
    for step in path:
        inner: list[tuple[Path, Any]] = []
        for at, value in found:
            if isinstance(step, str) and isinstance(value, Mapping):
                inner += [((*at, step), value[step])] if step in value else []
            elif not isinstance(step, str) and isinstance(value, list):
                issued = credential.positions.get(at, range(len(value)))
                inner += [((*at, n), item) for n, item in zip(issued, value, strict=True) if step is None or step == n]
            else:
                raise Refused("type_metadata.path", spec="SD-JWT VC §5.6.1", path=_told(path))
        found = inner
    return tuple(found)


def violations(metadata: TypeMetadata, credential: Credential, *, all_disclosed: bool) -> tuple[Problem, ...]:
    """Where `credential` departs from its type (§5.6); any of them means that it must be refused.

    `all_disclosed` is for the holder, who has every disclosure. Whoever is shown a part cannot tell a claim that was
    not shown from one that was not issued: for them a mandatory claim is absent only where no digest could be it.
    """
    problems: list[Problem] = []
    for claim in metadata.claims:
        told = {"path": _told(claim.path)}
        try:
            selected = select(credential, claim.path)
        except Refused as error:
            problems.append(error.problem)
            continue
        kept_back = not all_disclosed and _kept_back(credential, claim.path)
        if claim.mandatory and not selected and (all_disclosed or _absent(credential, claim.path)):
            problems.append(Problem("type_metadata.mandatory", told, "", "SD-JWT VC §5.6.3"))
        if claim.sd == "always" and any(at not in credential.hidden for at, _ in selected):
            problems.append(Problem("type_metadata.not_hideable", told, "", "SD-JWT VC §5.6.4"))
        if claim.sd == "never" and (kept_back or any(at in credential.hidden for at, _ in selected)):
            problems.append(Problem("type_metadata.hideable", told, "", "SD-JWT VC §5.6.4"))
    return tuple(problems)


def _kept_back(credential: Credential, path: Path) -> bool:
    """Does `path` select an array element that was issued and not disclosed? It is hideable then, and there."""
    last = path[-1]
    for array, _ in select(credential, path[:-1]):
        kept = credential.positions.get(array)
        if kept is None or isinstance(last, str):
            continue
        if last is None or (last not in kept and last < max(kept, default=0)):
            return True
    return False


def _absent(credential: Credential, path: Path) -> bool:
    """Is it certain that nothing was issued at `path`: has none of the objects and arrays on the way a digest?"""
    if not isinstance(credential.state, SdJwt):
        return False
    carriers = credential.state.processed.carriers
    return not any(
        len(carrier) < len(path) and all(step in (None, at) for step, at in zip(path, carrier, strict=False))
        for carrier in carriers
    )


def display(metadata: TypeMetadata, locales: Sequence[str]) -> Display | None:
    """The display for the reader's languages, best first (RFC 4647 §3.4 lookup); otherwise the first one."""
    found = _look_up([item.locale for item in metadata.display or ()], locales)
    return None if found is None or metadata.display is None else metadata.display[found]


def label(claim: ClaimMetadata, locales: Sequence[str]) -> ClaimDisplay | None:
    """The label of a claim, chosen as `display` chooses."""
    found = _look_up([item.locale for item in claim.display], locales)
    return None if found is None else claim.display[found]


def _look_up(offered: Sequence[str], locales: Sequence[str]) -> int | None:
    there = [locale.lower() for locale in offered]
    for locale in locales:
        wanted = locale.lower()
        while wanted:
            if wanted in there:
                return there.index(wanted)
            # A reader of "de" is served by "de-DE" where there is no plain "de".
            longer = [index for index, found in enumerate(there) if found.startswith(f"{wanted}-")]
            if longer:
                return longer[0]
            wanted = wanted.rpartition("-")[0]
    return 0 if there else None


def svg_values(metadata: TypeMetadata, credential: Credential, absent: str = "") -> Mapping[str, str]:
    """The text for each `svg_id` of the type (§5.5.1.2): known and not disclosed is `absent`. For
    `cityid.formats.svg_template.render`, which escapes it.

    Raises:
        Refused: `type_metadata.path`.
    """
    values = {}
    for claim in metadata.claims:
        if claim.svg_id is not None:
            texts = [_text(value) for _, value in select(credential, claim.path)]
            values[claim.svg_id] = ", ".join(text for text in texts if text) or absent
    return MappingProxyType(values)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return json.write(value).decode("utf-8") if isinstance(value, bool | int | float) else ""


# -- ours --


def generate(type: CredentialType) -> bytes:
    """The type metadata document of one of our types, for wallets: every locale, and what may be hidden."""
    names = type.names["dc+sd-jwt"]
    colours = {
        "background_color": names.get("background_color", "#1d3557"),
        "text_color": names.get("text_color", "#ffffff"),
    }
    document = {
        "vct": names["vct"],
        "name": type.title.get("en", type.id),
        "display": [
            {"locale": locale, "name": title, "rendering": {"simple": colours}} for locale, title in type.title.items()
        ],
        "claims": [
            {
                "path": list(rule.path),
                "display": [{"locale": locale, "label": label} for locale, label in rule.labels.items()],
                "mandatory": rule.required,
                "sd": "always" if rule.hideable else "never",
                **({"svg_id": svg_id} if (svg_id := _svg_id(rule.path)) else {}),
            }
            for rule in type.claims.values()
        ],
    }
    return json.write(document)


def _svg_id(path: Path) -> str | None:
    """A name that a template can use for a claim that is one value."""
    joined = "_".join(step for step in path if isinstance(step, str))
    return joined if len(path) == sum(isinstance(step, str) for step in path) and _SVG_ID.fullmatch(joined) else None
