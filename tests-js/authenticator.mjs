// A security key in software (WebAuthn level 2): answers what `navigator.credentials` would be asked, with attestation `none`.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const text = (bytes) => Buffer.from(bytes).toString('base64url');
/** Options come with base64url as the server wrote it, or with buffers as supabase-js prepares them for a browser. */
const bytes = (value) => (typeof value === 'string' ? Buffer.from(value, 'base64url') : Buffer.from(value));
const sha256 = (value) => createHash('sha256').update(value).digest();

/** The first bytes of a CBOR item (RFC 8949): its type and its number. */
function head(type, number) {
  if (number < 24) return Buffer.from([type * 32 + number]);
  if (number < 256) return Buffer.from([type * 32 + 24, number]);
  return Buffer.from([type * 32 + 25, Math.floor(number / 256), number % 256]);
}

/** CBOR of integers, texts, byte strings and maps (as lists of pairs). */
function cbor(value) {
  if (Number.isInteger(value)) return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.length), ...value.flat().map(cbor)]);
}

const ALGORITHMS = {
  ES256: {
    id: -7,
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    public: ({ x, y }) => [[1, 2], [3, -7], [-1, 1], [-2, bytes(x)], [-3, bytes(y)]],
    hash: 'sha256',
  },
  EdDSA: {
    id: -8,
    make: () => generateKeyPairSync('ed25519'),
    public: ({ x }) => [[1, 1], [3, -8], [-1, 6], [-2, bytes(x)]],
    hash: null,
  },
  RS256: {
    id: -257,
    make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    public: ({ n, e }) => [[1, 3], [3, -257], [-1, bytes(n)], [-2, bytes(e)]],
    hash: 'sha256',
  },
};

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const CREDENTIAL_INCLUDED = 0x40;

/** A key that a user plugs into pages of `origin`. Options of a call win over those of the key. */
export class Authenticator {
  #credentials = new Map();

  constructor({ origin, algorithm = 'ES256', userVerified = true }) {
    Object.assign(this, { origin, algorithm, userVerified });
  }

  /** Answers creation options. */
  create(options, { origin = this.origin, userVerified = this.userVerified } = {}) {
    const algorithm = ALGORITHMS[this.algorithm];
    if (!options.pubKeyCredParams.some(({ alg }) => alg === algorithm.id)) throw new Error(`${this.algorithm} is not offered`);
    if (options.excludeCredentials?.some(({ id }) => this.#credentials.has(text(bytes(id))))) throw new Error('this key is excluded');
    const { publicKey, privateKey } = algorithm.make();
    const id = randomBytes(32);
    this.#credentials.set(text(id), { privateKey, relyingParty: options.rp.id, user: text(bytes(options.user.id)), uses: 0 });
    const length = Buffer.from([0, id.length]);
    const attested = Buffer.concat([Buffer.alloc(16), length, id, cbor(algorithm.public(publicKey.export({ format: 'jwk' })))]);
    const authData = this.#authenticatorData(options.rp.id, CREDENTIAL_INCLUDED, userVerified, 0, attested);
    return this.#answer(id, {
      clientDataJSON: this.#clientData('webauthn.create', options.challenge, origin),
      attestationObject: text(cbor([['fmt', 'none'], ['attStmt', []], ['authData', authData]])),
      transports: ['usb'],
    });
  }

  /** Answers request options, with a credential they allow or, where they name none, with one of the relying party. */
  get(options, { origin = this.origin, userVerified = this.userVerified } = {}) {
    const allowed = options.allowCredentials?.map(({ id }) => text(bytes(id))) ?? [...this.#credentials.keys()];
    const id = allowed.find((name) => this.#credentials.get(name)?.relyingParty === options.rpId);
    if (!id) throw new Error('no credential of this key is asked for');
    const credential = this.#credentials.get(id);
    credential.uses += 1;
    const authenticatorData = this.#authenticatorData(options.rpId, 0, userVerified, credential.uses);
    const clientDataJSON = this.#clientData('webauthn.get', options.challenge, origin);
    const signed = Buffer.concat([authenticatorData, sha256(bytes(clientDataJSON))]);
    const signature = sign(ALGORITHMS[this.algorithm].hash, signed, credential.privateKey);
    return this.#answer(bytes(id), { clientDataJSON, authenticatorData: text(authenticatorData), signature: text(signature), userHandle: credential.user });
  }

  #authenticatorData(relyingParty, flags, userVerified, counter, attested = Buffer.alloc(0)) {
    const rest = Buffer.alloc(5);
    rest.writeUInt8(flags | USER_PRESENT | (userVerified ? USER_VERIFIED : 0));
    rest.writeUInt32BE(counter, 1);
    return Buffer.concat([sha256(relyingParty), rest, attested]);
  }

  #clientData(type, challenge, origin) {
    return text(JSON.stringify({ type, challenge: text(bytes(challenge)), origin, crossOrigin: false }));
  }

  /** A credential as JSON, which is also what `toJSON` of a browser's gives. */
  #answer(id, response) {
    const json = { id: text(id), rawId: text(id), type: 'public-key', authenticatorAttachment: 'cross-platform', clientExtensionResults: {}, response };
    return { ...json, toJSON: () => json };
  }
}
