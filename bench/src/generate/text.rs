//! Words: prose, names, made-up code, and what programs print.

use std::fmt::Write as _;

use super::random::{Random, mix};

const WORDS: &str = "the the the a a to of and in is it that this for with on as by so but not when then \
    because should must will can change test fails passes error value token request response handler session \
    cache file line function caller field type default limit order state lock write read check return parse \
    header body field server client store query row index key config path before after first last again only \
    every other same wrong missing empty now next fix look run add remove keep move rename split";
const SYLLABLES: [&str; 24] = [
    "ra", "to", "mi", "ken", "sol", "ver", "din", "pa", "lo", "ser", "ti", "qua", "bor", "fen", "gi", "hu", "jo",
    "nal", "pre", "sta", "tor", "ul", "wer", "zi",
];
const LINES: [&str; 8] = [
    "def $A(self, $B, $C=None):",
    "    if $B is None or not $C:",
    "        raise ValueError(f\"$A: unexpected {$B!r}\")",
    "    for $B in self.$C.items():",
    "        $A = self.$B.get($C, NUMBER)",
    "    return $A($B, key=lambda item: item.$C)",
    "    # $A keeps $B until $C was seen",
    "",
];

/// So many words.
pub(super) fn words(random: &mut Random, count: usize) -> String {
    let all: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let chosen: Vec<&str> = (0..count).map(|_| random.pick(&all)).collect();
    chosen.join(" ")
}

/// Some sentences, `from` to below `to`.
pub(super) fn prose(random: &mut Random, from: usize, to: usize) -> String {
    let mut out = String::new();
    for _ in 0..random.within(from, to) {
        let (count, name) = (random.within(6, 18), identifier(random.next()));
        let sentence = words(random, count);
        write!(out, "{}{} `{name}`. ", sentence[..1].to_ascii_uppercase(), &sentence[1..])
            .expect("a string takes any text");
    }
    out.pop();
    out
}

/// A name that this number stands for.
pub(super) fn identifier(number: u64) -> String {
    let mut name = String::new();
    let mut rest = mix(number);
    for _ in 0..2 + rest % 3 {
        rest >>= 8;
        name.push_str(SYLLABLES[usize::try_from(rest % 24).unwrap_or_default()]);
    }
    name
}

/// Made-up code of about so many bytes.
pub(super) fn source(random: &mut Random, bytes: usize) -> String {
    let mut out = String::new();
    while out.len() < bytes {
        let mut line = random.pick(&LINES).replace("NUMBER", &random.below(5_000).to_string());
        for mark in ["$A", "$B", "$C"] {
            line = line.replace(mark, &identifier(random.next() % 400));
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// A command and what it prints: a search, a test run, or a listing.
pub(super) fn terminal(random: &mut Random, file: &str, text: &str) -> (String, String) {
    let mut out = String::new();
    let rows = random.within(5, 160);
    let name = identifier(random.next());
    let kind = random.below(3);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for row in 0..rows {
        let line = if lines.is_empty() { "" } else { lines[random.below(lines.len())] };
        let written = match kind {
            0 => writeln!(out, "{file}:{}:{line}", random.below(2_000)),
            1 => {
                let case = identifier(random.next());
                writeln!(out, "{file}::test_{case}_{} PASSED [{:3}%]", random.below(90), row * 100 / rows)
            }
            _ => {
                let (size, day, minute) = (random.below(90_000), random.within(1, 29), random.below(60));
                let entry = identifier(random.next());
                writeln!(out, "-rw-r--r-- 1 coder coder {size:>7} Nov {day:>2} 12:{minute:02} {entry}.py")
            }
        };
        written.expect("a string takes any text");
    }
    out.pop();
    let command = match kind {
        0 => format!("rg -n '{name}' {file}"),
        1 => format!("python -m pytest -x -q {file}"),
        _ => format!("ls -la {name}/"),
    };
    (command, out)
}
