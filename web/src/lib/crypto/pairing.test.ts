// The vectors that Rust wrote, made and refused again here.

import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex as hex, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { NotACode, type Secret, parseCode, parseLink, password, showCode } from './code.ts';
import { BadShare, generator, multiply, sharedSecret } from './cpace.ts';
import { Destination, TRIES_MAX } from './destination.ts';
import { bytesOf, lvCat } from './lv.ts';
import {
  type Method,
  type Purpose,
  encodeAnswer,
  encodeOffer,
  encodeRelease,
  parseAnswer,
  parseOffer,
  parseRelease,
} from './messages.ts';
import { type Place, channel, frame, seal } from './schedule.ts';
import { type Confirmed, type Random, type Sign, Source } from './source.ts';

type Json = any;
const vectors = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`../../../../crates/crypto/vectors/${name}.json`, import.meta.url), 'utf8'));
const bytes = (text: string): Uint8Array => hexToBytes(text);

/** Random bytes that were drawn before, in this order. */
function drawn(...values: string[]): Random {
  const queue = values.map(bytes);
  return (count) => {
    const next = queue.shift();
    if (next?.length !== count) throw new Error(`${count} bytes were not expected`);
    return next;
  };
}

const signer = (seed: string | null): Sign | undefined =>
  seed ? (label, content) => ed25519.sign(lvCat('segue/sig/1', label, content), bytes(seed)) : undefined;

function same(expected: Json, actual: Uint8Array): void {
  if (typeof expected === 'string') expect(hex(actual)).toBe(expected);
  else expect({ bytes: actual.length, sha256: hex(sha256(actual)) }).toEqual(expected);
}

const place = (pairing: Json): Place => ({
  purpose: pairing.purpose,
  serverId: bytes(pairing.server_id),
  hid: bytes(pairing.hid),
});

function secrets(pairing: Json): Record<Method, Secret> {
  return {
    code: parseCode(pairing.purpose as Purpose, pairing.code).secret,
    link: parseLink(`https://h/h#${pairing.fragment}`).secret,
  };
}

/** The source of a vector: the offer of its method is the vector's, the other one is anything. */
function source(pairing: Json): Source {
  const known = [pairing.nonce_a, pairing.exchange.source_wide];
  const other = ['00'.repeat(16), '07'.repeat(64)];
  const draws = pairing.method === 'code' ? [...known, ...other] : [...other, ...known];
  const terms = { sizeClass: pairing.size_class, lifetimeSeconds: pairing.lifetime_seconds };
  return Source.withSecrets(place(pairing), secrets(pairing), terms, drawn(...draws));
}

function answer(pairing: Json) {
  const sign = signer(pairing.hello.device_seed);
  const { name, kind, user_id: userId, device_id: deviceId } = pairing.hello;
  const introduction = sign ? { name, kind, account: { userId, deviceId, sign } } : { name, kind };
  const offer = parseOffer(bytes(pairing.offer));
  const random = drawn(pairing.nonce_b, pairing.exchange.destination_wide);
  return new Destination(place(pairing)).answer(
    secrets(pairing)[pairing.method as Method],
    offer,
    introduction,
    random,
  );
}

async function confirmed(source: Source, encoded: Uint8Array): Promise<Confirmed> {
  const judgement = await source.receive(parseAnswer(encoded), () => new Uint8Array(64));
  if (judgement.is !== 'confirmed') throw new Error(judgement.is);
  return judgement.confirmed;
}

/** Each byte changed in one way. */
function* flips(of: Uint8Array, step = 1): Generator<Uint8Array> {
  for (let at = 0; at < of.length; at += step) {
    const changed = of.slice();
    changed[at]! ^= 1 << at % 8;
    yield changed;
  }
}

test('the known answers of the draft', () => {
  const { exchange: known, points } = vectors('cpace');
  const [prs, ci, sid] = [bytes(known.PRS), bytes(known.CI), bytes(known.sid)];
  expect(hex(generator(prs, ci, sid).toBytes())).toBe(known.g);
  const scalar = (text: string): bigint => BigInt(`0x${hex(bytes(text).reverse())}`);
  const party = (name: string) => {
    const share = generator(prs, ci, sid).multiply(scalar(known[name])).toBytes();
    return { scalar: scalar(known[name]), share };
  };
  const [a, b] = [party('ya'), party('yb')];
  expect([hex(a.share), hex(b.share), hex(multiply(a.scalar, b.share))]).toEqual([known.Ya, known.Yb, known.K]);
  const exchange = { sid, ya: a.share, ada: bytes(known.ADa), yb: b.share, adb: bytes(known.ADb) };
  for (const isk of [sharedSecret(a, b.share, exchange), sharedSecret(b, a.share, exchange)])
    expect(hex(isk)).toBe(known.ISK_IR);
  expect(() => sharedSecret(a, a.share, exchange)).toThrow(BadShare);
  const { s, X } = points.Valid;
  expect(hex(multiply(scalar(s), bytes(X)))).toBe(points.Valid['G.scalar_mult_vfy(s,X)']);
  for (const name of ['Invalid Y1', 'Invalid Y2'])
    expect(() => multiply(scalar(s), bytes(points[name]))).toThrow(BadShare);
});

test('codes and links', () => {
  const { codes, refused, link } = vectors('pairing_code');
  for (const { purpose, nameplate, prs, code, typed } of codes) {
    for (const text of [code, ...typed]) {
      const read = parseCode(purpose, text);
      expect([read.nameplate, hex(password(read.secret)), showCode(purpose, nameplate, read.secret)]).toEqual([
        nameplate,
        prs,
        code,
      ]);
    }
  }
  for (const { purpose, text, why } of refused) {
    try {
      parseCode(purpose, text);
      expect.fail(text);
    } catch (error) {
      expect((error as NotACode).why, text).toBe(why);
    }
  }
  const read = parseLink(link.fragment);
  expect([read.nameplate, hex(password(read.secret))]).toEqual([link.nameplate, link.prs]);
  for (const text of link.refused) expect(() => parseLink(text), text).toThrow(NotACode);
});

describe.each(vectors('pairing').pairings as Json[])('$purpose by $method', (pairing) => {
  test('every value is the same from both sides', async () => {
    const { exchange } = pairing;
    const ours = source(pairing);
    same(pairing.offer, encodeOffer(ours.offers[pairing.method as Method]));
    expect(hex(channel(place(pairing), pairing.method))).toBe(exchange.ci);
    const { answer: sent, answered } = await answer(pairing);
    same(pairing.answer, encodeAnswer(sent));
    const { keys } = answered;
    expect([keys.th, keys.prk, keys.mac, keys.sd, keys.ds, keys.back].map(hex)).toEqual(
      ['th', 'prk', 'mac_key', 'key_sd', 'key_ds', 'key_back'].map((name) => exchange[name]),
    );
    expect(keys.sas).toBe(exchange.sas);
    const theirs = await confirmed(ours, bytes(pairing.answer));
    expect([theirs.keys.sas, theirs.hello.name]).toEqual([exchange.sas, pairing.hello.name]);
    const release = await theirs.release(bytesOf(pairing.view.content), signer(pairing.view.device_seed));
    same(pairing.view.sealed, release.view);
    same(pairing.release, encodeRelease(release));
    const { content, signature } = await answered.receive(parseRelease(encodeRelease(release)));
    expect(new TextDecoder().decode(content)).toBe(pairing.view.content);
    expect(signature ? hex(signature) : null).toBe(pairing.view.signature);
    same(pairing.acknowledgement.sealed, await answered.acknowledge(bytes(pairing.acknowledgement.head)));
    same(pairing.acknowledgement.head, await theirs.acknowledged(bytes(pairing.acknowledgement.sealed)));
    const back = frame(pairing.return.size_class, bytesOf(pairing.return.content));
    same(pairing.return.sealed, await seal('return', keys.back, keys.th, back));
  });

  test('every changed byte of an answer is refused', async () => {
    for (const changed of flips(bytes(pairing.answer))) {
      let taken = false;
      try {
        taken =
          (await source(pairing).receive(parseAnswer(changed), (count) => new Uint8Array(count).fill(7))).is ===
          'confirmed';
      } catch {
        // It does not parse.
      }
      expect(taken, hex(changed)).toBe(false);
    }
  }, 60_000);
});

describe('what must be refused', () => {
  const [pairing] = vectors('pairing').pairings;
  const { answers, offers, releases } = vectors('pairing_refused');
  const random: Random = (count) => new Uint8Array(count).fill(9);

  test.each(answers as Json[])('an answer: $why', async ({ answer }) => {
    let is = 'malformed';
    try {
      ({ is } = await source(pairing).receive(parseAnswer(bytes(answer)), random));
    } catch {
      // It does not parse.
    }
    expect(['malformed', 'refused']).toContain(is);
  });

  test.each(offers as Json[])('an offer: $why', async ({ offer }) => {
    const destination = new Destination(place(pairing));
    await expect(async () =>
      destination.answer(secrets(pairing).code, parseOffer(bytes(offer)), { name: '', kind: 'web' }, random),
    ).rejects.toThrow();
    expect(destination.triesLeft).toBe(TRIES_MAX);
  });

  test.each(releases as Json[])('a release: $why', async ({ release }) => {
    const { answered } = await answer(pairing);
    await expect(answered.receive(parseRelease(bytes(release)))).rejects.toThrow();
    expect((await answered.receive(parseRelease(bytes(pairing.release)))).content).toBeTruthy();
  });

  test('a changed byte of the release or the acknowledgement', async () => {
    const { answered } = await answer(pairing);
    for (const changed of [...flips(bytes(pairing.release).slice(0, 90)), ...flips(bytes(pairing.release), 997)]) {
      const whole =
        changed.length === 90 ? Uint8Array.from([...changed, ...bytes(pairing.release).slice(90)]) : changed;
      await expect((async () => answered.receive(parseRelease(whole)))()).rejects.toThrow();
    }
    const theirs = await confirmed(source(pairing), bytes(pairing.answer));
    for (const changed of flips(bytes(pairing.acknowledgement.sealed)))
      await expect(theirs.acknowledged(changed)).rejects.toThrow();
  });

  test('the third guess burns the code, and a destination stops after two', async () => {
    const wrong = vectors('pairing_refused').answers[0].answer;
    let waiting = source(pairing);
    for (const attempt of [1, 2]) {
      const judgement = await waiting.receive({ ...parseAnswer(bytes(wrong)), attempt }, random);
      if (judgement.is !== 'refused') throw new Error(judgement.is);
      waiting = judgement.next;
      expect((await waiting.receive({ ...parseAnswer(bytes(wrong)), attempt }, random)).is).toBe('stale');
    }
    expect((await waiting.receive({ ...parseAnswer(bytes(wrong)), attempt: 3 }, random)).is).toBe('burned');
    const destination = new Destination(place(pairing));
    const offer = parseOffer(bytes(pairing.offer));
    const again = () => destination.answer(secrets(pairing).code, offer, { name: '', kind: 'web' }, random);
    await again();
    await again();
    await expect(again()).rejects.toThrow('too many tries');
  });
});
