// What a relay, a guesser or a liar tries: everything is refused, by the side that can know. The same cases as in Rust
// (crates/crypto/src/pairing/attacks_tests.rs), with exchanges of their own.

import { sha256 } from '@noble/hashes/sha2.js';
import { expect, test } from 'vitest';
import { type Secret, drawCode } from './code.ts';
import { Destination, Refused, TRIES_MAX } from './destination.ts';
import { lvCat } from './lv.ts';
import { type Answer, type Method, type Offer, encodeOffer, parseOffer } from './messages.ts';
import type { Place } from './schedule.ts';
import { type Confirmed, type Judgement, type Random, Source, parseHello } from './source.ts';

const PLACE: Place = { purpose: 'handoff', serverId: new Uint8Array(16).fill(1), hid: new Uint8Array(16).fill(2) };
const TERMS = { sizeClass: 0, lifetimeSeconds: 300 };
const STRANGER = { name: 'phone', kind: 'web' } as const;
const METHODS: Method[] = ['code', 'link'];

/** Bytes that look random and are the same in each run. */
function rng(seed: number): Random {
  let count = 0;
  return (bytes) => {
    const blocks = Array.from({ length: Math.ceil(bytes / 32) }, () => [...sha256(Uint8Array.of(seed, count++))]);
    return Uint8Array.from(blocks.flat().slice(0, bytes));
  };
}

const source = (seed = 1, place = PLACE): Source => Source.begin(place, TERMS, rng(seed));

/** Answers as somebody who was given the secret of `of`. */
const answer = (of: Source, method: Method, seed = 2, offer = of.offers[method]) =>
  new Destination(PLACE).answer(of.secrets[method], offer, STRANGER, rng(seed));

const guess = async (of: Source, method: Method): Promise<Answer> => {
  const secret: Secret =
    method === 'code' ? drawCode('handoff', rng(99)) : { ...of.secrets.link, bytes: rng(98)(16) } as Secret;
  return (await new Destination(PLACE).answer(secret, of.offers[method], STRANGER, rng(3))).answer;
};

const judge = (of: Source, sent: Answer): Promise<Judgement> => of.receive(sent, rng(4));

async function confirmed(of: Source, sent: Answer): Promise<Confirmed> {
  const judgement = await judge(of, sent);
  if (judgement.is !== 'confirmed') throw new Error(judgement.is);
  return judgement.confirmed;
}

async function refused(of: Source, sent: Answer): Promise<Source> {
  const judgement = await judge(of, sent);
  if (judgement.is !== 'refused') throw new Error(judgement.is);
  return judgement.next;
}

test('guesses over both methods count together, and the right code works before the last', async () => {
  const second = await refused(source(), await guess(source(), 'link'));
  const third = await refused(second, await guess(second, 'code'));
  expect(third.attempt).toBe(3);
  await confirmed(third, (await answer(third, 'link')).answer);
  expect((await judge(third, await guess(third, 'link'))).is).toBe('burned');
});

test.each(METHODS)('every changed byte of an offer for a %s is refused', async (method) => {
  const honest = source();
  const bytes = encodeOffer(honest.offers[method]);
  let answered = 0;
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1 << at % 8;
    let sent: Answer;
    try {
      sent = (await answer(honest, method, 2, parseOffer(changed))).answer;
    } catch {
      // It does not parse, or the destination sees by itself that it is none for it.
      continue;
    }
    answered++;
    expect(['refused', 'stale'], `byte ${at}`).toContain((await judge(honest, sent)).is);
  }
  // Attempt, nonce, lifetime and some shares get that far.
  expect(answered).toBeGreaterThan(20);
}, 60_000);

test('an old answer is stale and costs no guess, and none in another attempt or by another method', async () => {
  const first = source();
  const { answer: old, answered } = await answer(first, 'code');
  const second = await refused(first, await guess(first, 'code'));
  expect((await judge(second, old)).is).toBe('stale');
  expect((await judge(second, { ...old, attempt: 2 })).is).toBe('refused');
  expect((await judge(second, { ...old, attempt: 2, method: 'link' })).is).toBe('refused');
  const fresh = await answer(second, 'code');
  const theirs = await confirmed(second, fresh.answer);
  const release = await theirs.release(Uint8Array.of(1));
  await expect(answered.receive(release), 'released to another attempt').rejects.toThrow();
  await fresh.answered.receive(release);
  await expect(theirs.acknowledged(fresh.answer.hello), 'a hello').rejects.toThrow();
  await expect(theirs.acknowledged(release.view), 'a view').rejects.toThrow();
});

test('of two destinations that know the code one is served', async () => {
  const shown = source();
  const [one, other] = [await answer(shown, 'code', 5), await answer(shown, 'code', 6)];
  expect(one.answered.keys.sas).not.toBe(other.answered.keys.sas);
  const release = await (await confirmed(shown, one.answer)).release(Uint8Array.of(1));
  await expect(other.answered.receive(release)).rejects.toThrow();
  expect((await one.answered.receive(release)).content).toEqual(Uint8Array.of(1));
});

test('nothing reflected is taken', async () => {
  const shown = source();
  const { answer: real, answered } = await answer(shown, 'code');
  expect((await judge(shown, { ...real, share: shown.offers.code.share })).is).toBe('refused');
  const view = new Uint8Array(16 * 1024 + 16);
  await expect(answered.receive({ tag: real.tag, view }), 'its own confirmation comes back').rejects.toThrow();
});

test('a source that does not know the code, or was restarted, takes nobody', async () => {
  const [real, liar] = [source(1), source(50)];
  const { answer: sent } = await answer(real, 'code', 2, liar.offers.code);
  expect((await judge(liar, sent)).is).toBe('refused');
});

test('an answer belongs to its server and its pairing', async () => {
  const shown = source();
  for (const place of [
    { ...PLACE, serverId: new Uint8Array(16) },
    { ...PLACE, hid: new Uint8Array(16) },
  ]) {
    const offer: Offer = { ...shown.offers.code, hid: place.hid };
    const { answer: sent } = await new Destination(place).answer(shown.secrets.code, offer, STRANGER, rng(2));
    expect((await judge(shown, sent)).is).toBe('refused');
  }
});

test.each(METHODS)('a %s for a handoff never links a device', async (method) => {
  const shown = source();
  const linking = new Destination({ ...PLACE, purpose: 'link' });
  const enter = (offer: Offer) => linking.answer(shown.secrets[method], offer, STRANGER, rng(2));
  await expect(enter(shown.offers[method])).rejects.toThrow(Refused);
  const lied: Offer = { ...shown.offers[method], purpose: 'link' };
  // A code says itself what it is for; a link does not, and its keys do.
  if (method === 'code') await expect(enter(lied)).rejects.toThrow(Refused);
  else expect((await judge(shown, (await enter(lied)).answer)).is).toBe('refused');
});

test('one method is never taken for the other', async () => {
  const shown = source();
  for (const [method, other] of [['code', 'link'], ['link', 'code']] as [Method, Method][]) {
    const { answer: sent } = await answer(shown, method, 2, { ...shown.offers[other], method });
    expect((await judge(shown, sent)).is).toBe('refused');
    expect((await judge(shown, { ...sent, method: other })).is).toBe('refused');
  }
});

test('an offer that is not answered uses no try', async () => {
  const shown = source();
  const destination = new Destination(PLACE);
  for (const change of [
    { purpose: 'link' },
    { hid: new Uint8Array(16) },
    { method: 'link' },
    { share: new Uint8Array(32) },
    { share: new Uint8Array(32).fill(255) },
  ] as Partial<Offer>[]) {
    const offer = { ...shown.offers.code, ...change };
    await expect(destination.answer(shown.secrets.code, offer, STRANGER, rng(2))).rejects.toThrow();
  }
  expect(destination.triesLeft).toBe(TRIES_MAX);
});

test('a hello that is half signed or strange is refused', () => {
  const is = (name: string, kind: string, user: string, device: string, signature: number): boolean => {
    try {
      parseHello(lvCat(name, kind, user, device, new Uint8Array(signature)));
      return true;
    } catch {
      return false;
    }
  };
  expect([is('', 'cli', '', '', 0), is('n', 'web', 'u', 'd', 64), is('n'.repeat(100), 'cli', '', '', 0)]).toEqual([
    true,
    true,
    true,
  ]);
  for (const [name, kind, user, device, signature] of [
    ['n', 'fridge', '', '', 0],
    ['n', 'cli', 'u', '', 64],
    ['n', 'cli', '', 'd', 64],
    ['n', 'cli', 'u', 'd', 0],
    ['n', 'cli', '', '', 64],
    ['n', 'cli', 'u', 'd', 63],
    ['n'.repeat(101), 'cli', '', '', 0],
  ] as [string, string, string, string, number][])
    expect(is(name, kind, user, device, signature), `${name} ${kind} ${user} ${device} ${signature}`).toBe(false);
});
