// The code that a person types, and the fragment of a link (docs/protocol.md §6).

import { bytesOf, lvCat } from './lv.ts';
import type { Method, Purpose } from './messages.ts';

export const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const NAMEPLATE_SYMBOLS = 4;
const SECRET_SYMBOLS: Record<Purpose, number> = { handoff: 5, link: 7 };
const TEXT_BYTES_MAX = 64;
const LINK_BYTES_MAX = 2048;
const SEPARATOR = /^[ \t\r\n\u{a0}\-_.\u{2010}-\u{2015}]$/u;

/** Why a text is not a code. */
export class NotACode extends Error {
  constructor(readonly why: 'symbol' | 'count' | 'typo' | 'other_purpose' | 'too_long') {
    super(why);
  }
}

/** A secret and how it came to this device. */
export interface Secret {
  readonly method: Method;
  /** What it is for, where it says so itself. */
  readonly purpose?: Purpose;
  readonly bytes: Uint8Array;
}

/** PRS, the password of CPace. */
export const password = (secret: Secret): Uint8Array => lvCat(secret.method, secret.bytes);

/** The value of one typed symbol, or -1. Only ASCII letters have a case here. */
function value(symbol: string): number {
  const upper = /^[a-z]$/.test(symbol) ? symbol.toUpperCase() : symbol;
  const read = upper === 'O' ? '0' : upper === 'I' || upper === 'L' ? '1' : upper;
  return ALPHABET.indexOf(read);
}

/** Σ dᵢ·αⁱ⁺¹ in GF(2)[x]/(x⁵+x²+1), by Horner's rule. */
function check(digits: number[]): number {
  const timesAlpha = (digit: number): number => ((digit << 1) ^ (0b100101 * (digit >> 4))) & 31;
  return digits.reduceRight((sum, digit) => timesAlpha(sum ^ digit), 0);
}

const symbols = (digits: number[]): string => digits.map((digit) => ALPHABET[digit]).join('');
const length = (purpose: Purpose): number => NAMEPLATE_SYMBOLS + SECRET_SYMBOLS[purpose] + 1;

/** Reads what a person typed where `purpose` is on the screen. */
export function parseCode(purpose: Purpose, text: string): { nameplate: string; secret: Secret } {
  if (bytesOf(text).length > TEXT_BYTES_MAX) throw new NotACode('too_long');
  const digits = [...text].filter((symbol) => !SEPARATOR.test(symbol)).map(value);
  if (digits.includes(-1)) throw new NotACode('symbol');
  const body = digits.slice(0, -1);
  const fits = check(body) === digits.at(-1);
  if (digits.length !== length(purpose)) {
    const other = purpose === 'handoff' ? 'link' : 'handoff';
    throw new NotACode(digits.length === length(other) && fits ? 'other_purpose' : 'count');
  }
  if (!fits) throw new NotACode('typo');
  const bytes = bytesOf(symbols(body.slice(NAMEPLATE_SYMBOLS)));
  return { nameplate: symbols(body.slice(0, NAMEPLATE_SYMBOLS)), secret: { method: 'code', purpose, bytes } };
}

/** The code as it is shown. */
export function showCode(purpose: Purpose, nameplate: string, secret: Secret): string {
  const body = nameplate + new TextDecoder().decode(secret.bytes);
  const code = body + ALPHABET[check([...body].map(value))];
  const half = length(purpose) / 2;
  return `${code.slice(0, half)}-${code.slice(half)}`;
}

/** Draws the secret of a code: five random bits a symbol. */
export function drawCode(purpose: Purpose, random: (bytes: number) => Uint8Array): Secret {
  const digits = [...random(SECRET_SYMBOLS[purpose])].map((byte) => byte & 31);
  return { method: 'code', purpose, bytes: bytesOf(symbols(digits)) };
}

/** Reads a whole link, or what stands behind its `#`. */
export function parseLink(link: string): { nameplate: string; secret: Secret } {
  if (bytesOf(link).length > LINK_BYTES_MAX) throw new NotACode('too_long');
  const fragment = link.trim().split('#').at(-1)!;
  // 22 symbols hold four bits more than 16 bytes; they are zero in A, Q, g and w.
  const read = /^1\.([0-9A-HJKMNP-TV-Z]{4})\.([A-Za-z0-9_-]{21}[AQgw])$/.exec(fragment);
  if (!read) throw new NotACode('symbol');
  const binary = atob(read[2]!.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return { nameplate: read[1]!, secret: { method: 'link', bytes } };
}
