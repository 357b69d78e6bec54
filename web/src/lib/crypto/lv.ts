// lv_cat: fields with minimal LEB128 lengths of at most five bytes (docs/protocol.md §1).

/** Bytes that are not the structure they claim to be; the text names the field. */
export class Malformed extends Error {}

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a field may be given as: bytes, or text. */
export type Field = Uint8Array | string;

/** UTF-8 of a text, bytes as they are. */
export const bytesOf = (field: Field): Uint8Array => (typeof field === 'string' ? utf8.encode(field) : field);

/** Joins bytes. */
export function join(...parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Each field behind its length. */
export function lvCat(...fields: Field[]): Uint8Array {
  return join(
    ...fields.flatMap((field) => {
      const bytes = bytesOf(field);
      const length: number[] = [];
      let rest = bytes.length;
      do {
        const low = rest % 128;
        rest = Math.floor(rest / 128);
        length.push(rest === 0 ? low : low + 128);
      } while (rest > 0);
      return [Uint8Array.from(length), bytes];
    }),
  );
}

/** One byte. */
export const u8 = (value: number): Uint8Array => Uint8Array.of(value);

/** Four bytes, big-endian. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Reads fields one after the other. */
export class Reader {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  bytes(name: string): Uint8Array {
    let length = 0;
    for (let index = 0; ; index++) {
      const byte = this.#rest[index];
      if (byte === undefined || index === 5) throw new Malformed(name);
      length += (byte & 0x7f) * 128 ** index;
      if (byte & 0x80) continue;
      if (index > 0 && byte === 0) throw new Malformed(name);
      const end = index + 1 + length;
      if (length > 0xffff_ffff || end > this.#rest.length) throw new Malformed(name);
      const field = this.#rest.slice(index + 1, end);
      this.#rest = this.#rest.subarray(end);
      return field;
    }
  }

  array(name: string, length: number): Uint8Array {
    const field = this.bytes(name);
    if (field.length !== length) throw new Malformed(name);
    return field;
  }

  optionalArray(name: string, length: number): Uint8Array | undefined {
    const field = this.bytes(name);
    if (field.length === 0) return undefined;
    if (field.length !== length) throw new Malformed(name);
    return field;
  }

  text(name: string, max: number): string {
    const field = this.bytes(name);
    if (field.length > max) throw new Malformed(name);
    try {
      return strictUtf8.decode(field);
    } catch {
      throw new Malformed(name);
    }
  }

  word<Word extends string>(name: string, words: readonly Word[]): Word {
    const text = this.text(name, 32);
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new Malformed(`unknown ${name}`);
    return word;
  }

  u8(name: string): number {
    return this.array(name, 1)[0]!;
  }

  u32(name: string): number {
    return new DataView(this.array(name, 4).buffer).getUint32(0);
  }

  /** What was not read yet. */
  remaining(): Uint8Array {
    return this.#rest;
  }

  finish(name: string): void {
    if (this.#rest.length > 0) throw new Malformed(`trailing bytes after ${name}`);
  }
}
