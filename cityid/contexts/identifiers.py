"""DID documents and controlled identifier documents."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "https://www.w3.org/ns/cid/v1": """
prefix did https://www.w3.org/ns/did#
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
id = @id
type = @type
alsoKnownAs https://www.w3.org/ns/activitystreams#alsoKnownAs type=@id
assertionMethod sec:assertionMethod type=@id container=@set
authentication sec:authenticationMethod type=@id container=@set
capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
controller sec:controller type=@id
keyAgreement sec:keyAgreementMethod type=@id container=@set
service did:service type=@id
  @protected true
  id = @id
  type = @type
  serviceEndpoint did:serviceEndpoint type=@id
verificationMethod sec:verificationMethod type=@id
Multikey sec:Multikey
  @protected true
  id = @id
  type = @type
  controller sec:controller type=@id
  revoked sec:revoked type=xsd:dateTime
  expires sec:expiration type=xsd:dateTime
  publicKeyMultibase sec:publicKeyMultibase type=sec:multibase
  secretKeyMultibase sec:secretKeyMultibase type=sec:multibase
JsonWebKey sec:JsonWebKey
  @protected true
  id = @id
  type = @type
  controller sec:controller type=@id
  revoked sec:revoked type=xsd:dateTime
  expires sec:expiration type=xsd:dateTime
  publicKeyJwk sec:publicKeyJwk type=@json
  secretKeyJwk sec:secretKeyJwk type=@json
""",
    "https://www.w3.org/ns/did/v1": """
prefix did https://www.w3.org/ns/did#
prefix sec https://w3id.org/security#
@protected true
id = @id
type = @type
alsoKnownAs https://www.w3.org/ns/activitystreams#alsoKnownAs type=@id
assertionMethod sec:assertionMethod type=@id container=@set
authentication sec:authenticationMethod type=@id container=@set
capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
controller sec:controller type=@id
keyAgreement sec:keyAgreementMethod type=@id container=@set
service did:service type=@id
  @protected true
  id = @id
  type = @type
  serviceEndpoint did:serviceEndpoint type=@id
verificationMethod sec:verificationMethod type=@id
""",
}
