// npm `@digitalbazaar/vc` and its suites behind one door: a JSON request on each line of stdin, a JSON answer on each
// line of stdout. Every document that it asks for was given to it before; nothing is fetched.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import * as bbs from '@digitalbazaar/bbs-2023-cryptosuite';
import * as BlsMultikey from '@digitalbazaar/bls12-381-multikey';
import { DataIntegrityProof } from '@digitalbazaar/data-integrity';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import { cryptosuite as ecdsa } from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as sd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import { cryptosuite as eddsa } from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';

const documents = new Map();
const documentLoader = async (url) => {
  if (!documents.has(url)) throw new Error(`not given: ${url}`);
  // each reader gets a copy of its own
  return { contextUrl: null, documentUrl: url, document: structuredClone(documents.get(url)), tag: 'static' };
};

const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const SUITES = {
  'eddsa-rdfc-2022': { keys: Ed25519Multikey, sign: () => eddsa, verify: () => eddsa },
  'ecdsa-rdfc-2019': { keys: EcdsaMultikey, sign: () => ecdsa, verify: () => ecdsa },
  'ecdsa-sd-2023': {
    keys: EcdsaMultikey,
    sign: (r) => sd.createSignCryptosuite({ mandatoryPointers: r.mandatory }),
    confirm: () => sd.createConfirmCryptosuite(),
    disclose: (r) => sd.createDiscloseCryptosuite({ selectivePointers: r.selective }),
    verify: () => sd.createVerifyCryptosuite(),
  },
  'bbs-2023': {
    keys: BlsMultikey,
    sign: (r) => bbs.createSignCryptosuite({ mandatoryPointers: r.mandatory }),
    disclose: (r) =>
      bbs.createDiscloseCryptosuite({ selectivePointers: r.selective, presentationHeader: bytes(r.header) }),
    verify: (r) =>
      bbs.createVerifyCryptosuite(r.header === undefined ? {} : { expectedPresentationHeader: bytes(r.header) }),
  },
};

const suite = (name, use, r) => new DataIntegrityProof({ cryptosuite: SUITES[name][use](r) });
const signing = async (r) => {
  const key = await SUITES[r.suite].keys.from(r.key);
  return new DataIntegrityProof({ signer: key.signer(), date: r.created, cryptosuite: SUITES[r.suite].sign(r) });
};

const words = (error) =>
  [error?.message, error?.cause && words(error.cause), ...(error?.errors ?? []).map(words)].filter(Boolean).join('; ');
const judged = (result) => {
  if (result.verified === true) return true;
  const parts = [result, result.presentationResult, ...(result.credentialResults ?? [])];
  throw new Error(parts.map((part) => words(part?.error)).filter(Boolean).join('; ') || 'not verified');
};

const operations = {
  versions: ({ names }) => Object.fromEntries(names.map((name) => [
    name, JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version])),
  give: (r) => {
    for (const [url, document] of Object.entries(r.documents)) documents.set(url, document);
    return documents.size;
  },
  issue: async (r) => vc.issue({ credential: r.document, suite: await signing(r), documentLoader, now: r.now }),
  // a base proof, as its holder checks it
  confirm: async (r) =>
    judged(await vc.verifyCredential({
      credential: r.document, suite: suite(r.suite, 'confirm', r), documentLoader, now: r.now,
      checkStatus: async () => ({ verified: true }) })),
  derive: (r) => vc.derive({ verifiableCredential: r.document, suite: suite(r.suite, 'disclose', r), documentLoader }),
  verify: async (r) =>
    judged(await vc.verifyCredential({
      credential: r.document, suite: r.suites.map((name) => suite(name, 'verify', r)), documentLoader, now: r.now,
      checkStatus: async () => ({ verified: true }) })),
  present: async (r) => {
    const presentation = vc.createPresentation({ verifiableCredential: r.credentials, holder: r.holder, now: r.now });
    return vc.signPresentation({
      presentation, suite: await signing(r), challenge: r.challenge, domain: r.domain, documentLoader });
  },
  verify_presentation: async (r) =>
    judged(await vc.verify({
      presentation: r.document, suite: r.suites.map((name) => suite(name, 'verify', r)), challenge: r.challenge,
      domain: r.domain, documentLoader, now: r.now, checkStatus: async () => ({ verified: true }) })),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = { value: await operations[request.op](request) };
  } catch (error) {
    answer = { refused: words(error) || String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
