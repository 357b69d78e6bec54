//! How an honest input becomes a hostile one: a few small changes, drawn from the seed.

use crate::random::Random;

/// The longest input that is made, in bytes: long enough for every structure, short enough for thousands of cases a second.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;
/// Most changes to one input.
const CHANGES_MAX: usize = 6;
/// How often a block is repeated at most, when it is.
const REPEATS_MAX: usize = 200;

/// Numbers that parsers get wrong: limits of types, and what is beside them.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x3fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    (1 << 53) - 1,
    1 << 53,
    1 << 63,
    u64::MAX,
];

/// Changes `input` at one to six places. `corpus` gives what is spliced in, `dictionary` words of the format.
pub fn mutate(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], dictionary: &[&[u8]]) {
    for _ in 0..=random.below(CHANGES_MAX) {
        change(random, input, corpus, dictionary);
        input.truncate(INPUT_BYTES_MAX);
    }
}

fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], dictionary: &[&[u8]]) {
    let at = random.below(input.len() + 1);
    match random.below(12) {
        0 | 1 => flip_bit(random, input),
        2 => set_byte(random, input),
        3 => input.truncate(at),
        4 => remove(random, input, at),
        5 => repeat(random, input, at),
        6 => splice(random, input, at, corpus),
        7 => number(random, input, at),
        8 => length(random, input, at),
        9 => swap_lines(random, input),
        10 => fill(random, input, at),
        _ => word(random, input, at, dictionary),
    }
}

fn flip_bit(random: &mut Random, input: &mut [u8]) {
    if !input.is_empty() {
        input[random.below(input.len())] ^= 1 << random.below(8);
    }
}

fn set_byte(random: &mut Random, input: &mut [u8]) {
    if !input.is_empty() {
        let at = random.below(input.len());
        input[at] = random.byte();
    }
}

fn remove(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let end = at + random.below((input.len() - at).min(256) + 1);
    input.drain(at..end);
}

/// A piece of the input, many times: deep nesting, long lists, bombs.
fn repeat(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let block = input[at..at + random.below((input.len() - at).min(64) + 1)].to_vec();
    let many = block.repeat(1 + random.below(REPEATS_MAX));
    input.splice(at..at, many);
}

/// The start of this input and the end of another.
fn splice(random: &mut Random, input: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>]) {
    if corpus.is_empty() {
        return;
    }
    let other = &corpus[random.below(corpus.len())];
    input.truncate(at);
    input.extend_from_slice(&other[random.below(other.len() + 1)..]);
}

/// A number at the edge of a type, in either byte order, over what is there.
fn number(random: &mut Random, input: &mut [u8], at: usize) {
    let value = EDGES[random.below(EDGES.len())];
    let bytes = if random.below(2) == 0 { value.to_be_bytes() } else { value.to_le_bytes() };
    let width = [1, 2, 4, 8][random.below(4)];
    let bytes = if random.below(2) == 0 { &bytes[..width] } else { &bytes[8 - width..] };
    for (old, new) in input[at..].iter_mut().zip(bytes) {
        *old = *new;
    }
}

/// A LEB128 length, minimal or not, in front of what is there or over it.
fn length(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let mut value = [EDGES[random.below(EDGES.len())], random.below(300) as u64][random.below(2)];
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    if random.below(8) == 0 {
        // Not minimal.
        *bytes.last_mut().unwrap_or(&mut 0) |= 0x80;
        bytes.push(0);
    }
    let end = if random.below(2) == 0 { at } else { (at + bytes.len()).min(input.len()) };
    input.splice(at..end, bytes);
}

/// Two lines change places, or one is there twice.
fn swap_lines(random: &mut Random, input: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.len() < 2 {
        return;
    }
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    if random.below(2) == 0 {
        lines.swap(one, other);
    } else {
        let line = lines[one].clone();
        lines.insert(other, line);
    }
    *input = lines.concat();
}

/// A run of one byte over what is there, as a file system leaves it after a power cut.
fn fill(random: &mut Random, input: &mut [u8], at: usize) {
    let end = at + random.below((input.len() - at).min(512) + 1);
    let byte = [0, 0xff, b'[', b'{', b'"', b'\\'][random.below(6)];
    input[at..end].fill(byte);
}

fn word(random: &mut Random, input: &mut Vec<u8>, at: usize, dictionary: &[&[u8]]) {
    if dictionary.is_empty() {
        return;
    }
    let word = dictionary[random.below(dictionary.len())];
    let end = if random.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
    input.splice(at..end, word.iter().copied());
}
