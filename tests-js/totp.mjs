// An authenticator app (RFC 6238: HMAC-SHA1, six digits, steps of 30 seconds).
import { createHmac } from 'node:crypto';
import { ok } from './support.mjs';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const PERIOD = 30;

/** The bytes of base32 text (RFC 4648, unpadded). */
function base32(text) {
  const bits = [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** The code of a step. */
export function totp(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac('sha1', base32(secret)).update(counter).digest();
  const number = hash.readUInt32BE(hash.at(-1) & 0xf) & 0x7fffffff;
  return String(number % 1e6).padStart(6, '0');
}

/** The step that `now` (milliseconds) lies in. */
export const stepOf = (now = Date.now()) => Math.floor(now / 1000 / PERIOD);

/**
 * An app that holds one secret. The server takes each step once, and one step ahead of the clock: so `next()` gives two codes
 * without waiting, whenever it is asked. Who needs more of them enrols another factor.
 */
export class App {
  #last = 0;

  constructor(secret) {
    this.secret = secret;
  }

  /** A code that was not given yet. */
  next() {
    const step = Math.max(stepOf(), this.#last + 1);
    if (step > stepOf() + 1) throw new Error('both codes of this minute were used: enrol another factor');
    this.#last = step;
    return totp(this.secret, step);
  }

  /** Six digits that are right in no step near now. */
  wrong() {
    const near = new Set([-2, -1, 0, 1, 2].map((away) => totp(this.secret, stepOf() + away)));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.has(code));
  }
}

/** Enrols an authenticator app and verifies it, which raises the client's session: `{ factorId, app }`. */
export async function withApp({ auth }, friendlyName = 'app') {
  const { id: factorId, totp: { secret } } = ok(await auth.mfa.enroll({ factorType: 'totp', friendlyName }));
  const app = new App(secret);
  ok(await auth.mfa.challengeAndVerify({ factorId, code: app.next() }));
  return { factorId, app };
}
