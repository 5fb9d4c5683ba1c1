"""Proofs and keys: Data Integrity, its suites, and the vocabularies before it."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "https://w3id.org/security/v1": """
id = @id
type = @type
dc = http://purl.org/dc/terms/
sec = https://w3id.org/security#
xsd = http://www.w3.org/2001/XMLSchema#
EcdsaKoblitzSignature2016 = sec:EcdsaKoblitzSignature2016
Ed25519Signature2018 = sec:Ed25519Signature2018
EncryptedMessage = sec:EncryptedMessage
GraphSignature2012 = sec:GraphSignature2012
LinkedDataSignature2015 = sec:LinkedDataSignature2015
LinkedDataSignature2016 = sec:LinkedDataSignature2016
CryptographicKey = sec:Key
authenticationTag = sec:authenticationTag
canonicalizationAlgorithm = sec:canonicalizationAlgorithm
cipherAlgorithm = sec:cipherAlgorithm
cipherData = sec:cipherData
cipherKey = sec:cipherKey
created dc:created type=xsd:dateTime
creator dc:creator type=@id
digestAlgorithm = sec:digestAlgorithm
digestValue = sec:digestValue
domain = sec:domain
encryptionKey = sec:encryptionKey
expiration sec:expiration type=xsd:dateTime
expires sec:expiration type=xsd:dateTime
initializationVector = sec:initializationVector
iterationCount = sec:iterationCount
nonce = sec:nonce
normalizationAlgorithm = sec:normalizationAlgorithm
owner sec:owner type=@id
password = sec:password
privateKey sec:privateKey type=@id
privateKeyPem = sec:privateKeyPem
publicKey sec:publicKey type=@id
publicKeyBase58 = sec:publicKeyBase58
publicKeyPem = sec:publicKeyPem
publicKeyWif = sec:publicKeyWif
publicKeyService sec:publicKeyService type=@id
revoked sec:revoked type=xsd:dateTime
salt = sec:salt
signature = sec:signature
signatureAlgorithm = sec:signingAlgorithm
signatureValue = sec:signatureValue
""",
    "https://w3id.org/security/v2": """
@version 1.1
---
<https://www.w3.org/2018/credentials/security/v1>
---
Ed25519Signature2018 = sec:Ed25519Signature2018
Ed25519VerificationKey2018 = sec:Ed25519VerificationKey2018
EquihashProof2018 = sec:EquihashProof2018
RsaSignature2018 = sec:RsaSignature2018
RsaVerificationKey2018 = sec:RsaVerificationKey2018
allowedAction = sec:allowedAction
assertionMethod sec:assertionMethod type=@id container=@set
authentication sec:authenticationMethod type=@id container=@set
capability sec:capability type=@id
capabilityAction = sec:capabilityAction
capabilityChain sec:capabilityChain type=@id container=@list
capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
caveat sec:caveat type=@id container=@set
challenge = sec:challenge
controller sec:controller type=@id
delegator sec:delegator type=@id
equihashParameterK sec:equihashParameterK type=xsd:integer
equihashParameterN sec:equihashParameterN type=xsd:integer
invocationTarget sec:invocationTarget type=@id
invoker sec:invoker type=@id
jws = sec:jws
keyAgreement sec:keyAgreementMethod type=@id container=@set
parentCapability sec:parentCapability type=@id
proof sec:proof type=@id container=@graph
proofPurpose sec:proofPurpose type=@vocab
proofValue = sec:proofValue
verificationMethod sec:verificationMethod type=@id
""",
    "https://w3id.org/security/data-integrity/v1": """
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
id = @id
type = @type
@protected true
proof sec:proof type=@id container=@graph
DataIntegrityProof sec:DataIntegrityProof
  @protected true
  id = @id
  type = @type
  challenge = sec:challenge
  created http://purl.org/dc/terms/created type=xsd:dateTime
  domain = sec:domain
  expires sec:expiration type=xsd:dateTime
  nonce = sec:nonce
  proofPurpose sec:proofPurpose type=@vocab
    @protected true
    id = @id
    type = @type
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
    capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
    capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
    keyAgreement sec:keyAgreementMethod type=@id container=@set
  cryptosuite = sec:cryptosuite
  proofValue sec:proofValue type=sec:multibase
  verificationMethod sec:verificationMethod type=@id
""",
    "https://w3id.org/security/data-integrity/v2": """
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
id = @id
type = @type
@protected true
proof sec:proof type=@id container=@graph
DataIntegrityProof sec:DataIntegrityProof
  @protected true
  id = @id
  type = @type
  challenge = sec:challenge
  created http://purl.org/dc/terms/created type=xsd:dateTime
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
    capabilityInvocation sec:capabilityInvocationMethod type=@id container=@set
    capabilityDelegation sec:capabilityDelegationMethod type=@id container=@set
    keyAgreement sec:keyAgreementMethod type=@id container=@set
  cryptosuite sec:cryptosuite type=sec:cryptosuiteString
  proofValue sec:proofValue type=sec:multibase
  verificationMethod sec:verificationMethod type=@id
""",
    "https://w3id.org/security/multikey/v1": """
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
id = @id
type = @type
@protected true
Multikey sec:Multikey
  @protected true
  id = @id
  type = @type
  controller sec:controller type=@id
  revoked sec:revoked type=xsd:dateTime
  expires sec:expiration type=xsd:dateTime
  publicKeyMultibase sec:publicKeyMultibase type=sec:multibase
  secretKeyMultibase sec:secretKeyMultibase type=sec:multibase
""",
    "https://w3id.org/security/jwk/v1": """
prefix sec https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
id = @id
type = @type
@protected true
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
    "https://w3id.org/security/suites/ed25519-2020/v1": """
prefix sec https://w3id.org/security#
@protected true
id = @id
type = @type
Ed25519VerificationKey2020 sec:Ed25519VerificationKey2020
  publicKeyMultibase = sec:publicKeyMultibase
Ed25519Signature2020 sec:Ed25519Signature2020
  verificationMethod sec:verificationMethod type=@id
  proofPurpose sec:proofPurpose type=@vocab
    assertionMethod sec:assertionMethod type=@id container=@set
    authentication sec:authenticationMethod type=@id container=@set
  domain = sec:domain
  challenge = sec:challenge
  nonce = sec:nonce
  created http://purl.org/dc/terms/created type=http://www.w3.org/2001/XMLSchema#dateTime
  signature sec:proofValue
  proofValue sec:proofValue type=sec:multibase
""",
    "https://w3id.org/security/bbs/v1": """
prefix dc http://purl.org/dc/terms/
prefix sec_ https://w3id.org/security#
prefix xsd http://www.w3.org/2001/XMLSchema#
@version 1.1
id = @id
type = @type
BbsBlsSignature2020 sec_:BbsBlsSignature2020
  @version 1.1
  @protected true
  id = @id
  type = @type
  challenge = sec_:challenge
  created dc:created type=xsd:dateTime
  domain = sec_:domain
  proofValue = sec_:proofValue
  nonce = sec_:nonce
  proofPurpose sec_:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    assertionMethod sec_:assertionMethod type=@id container=@set
    authentication sec_:authenticationMethod type=@id container=@set
  verificationMethod sec_:verificationMethod type=@id
BbsBlsSignatureProof2020 sec_:BbsBlsSignatureProof2020
  @version 1.1
  @protected true
  id = @id
  type = @type
  challenge = sec_:challenge
  created dc:created type=xsd:dateTime
  domain = sec_:domain
  nonce = sec_:nonce
  proofPurpose sec_:proofPurpose type=@vocab
    @version 1.1
    @protected true
    id = @id
    type = @type
    sec = https://w3id.org/security#
    assertionMethod sec_:assertionMethod type=@id container=@set
    authentication sec_:authenticationMethod type=@id container=@set
  proofValue = sec_:proofValue
  verificationMethod sec_:verificationMethod type=@id
Bls12381G1Key2020 sec_:Bls12381G1Key2020
  @protected true
  id = @id
  type = @type
  controller sec_:controller type=@id
  revoked sec_:revoked type=xsd:dateTime
  publicKeyBase58 sec_:publicKeyBase58
Bls12381G2Key2020 sec_:Bls12381G2Key2020
  @protected true
  id = @id
  type = @type
  controller sec_:controller type=@id
  revoked sec_:revoked type=xsd:dateTime
  publicKeyBase58 sec_:publicKeyBase58
""",
}
