// Wallets in software, with the interfaces that supabase-js looks for.
import crypto from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1';
import { keccak_256 } from '@noble/hashes/sha3';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function base58(bytes) {
  let number = BigInt(`0x${bytesToHex(bytes)}`);
  let text = '';
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  return '1'.repeat(bytes.findIndex((byte) => byte !== 0)) + text;
}

/** An Ethereum wallet (EIP-1193) with one account; `sign` signs a message as `personal_sign` does (EIP-191). */
export function ethereumWallet() {
  const key = secp256k1.utils.randomPrivateKey();
  const address = `0x${bytesToHex(keccak_256(secp256k1.getPublicKey(key, false).slice(1)).slice(-20))}`;
  const sign = (message) => {
    const bytes = typeof message === 'string' ? utf8ToBytes(message) : message;
    const digest = keccak_256(concatBytes(utf8ToBytes(`\x19Ethereum Signed Message:\n${bytes.length}`), bytes));
    const signature = secp256k1.sign(digest, key);
    return `0x${signature.toCompactHex()}${(27 + signature.recovery).toString(16)}`;
  };
  const answers = { eth_requestAccounts: () => [address], eth_chainId: () => '0x1', personal_sign: ([hex]) => sign(hexToBytes(hex.slice(2))) };
  return { address, sign, request: async ({ method, params }) => answers[method](params) };
}

/** A Solana wallet that signs messages. */
export function solanaWallet() {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
  const address = base58(new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url')));
  return { address, publicKey: { toBase58: () => address }, signMessage: async (message) => new Uint8Array(crypto.sign(null, message, privateKey)) };
}
