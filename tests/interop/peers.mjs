// The npm peers behind one door: a JSON request on each line of stdin, a JSON answer on each line of stdout.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FlattenJSON, GeneralJSON, SDJwtInstance } from '@sd-jwt/core';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { DcqlQuery } from 'dcql';

const HASHES = { 'sha-256': 'sha256', 'sha-384': 'sha384', 'sha-512': 'sha512' };
const DIGEST = { ES256: 'sha256', ES384: 'sha384', EdDSA: null };
const raw = { dsaEncoding: 'ieee-p1363' };

// Cryptography is the caller's affair in these libraries, choice of algorithm included.
const signer = (jwk, alg) => (data) =>
  sign(DIGEST[alg], Buffer.from(data), { key: createPrivateKey({ key: jwk, format: 'jwk' }), ...raw }).toString('base64url');
const checker = (jwk, alg) => (data, signature) =>
  verify(DIGEST[alg], Buffer.from(data), { key: createPublicKey({ key: jwk, format: 'jwk' }), ...raw }, Buffer.from(signature, 'base64url'));
const bytes = (data) => (typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data));

function instance({ peer, alg, hash = 'sha-256', issuer, holder }) {
  const Kind = peer === 'core' ? SDJwtInstance : SDJwtVcInstance;
  return new Kind({
    signAlg: alg,
    signer: issuer?.d && signer(issuer, alg),
    verifier: issuer && checker(issuer, alg),
    hashAlg: hash,
    hasher: (data, name) => new Uint8Array(createHash(HASHES[name]).update(bytes(data)).digest()),
    saltGenerator: () => randomBytes(16).toString('base64url'),
    kbSignAlg: alg,
    kbSigner: holder && signer(holder, alg),
    kbVerifier: (data, signature, payload) => checker(payload.cnf.jwk, alg)(data, signature),
  });
}

const compact = (token) => {
  if (typeof token === 'string') return token;
  return token.signatures ? GeneralJSON.fromSerialized(token).toEncoded(0) : FlattenJSON.fromSerialized(token).toEncoded();
};

const operations = {
  versions: () => Object.fromEntries(['@sd-jwt/core', '@sd-jwt/sd-jwt-vc', 'dcql'].map((name) => [
    name, JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version])),
  issue: (r) => instance(r).issue(r.claims, r.frame, { header: r.header }),
  present: (r) => instance(r).present(compact(r.token), r.frame, r.kb && { kb: { payload: r.kb } }),
  verify: async (r) => {
    const found = await instance(r).verify(compact(r.token), { currentDate: r.at, keyBindingNonce: r.nonce });
    return { payload: found.payload, kb: found.kb?.payload ?? null };
  },
  flatten: (r) => instance(r).toFlattenJSON(r.token).toJson(),
  dcql: (r) => {
    const query = DcqlQuery.parse(r.query);
    DcqlQuery.validate(query);
    const found = DcqlQuery.query(query, r.credentials);
    const matches = Object.entries(found.credential_matches).map(([id, match]) => [
      id, (match.valid_credentials ?? []).map((one) => one.input_credential_index)]);
    return { satisfied: found.can_be_satisfied, matches: Object.fromEntries(matches) };
  },
  dcql_read: (r) => {
    const query = DcqlQuery.parse(r.query);
    DcqlQuery.validate(query);
    return true;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = { value: await operations[request.op](request) };
  } catch (error) {
    answer = { refused: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
