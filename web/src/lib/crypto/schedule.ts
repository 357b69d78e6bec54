// The keys of a pairing, and the messages sealed under them (docs/protocol.md §6).

import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { ALPHABET } from './code.ts';
import { type Exchange, macKey } from './cpace.ts';
import { Malformed, Reader, lvCat, u8 } from './lv.ts';
import { type Method, type Purpose, SIZES, SUITE } from './messages.ts';

/** Which pairing it is: both sides must name the same, or nothing opens. */
export interface Place {
  /** From this client's own screen, never from the other side. */
  purpose: Purpose;
  serverId: Uint8Array;
  hid: Uint8Array;
}

/** CI, the channel identifier of CPace. */
export const channel = (place: Place, method: Method): Uint8Array =>
  lvCat('segue/pair/1', u8(SUITE), place.purpose, method, place.serverId, place.hid, 'src', 'dst');

export interface Schedule {
  th: Uint8Array;
  prk: Uint8Array;
  mac: Uint8Array;
  sd: Uint8Array;
  ds: Uint8Array;
  back: Uint8Array;
  /** Four symbols that both screens show at an approval. */
  sas: string;
}

export function schedule(purpose: Purpose, ci: Uint8Array, exchange: Exchange, isk: Uint8Array): Schedule {
  const { sid, ya, ada, yb, adb } = exchange;
  const th = sha512(lvCat('segue/th/1', ci, sid, ya, ada, yb, adb));
  const prk = extract(sha512, isk, th);
  const key = (name: string): Uint8Array => expand(sha512, prk, lvCat('segue/pair/key/1', purpose, name), 32);
  const [first, second, third] = key('sas') as unknown as [number, number, number];
  const bits = (first << 12) | (second << 4) | (third >> 4);
  const sas = [15, 10, 5, 0].map((shift) => ALPHABET[(bits >> shift) & 31]).join('');
  return { th, prk, mac: macKey(sid, isk), sd: key('sd'), ds: key('ds'), back: key('back'), sas };
}

const MESSAGES = { hello: [1, 0], view: [2, 0], acknowledgement: [3, 1], return: [4, 0] } as const;
export type Message = keyof typeof MESSAGES;

async function cipher(message: Message, key: Uint8Array, th: Uint8Array): Promise<[AesGcmParams, CryptoKey]> {
  const [type, sequence] = MESSAGES[message];
  const nonce = new Uint8Array(12);
  nonce[11] = sequence;
  const additionalData = lvCat('segue/pair/msg/1', u8(type), th) as BufferSource;
  const imported = await crypto.subtle.importKey('raw', key as BufferSource, 'AES-GCM', false, ['encrypt', 'decrypt']);
  return [{ name: 'AES-GCM', iv: nonce, additionalData }, imported];
}

/** Seals a message. Each is sealed once; a retry sends the same bytes. */
export async function seal(message: Message, key: Uint8Array, th: Uint8Array, plain: Uint8Array): Promise<Uint8Array> {
  const [params, imported] = await cipher(message, key, th);
  return new Uint8Array(await crypto.subtle.encrypt(params, imported, plain as BufferSource));
}

/** Opens a message, or throws. */
export async function open(message: Message, key: Uint8Array, th: Uint8Array, sealed: Uint8Array): Promise<Uint8Array> {
  const [params, imported] = await cipher(message, key, th);
  return new Uint8Array(await crypto.subtle.decrypt(params, imported, sealed as BufferSource));
}

/** Bytes that a frame adds at most: a length of three bytes, and a signature. */
const FRAME_OVERHEAD = 3 + 1 + 64;

/** Content, signature and zero bytes up to a size class. */
export function frame(sizeClass: number, content: Uint8Array, signature?: Uint8Array): Uint8Array {
  const framed = new Uint8Array(SIZES[sizeClass]!);
  if (content.length > framed.length - FRAME_OVERHEAD) throw new RangeError('too long for its size class');
  framed.set(lvCat(content, signature ?? new Uint8Array()));
  return framed;
}

/** Reads a frame of exactly this size class. */
export function unframe(sizeClass: number, framed: Uint8Array): { content: Uint8Array; signature?: Uint8Array } {
  if (framed.length !== SIZES[sizeClass]) throw new Malformed('frame');
  const reader = new Reader(framed);
  const content = reader.bytes('content');
  const signature = reader.optionalArray('signature', 64);
  const padded = content.length > framed.length - FRAME_OVERHEAD || reader.remaining().some((byte) => byte !== 0);
  if (padded) throw new Malformed('padding');
  return signature ? { content, signature } : { content };
}
