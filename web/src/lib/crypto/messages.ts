// What two devices that pair say to each other (docs/protocol.md §6).

import { Malformed, Reader, lvCat, u32, u8 } from './lv.ts';

export type Purpose = 'handoff' | 'link';
export type Method = 'code' | 'link';
const PURPOSES = ['handoff', 'link'] as const;
const METHODS = ['code', 'link'] as const;
export const SUITE = 1;
const VERSION = 1;
const GCM_TAG_BYTES = 16;
const HELLO_BYTES_MAX = 1024;
/** What a view is padded to, by size class. */
export const SIZES = [16_384, 32_768, 65_536] as const;

export interface Offer {
  purpose: Purpose;
  method: Method;
  hid: Uint8Array;
  attempt: number;
  nonce: Uint8Array;
  share: Uint8Array;
  sizeClass: number;
  lifetimeSeconds: number;
}

export interface Answer {
  method: Method;
  attempt: number;
  share: Uint8Array;
  nonce: Uint8Array;
  tag: Uint8Array;
  hello: Uint8Array;
}

export interface Release {
  tag: Uint8Array;
  view: Uint8Array;
}

export const sessionId = (offer: Offer): Uint8Array => lvCat(offer.hid, offer.method, u8(offer.attempt), offer.nonce);
export const sourceData = (offer: Offer): Uint8Array =>
  lvCat('src', u8(VERSION), u8(offer.sizeClass), u32(offer.lifetimeSeconds));
export const destinationData = (answer: { nonce: Uint8Array }): Uint8Array => lvCat('dst', u8(VERSION), answer.nonce);

export const encodeOffer = (offer: Offer): Uint8Array =>
  lvCat(
    'segue/pair/offer/1',
    u8(SUITE),
    offer.purpose,
    offer.method,
    offer.hid,
    u8(offer.attempt),
    offer.nonce,
    offer.share,
    sourceData(offer),
  );
export const encodeAnswer = (answer: Answer): Uint8Array =>
  lvCat(
    'segue/pair/answer/1',
    answer.method,
    u8(answer.attempt),
    answer.share,
    destinationData(answer),
    answer.tag,
    answer.hello,
  );
export const encodeRelease = (release: Release): Uint8Array => lvCat('segue/pair/release/1', release.tag, release.view);

function attempt(reader: Reader): number {
  const attempt = reader.u8('attempt');
  if (attempt === 0) throw new Malformed('attempt');
  return attempt;
}

/** Opens ADa or ADb: the role keeps a message from being taken for its answer. */
function associatedData(bytes: Uint8Array, role: 'src' | 'dst'): Reader {
  const reader = new Reader(bytes);
  reader.word('role', [role]);
  if (reader.u8('version') !== VERSION) throw new Malformed('unknown pairing version');
  return reader;
}

export function parseOffer(bytes: Uint8Array): Offer {
  const reader = new Reader(bytes);
  reader.word('label', ['segue/pair/offer/1']);
  if (reader.u8('suite') !== SUITE) throw new Malformed('unknown suite');
  const purpose = reader.word('purpose', PURPOSES);
  const method = reader.word('method', METHODS);
  const offer = {
    purpose,
    method,
    hid: reader.array('hid', 16),
    attempt: attempt(reader),
    nonce: reader.array('nonce', 16),
    share: reader.array('share', 32),
  };
  const ad = associatedData(reader.bytes('associated data'), 'src');
  const [sizeClass, lifetimeSeconds] = [ad.u8('size class'), ad.u32('lifetime')];
  ad.finish('associated data');
  reader.finish('offer');
  if (SIZES[sizeClass] === undefined) throw new Malformed('unknown size class');
  return { ...offer, sizeClass, lifetimeSeconds };
}

export function parseAnswer(bytes: Uint8Array): Answer {
  const reader = new Reader(bytes);
  reader.word('label', ['segue/pair/answer/1']);
  const method = reader.word('method', METHODS);
  const head = { method, attempt: attempt(reader), share: reader.array('share', 32) };
  const ad = associatedData(reader.bytes('associated data'), 'dst');
  const nonce = ad.array('nonce', 16);
  ad.finish('associated data');
  const answer = { ...head, nonce, tag: reader.array('tag', 64), hello: reader.bytes('hello') };
  reader.finish('answer');
  if (answer.hello.length < GCM_TAG_BYTES || answer.hello.length > HELLO_BYTES_MAX) throw new Malformed('hello');
  return answer;
}

export function parseRelease(bytes: Uint8Array): Release {
  const reader = new Reader(bytes);
  reader.word('label', ['segue/pair/release/1']);
  const release = { tag: reader.array('tag', 64), view: reader.bytes('view') };
  reader.finish('release');
  if (!SIZES.some((size) => size + GCM_TAG_BYTES === release.view.length)) throw new Malformed('view');
  return release;
}
