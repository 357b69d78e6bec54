// The destination's side: it is given the code and receives the view (docs/protocol.md §6).

import { password, type Secret } from './code.ts';
import { type Exchange, equal, sharedSecret, start, tag } from './cpace.ts';
import { Malformed, lvCat } from './lv.ts';
import { type Answer, type Offer, type Release, destinationData, sessionId, sourceData } from './messages.ts';
import { type Place, type Schedule, channel, open, schedule, seal, unframe } from './schedule.ts';
import type { Random, Sign } from './source.ts';

/** Confirmations that a destination sends in one pairing, whatever is typed. */
export const TRIES_MAX = 2;

/** Why an offer is not answered. Nothing was sent, no try was used. */
export class Refused extends Error {}

/** How a destination introduces itself. */
export interface Introduction {
  name: string;
  kind: 'cli' | 'web';
  account?: { userId: string; deviceId: string; sign: Sign };
}

/** One pairing as a destination sees it. */
export class Destination {
  #tries = 0;

  constructor(readonly place: Place) {}

  get triesLeft(): number {
    return TRIES_MAX - this.#tries;
  }

  /** Answers an offer with a confirmation. */
  async answer(
    secret: Secret,
    offer: Offer,
    introduction: Introduction,
    random: Random,
  ): Promise<{ answer: Answer; answered: Answered }> {
    const { place } = this;
    if (offer.purpose !== place.purpose || (secret.purpose ?? place.purpose) !== place.purpose)
      throw new Refused('other purpose');
    if (!equal(offer.hid, place.hid) || offer.method !== secret.method) throw new Refused('other pairing');
    if (this.#tries >= TRIES_MAX) throw new Refused('too many tries');
    const nonce = random(16);
    const [sid, ci] = [sessionId(offer), channel(place, offer.method)];
    const party = start(random(64), password(secret), ci, sid);
    const [ada, adb] = [sourceData(offer), destinationData({ nonce })];
    const exchange: Exchange = { sid, ya: offer.share, ada, yb: party.share, adb };
    const isk = sharedSecret(party, offer.share, exchange);
    const keys = schedule(place.purpose, ci, exchange, isk);
    this.#tries++;
    const { account } = introduction;
    const name = [...introduction.name].slice(0, 100).join('');
    const signature = account?.sign('pair-dst', keys.th) ?? new Uint8Array();
    const plain = lvCat(name, introduction.kind, account?.userId ?? '', account?.deviceId ?? '', signature);
    const hello = await seal('hello', keys.ds, keys.th, plain);
    const { method, attempt } = offer;
    const answer = { method, attempt, share: party.share, nonce, tag: tag(keys.mac, party.share, adb), hello };
    return { answer, answered: new Answered(offer, keys, tag(keys.mac, offer.share, ada)) };
  }
}

/** A confirmation that waits for the source's. */
export class Answered {
  constructor(
    readonly offer: Offer,
    readonly keys: Schedule,
    readonly expected: Uint8Array,
  ) {}

  /** Checks the source's confirmation, and only then opens the view. */
  async receive(release: Release): Promise<{ content: Uint8Array; signature?: Uint8Array }> {
    if (!equal(this.expected, release.tag)) throw new Malformed('tag');
    return unframe(this.offer.sizeClass, await open('view', this.keys.sd, this.keys.th, release.view));
  }

  /** Tells the source at which head hash this device arrived. */
  acknowledge(head: Uint8Array): Promise<Uint8Array> {
    return seal('acknowledgement', this.keys.ds, this.keys.th, head);
  }
}
