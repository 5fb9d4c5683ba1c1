"""The credential data model, versions 1 and 2, with what its examples use."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "https://www.w3.org/2018/credentials/v1": """
prefix cred_ https://www.w3.org/2018/credentials#
prefix dc http://purl.org/dc/terms/
prefix sec_ https://w3id.org/security#
prefix xsd_ http://www.w3.org/2001/XMLSchema#
@version 1.1
@protected true
id = @id
type = @type
VerifiableCredential cred_:VerifiableCredential
  @version 1.1
  @protected true
  id = @id
  type = @type
  cred = https://www.w3.org/2018/credentials#
  sec = https://w3id.org/security#
  xsd = http://www.w3.org/2001/XMLSchema#
  credentialSchema cred:credentialSchema type=@id
    @version 1.1
    @protected true
    id = @id
    type = @type
    cred = https://www.w3.org/2018/credentials#
    JsonSchemaValidator2018 = cred:JsonSchemaValidator2018
  credentialStatus cred:credentialStatus type=@id
  credentialSubject cred:credentialSubject type=@id
  evidence cred:evidence type=@id
  expirationDate cred:expirationDate type=xsd:dateTime
  holder cred:holder type=@id
  issued cred:issued type=xsd:dateTime
  issuer cred:issuer type=@id
  issuanceDate cred:issuanceDate type=xsd:dateTime
  proof sec:proof type=@id container=@graph
  refreshService cred:refreshService type=@id
    @version 1.1
    @protected true
    id = @id
    type = @type
    cred = https://www.w3.org/2018/credentials#
    ManualRefreshService2018 = cred:ManualRefreshService2018
  termsOfUse cred:termsOfUse type=@id
  validFrom cred:validFrom type=xsd:dateTime
  validUntil cred:validUntil type=xsd:dateTime
VerifiablePresentation cred_:VerifiablePresentation
  @version 1.1
  @protected true
  id = @id
  type = @type
  cred = https://www.w3.org/2018/credentials#
  sec = https://w3id.org/security#
  holder cred:holder type=@id
  proof sec:proof type=@id container=@graph
  verifiableCredential cred:verifiableCredential type=@id container=@graph
EcdsaSecp256k1Signature2019 sec_:EcdsaSecp256k1Signature2019
  @version 1.1
  @protected true
  id = @id
  type = @type
  sec = https://w3id.org/security#
  xsd = http://www.w3.org/2001/XMLSchema#
  challenge = sec:challenge
  created dc:created type=xsd:dateTime
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  jws = sec:jws
  nonce = sec:nonce
  proofPurpose sec:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    sec = https://w3id.org/security#
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
  proofValue = sec:proofValue
  verificationMethod sec:verificationMethod type=@id
EcdsaSecp256r1Signature2019 sec_:EcdsaSecp256r1Signature2019
  @version 1.1
  @protected true
  id = @id
  type = @type
  sec = https://w3id.org/security#
  xsd = http://www.w3.org/2001/XMLSchema#
  challenge = sec:challenge
  created dc:created type=xsd:dateTime
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  jws = sec:jws
  nonce = sec:nonce
  proofPurpose sec:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    sec = https://w3id.org/security#
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
  proofValue = sec:proofValue
  verificationMethod sec:verificationMethod type=@id
Ed25519Signature2018 sec_:Ed25519Signature2018
  @version 1.1
  @protected true
  id = @id
  type = @type
  sec = https://w3id.org/security#
  xsd = http://www.w3.org/2001/XMLSchema#
  challenge = sec:challenge
  created dc:created type=xsd:dateTime
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  jws = sec:jws
  nonce = sec:nonce
  proofPurpose sec:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    sec = https://w3id.org/security#
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
  proofValue = sec:proofValue
  verificationMethod sec:verificationMethod type=@id
RsaSignature2018 sec_:RsaSignature2018
  @version 1.1
  @protected true
  challenge = sec:challenge
  created dc:created type=xsd:dateTime
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  jws = sec:jws
  nonce = sec:nonce
  proofPurpose sec:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    sec = https://w3id.org/security#
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
  proofValue = sec:proofValue
  verificationMethod sec:verificationMethod type=@id
proof sec_:proof type=@id container=@graph
""",
    "https://www.w3.org/ns/credentials/v2": """
prefix cred https://www.w3.org/2018/credentials#
prefix jose https://www.iana.org/assignments/jose#
prefix jwt https://www.iana.org/assignments/jwt#
prefix schema https://schema.org/
prefix sec https://w3id.org/security#
prefix status_ https://www.w3.org/ns/credentials/status#
prefix xsd http://www.w3.org/2001/XMLSchema#
@protected true
id = @id
type = @type
description = schema:description
digestMultibase sec:digestMultibase type=sec:multibase
digestSRI cred:digestSRI type=cred:sriString
mediaType schema:encodingFormat
name = schema:name
VerifiableCredential cred:VerifiableCredential
  @protected true
  id = @id
  type = @type
  confidenceMethod cred:confidenceMethod type=@id
  credentialSchema cred:credentialSchema type=@id
  credentialStatus cred:credentialStatus type=@id
  credentialSubject cred:credentialSubject type=@id
  description = schema:description
  evidence cred:evidence type=@id
  issuer cred:issuer type=@id
  name = schema:name
  proof sec:proof type=@id container=@graph
  refreshService cred:refreshService type=@id
  relatedResource cred:relatedResource type=@id
  renderMethod cred:renderMethod type=@id
  termsOfUse cred:termsOfUse type=@id
  validFrom cred:validFrom type=xsd:dateTime
  validUntil cred:validUntil type=xsd:dateTime
EnvelopedVerifiableCredential = cred:EnvelopedVerifiableCredential
VerifiablePresentation cred:VerifiablePresentation
  @protected true
  id = @id
  type = @type
  holder cred:holder type=@id
  proof sec:proof type=@id container=@graph
  termsOfUse cred:termsOfUse type=@id
  verifiableCredential cred:verifiableCredential type=@id container=@graph
    null
EnvelopedVerifiablePresentation = cred:EnvelopedVerifiablePresentation
JsonSchemaCredential = cred:JsonSchemaCredential
JsonSchema cred:JsonSchema
  @protected true
  id = @id
  type = @type
  jsonSchema cred:jsonSchema type=@json
BitstringStatusListCredential = status_:BitstringStatusListCredential
BitstringStatusList status_:BitstringStatusList
  @protected true
  id = @id
  type = @type
  encodedList status_:encodedList type=sec:multibase
  statusPurpose = status_:statusPurpose
  ttl = status_:ttl
BitstringStatusListEntry status_:BitstringStatusListEntry
  @protected true
  id = @id
  type = @type
  statusListCredential status_:statusListCredential type=@id
  statusListIndex = status_:statusListIndex
  statusPurpose = status_:statusPurpose
  statusMessage status_:statusMessage
    @protected true
    id = @id
    type = @type
    message = status_:message
    status = status_:status
  statusReference status_:statusReference type=@id
  statusSize status_:statusSize type=https://www.w3.org/2001/XMLSchema#integer
DataIntegrityProof sec:DataIntegrityProof
  @protected true
  id = @id
  type = @type
  challenge = sec:challenge
  created http://purl.org/dc/terms/created type=xsd:dateTime
  cryptosuite sec:cryptosuite type=sec:cryptosuiteString
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  nonce = sec:nonce
  previousProof sec:previousProof type=@id
  proofPurpose sec:proofPurpose type=@vocab
    @protected true
    id = @id
    type = @type
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
    capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
    capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
    keyAgreement sec:keyAgreementMethod type=@id container=@set
  proofValue sec:proofValue type=sec:multibase
  verificationMethod sec:verificationMethod type=@id
... jwt:...
_sd jwt:_sd type=@json
_sd_alg jwt:_sd_alg
aud jwt:aud type=@id
cnf jwt:cnf
  @protected true
  kid jwt:kid type=@id
  jwk jwt:jwk type=@json
exp jwt:exp type=https://www.w3.org/2001/XMLSchema#nonNegativeInteger
iat jwt:iat type=https://www.w3.org/2001/XMLSchema#nonNegativeInteger
iss jose:iss type=@id
jku jose:jku type=@id
kid jose:kid type=@id
nbf jwt:nbf type=https://www.w3.org/2001/XMLSchema#nonNegativeInteger
sub jose:sub type=@id
x5u jose:x5u type=@id
""",
    "https://www.w3.org/2018/credentials/examples/v1": """
@version 1.1
---
<https://www.w3.org/ns/odrl.jsonld>
---
ex = https://example.org/examples#
schema = http://schema.org/
rdf = http://www.w3.org/1999/02/22-rdf-syntax-ns#
3rdPartyCorrelation = ex:3rdPartyCorrelation
AllVerifiers = ex:AllVerifiers
Archival = ex:Archival
BachelorDegree = ex:BachelorDegree
Child = ex:Child
CLCredentialDefinition2019 = ex:CLCredentialDefinition2019
CLSignature2019 = ex:CLSignature2019
IssuerPolicy = ex:IssuerPolicy
HolderPolicy = ex:HolderPolicy
Mother = ex:Mother
RelationshipCredential = ex:RelationshipCredential
UniversityDegreeCredential = ex:UniversityDegreeCredential
AlumniCredential = ex:AlumniCredential
DisputeCredential = ex:DisputeCredential
PrescriptionCredential = ex:PrescriptionCredential
ZkpExampleSchema2018 = ex:ZkpExampleSchema2018
issuerData = ex:issuerData
attributes = ex:attributes
signature = ex:signature
signatureCorrectnessProof = ex:signatureCorrectnessProof
primaryProof = ex:primaryProof
nonRevocationProof = ex:nonRevocationProof
alumniOf schema:alumniOf type=rdf:HTML
child ex:child type=@id
degree = ex:degree
degreeType = ex:degreeType
degreeSchool = ex:degreeSchool
college = ex:college
name schema:name type=rdf:HTML
givenName = schema:givenName
familyName = schema:familyName
parent ex:parent type=@id
referenceId = ex:referenceId
documentPresence = ex:documentPresence
evidenceDocument = ex:evidenceDocument
spouse = schema:spouse
subjectPresence = ex:subjectPresence
verifier ex:verifier type=@id
currentStatus = ex:currentStatus
statusReason = ex:statusReason
prescription = ex:prescription
""",
    "https://www.w3.org/ns/credentials/examples/v2": """
@vocab = https://www.w3.org/ns/credentials/examples#
""",
    "https://www.w3.org/ns/credentials/undefined-terms/v2": """
@vocab = https://www.w3.org/ns/credentials/undefined-term#
""",
}
