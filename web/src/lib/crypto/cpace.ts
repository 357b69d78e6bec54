// CPACE-RISTR255-SHA512, draft-irtf-cfrg-cpace-21: initiator/responder, explicit key confirmation.

import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesOf, join, lvCat } from './lv.ts';

const DSI = bytesOf('CPaceRistretto255');
const DSI_ISK = bytesOf('CPaceRistretto255_ISK');
const DSI_MAC = bytesOf('CPaceMac');
/** Bytes that SHA-512 takes at once. */
const BLOCK_BYTES = 128;
const Point = ristretto255.Point;

/** The other side's share is no fair one. */
export class BadShare extends Error {}

/** Both sides' public parts, in their roles. */
export interface Exchange {
  sid: Uint8Array;
  ya: Uint8Array;
  ada: Uint8Array;
  yb: Uint8Array;
  adb: Uint8Array;
}

/** One side's secret scalar and public share, for one exchange. */
export interface Party {
  readonly scalar: bigint;
  readonly share: Uint8Array;
}

const littleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

export function generator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): InstanceType<typeof Point> {
  const padding = new Uint8Array(Math.max(0, BLOCK_BYTES - 1 - lvCat(prs).length - lvCat(DSI).length));
  return ristretto255_hasher.deriveToCurve!(sha512(lvCat(DSI, prs, padding, ci, sid)));
}

/** A party from 64 random bytes. */
export function start(wide: Uint8Array, prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Party {
  const scalar = littleEndian(wide) % Point.Fn.ORDER;
  return { scalar, share: generator(prs, ci, sid).multiply(scalar).toBytes() };
}

/** K. Never let out: whoever has it can try all codes in peace. */
export function multiply(scalar: bigint, peer: Uint8Array): Uint8Array {
  let point: InstanceType<typeof Point>;
  try {
    point = Point.fromBytes(peer);
  } catch {
    throw new BadShare();
  }
  if (point.is0()) throw new BadShare();
  return point.multiply(scalar).toBytes();
}

/** ISK. One's own share is refused: with it one's own tag would confirm. */
export function sharedSecret(party: Party, peer: Uint8Array, exchange: Exchange): Uint8Array {
  if (equal(peer, party.share)) throw new BadShare();
  const { sid, ya, ada, yb, adb } = exchange;
  return sha512(join(lvCat(DSI_ISK, sid, multiply(party.scalar, peer)), lvCat(ya, ada, yb, adb)));
}

/** The key that both tags are made with. */
export const macKey = (sid: Uint8Array, isk: Uint8Array): Uint8Array => sha512(join(DSI_MAC, sid, isk));

/** The tag of the side with this share and associated data. */
export const tag = (key: Uint8Array, share: Uint8Array, ad: Uint8Array): Uint8Array =>
  hmac(sha512, key, lvCat(share, ad));

/** Whether two byte strings are the same, in a time that depends on their length only. */
export function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!;
  return difference === 0;
}
