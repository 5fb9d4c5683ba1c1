// npm `didwebvh-ts` behind one door: a JSON request on each line of stdin, a JSON answer on each line of stdout.
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  createDID, deactivateDID, MultibaseEncoding, multibaseEncode, prepareDataForSigning, resolveDIDFromLog,
  signWitnessProofEntry, updateDID,
} from 'didwebvh-ts';

const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const verifier = {
  verify: async (signature, message, key) =>
    verify(null, message, createPublicKey({ key: Buffer.concat([SPKI, key]), format: 'der', type: 'spki' }), signature),
};
const signer = ({ jwk, name }) => ({
  getVerificationMethodId: () => `did:key:${name}#${name}`,
  sign: async ({ document, proof }) => {
    const data = await prepareDataForSigning(document, proof);
    const signature = sign(null, data, createPrivateKey({ key: jwk, format: 'jwk' }));
    return { proofValue: multibaseEncode(new Uint8Array(signature), MultibaseEncoding.BASE58_BTC) };
  },
});

const operations = {
  version: () =>
    JSON.parse(readFileSync(new URL('node_modules/didwebvh-ts/package.json', import.meta.url), 'utf8')).version,
  create: async ({ key, options }) => (await createDID({ ...options, signer: signer(key), verifier })).log,
  update: async ({ key, options }) => (await updateDID({ ...options, signer: signer(key), verifier })).log,
  deactivate: async ({ key, options }) => (await deactivateDID({ ...options, signer: signer(key), verifier })).log,
  witness: ({ version, keys, created }) =>
    signWitnessProofEntry({
      versionId: version,
      witnesses: keys.map(({ name }) => ({ id: `did:key:${name}` })),
      witnessSignersByDid: Object.fromEntries(keys.map((key) => [`did:key:${key.name}`, signer(key)])),
      created,
    }),
  resolve: async ({ log, proofs, options }) => {
    const found = await resolveDIDFromLog(log, { ...options, verifier, witnessProofs: proofs });
    return { document: found.doc ?? null, meta: found.meta };
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
