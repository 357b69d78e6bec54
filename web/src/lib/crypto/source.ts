// The source's side: it shows the code and releases the view (docs/protocol.md §6).

import { drawCode, password, type Secret } from './code.ts';
import { type Exchange, type Party, equal, sharedSecret, start, tag } from './cpace.ts';
import { Malformed, Reader } from './lv.ts';
import {
  type Answer,
  type Method,
  type Offer,
  type Release,
  destinationData,
  sessionId,
  sourceData,
} from './messages.ts';
import { type Place, type Schedule, channel, frame, open, schedule, seal } from './schedule.ts';

/** Wrong confirmations that burn a code, over both methods together. */
export const GUESSES_MAX = 3;
const NAME_CHARS_MAX = 100;

/** So many random bytes. */
export type Random = (bytes: number) => Uint8Array;
/** Ed25519 by this device under a label. */
export type Sign = (label: string, content: Uint8Array) => Uint8Array;

/** What a destination says about itself. Its name is its own word. */
export interface Hello {
  name: string;
  kind: 'cli' | 'web';
  account?: { userId: string; deviceId: string; signature: Uint8Array };
}

export function parseHello(bytes: Uint8Array): Hello {
  const reader = new Reader(bytes);
  const name = reader.text('name', 4 * NAME_CHARS_MAX);
  if ([...name].length > NAME_CHARS_MAX) throw new Malformed('name');
  const kind = reader.word('kind', ['cli', 'web']);
  const [userId, deviceId, signature] = [
    reader.text('user', 64),
    reader.text('device', 64),
    reader.optionalArray('signature', 64),
  ];
  reader.finish('hello');
  if (userId === '' && deviceId === '' && !signature) return { name, kind };
  if (userId === '' || deviceId === '' || !signature) throw new Malformed('account');
  return { name, kind, account: { userId, deviceId, signature } };
}

/** What came of an answer. */
export type Judgement =
  | { is: 'confirmed'; confirmed: Confirmed }
  | { is: 'refused'; next: Source }
  | { is: 'burned' }
  | { is: 'stale'; next: Source };

/** A pairing that waits for a destination. It lives in memory only. */
export class Source {
  readonly offers: Record<Method, Offer>;
  #parties: Record<Method, Party>;

  private constructor(
    readonly place: Place,
    readonly attempt: number,
    readonly secrets: Record<Method, Secret>,
    terms: { sizeClass: number; lifetimeSeconds: number },
    random: Random,
  ) {
    const begin = (method: Method): [Offer, Party] => {
      const offer: Offer = {
        purpose: place.purpose,
        method,
        hid: place.hid,
        attempt,
        nonce: random(16),
        share: new Uint8Array(32),
        ...terms,
      };
      const party = start(random(64), password(secrets[method]), channel(place, method), sessionId(offer));
      offer.share = party.share;
      return [offer, party];
    };
    const [code, link] = [begin('code'), begin('link')];
    this.offers = { code: code[0], link: link[0] };
    this.#parties = { code: code[1], link: link[1] };
  }

  static begin(place: Place, terms: { sizeClass: number; lifetimeSeconds: number }, random: Random): Source {
    const secrets = { code: drawCode(place.purpose, random), link: { method: 'link', bytes: random(16) } as Secret };
    return new Source(place, 1, secrets, terms, random);
  }

  /** For a test: with secrets that are known. */
  static withSecrets(
    place: Place,
    secrets: Record<Method, Secret>,
    terms: { sizeClass: number; lifetimeSeconds: number },
    random: Random,
  ): Source {
    return new Source(place, 1, secrets, terms, random);
  }

  /** Judges an answer. One that is no fair one counts as a wrong guess. The source itself is used up. */
  async receive(answer: Answer, random: Random): Promise<Judgement> {
    if (answer.attempt !== this.attempt) return { is: 'stale', next: this };
    try {
      return { is: 'confirmed', confirmed: await this.#judge(answer) };
    } catch {
      if (this.attempt >= GUESSES_MAX) return { is: 'burned' };
      const { sizeClass, lifetimeSeconds } = this.offers.code;
      return {
        is: 'refused',
        next: new Source(this.place, this.attempt + 1, this.secrets, { sizeClass, lifetimeSeconds }, random),
      };
    }
  }

  async #judge(answer: Answer): Promise<Confirmed> {
    const offer = this.offers[answer.method];
    const [sid, ada, adb] = [sessionId(offer), sourceData(offer), destinationData(answer)];
    const exchange: Exchange = { sid, ya: offer.share, ada, yb: answer.share, adb };
    const isk = sharedSecret(this.#parties[answer.method], answer.share, exchange);
    const keys = schedule(this.place.purpose, channel(this.place, answer.method), exchange, isk);
    if (!equal(tag(keys.mac, answer.share, adb), answer.tag)) throw new Malformed('tag');
    const hello = parseHello(await open('hello', keys.ds, keys.th, answer.hello));
    return new Confirmed(hello, keys, tag(keys.mac, offer.share, ada), offer.sizeClass);
  }
}

/** A destination that has shown that it knows the secret. Release only after an approval. */
export class Confirmed {
  constructor(
    readonly hello: Hello,
    readonly keys: Schedule,
    readonly tag: Uint8Array,
    readonly sizeClass: number,
  ) {}

  /** Confirms and seals the view; `sign` where the destination is a device of the same account. */
  async release(view: Uint8Array, sign?: Sign): Promise<Release> {
    const framed = frame(this.sizeClass, view, sign?.('pair-src', this.keys.th));
    return { tag: this.tag, view: await seal('view', this.keys.sd, this.keys.th, framed) };
  }

  /** The head hash that the destination arrived at. Only now is it "ready there". */
  async acknowledged(sealed: Uint8Array): Promise<Uint8Array> {
    const head = await open('acknowledgement', this.keys.ds, this.keys.th, sealed);
    if (head.length !== 32) throw new Malformed('head');
    return head;
  }
}
