//! What Claude Code 2.1.197 sent for hand-made transcripts, case by case.
//!
//! A line of a case is `ID<PARENT KIND [ANSWER] [@SECONDS]` with kinds U (user), A (assistant), R (result), X (anything
//! else), S (sidechain), B (boundary); or `leaf ID`; or, after a boundary, `list ANCHOR ID…` or `segment ANCHOR HEAD
//! TAIL` for what it preserves. Without a time, lines are one second apart.

use super::*;

const BASE: [&str; 4] = ["u1<- U", "a1<u1 A m1", "u2<a1 U", "a2<u2 A m2"];
const BRANCH: [&str; 2] = ["u3<a1 U", "a3<u3 A m3"];

fn read(lines: &[&str]) -> (Index, Vec<String>) {
    let (mut index, mut names) = (Index::default(), Vec::new());
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "leaf" => index.noted_leaf = Some(Key::new(words[1])),
            "list" => {
                let lines = PreservedLines::Listed(words[2..].iter().map(|name| Key::new(name)).collect());
                index.preserved = Some(Preserved { anchor: Key::new(words[1]), lines });
            }
            "segment" => {
                let lines = PreservedLines::Between { head: Key::new(words[2]), tail: Key::new(words[3]) };
                index.preserved = Some(Preserved { anchor: Key::new(words[1]), lines });
            }
            _ => add(&mut index, &mut names, &words),
        }
    }
    (index, names)
}

fn add(index: &mut Index, names: &mut Vec<String>, words: &[&str]) {
    let (name, parent) = words[0].split_once('<').unwrap();
    let kind = match words[1] {
        "A" => Kind::Assistant,
        "R" => Kind::Result,
        "B" => Kind::Boundary,
        "U" | "S" => Kind::Prompt,
        _ => Kind::Other,
    };
    if kind == Kind::Boundary {
        (index.noted_leaf, index.preserved) = (None, None);
    }
    let seconds = words.iter().find_map(|word| word.strip_prefix('@')).map(|text| text.parse::<i64>().unwrap());
    index.push(Entry {
        key: Key::new(name),
        parent: (parent != "-").then(|| Key::new(parent)),
        answer: words.get(2).filter(|_| kind == Kind::Assistant).map(|name| Key::new(name)),
        kind,
        side: words[1] == "S",
        at: Some(1000 * seconds.unwrap_or(i64::try_from(names.len()).unwrap())),
        offset: 0,
        len: 0,
    });
    names.push(name.to_owned());
}

fn chain(lines: &[&str]) -> String {
    let (index, names) = read(lines);
    live_chain(&index).into_iter().map(|at| names[at].clone()).collect::<Vec<_>>().join(" ")
}

fn base(more: &[&str]) -> String {
    chain(&[&BASE[..], more].concat())
}

fn branched(more: &[&str]) -> String {
    chain(&[&BASE[..], &BRANCH, more].concat())
}

#[test]
fn the_leaf_is_the_last_line_unless_another_is_noted() {
    assert_eq!(branched(&[]), "u1 a1 u3 a3");
    assert_eq!(branched(&["leaf a2"]), "u1 a1 u2 a2");
    assert_eq!(branched(&["leaf a2", "leaf a3"]), "u1 a1 u3 a3");
    assert_eq!(branched(&["leaf a3", "leaf a2"]), "u1 a1 u2 a2");
    assert_eq!(base(&["leaf a2", BRANCH[0], BRANCH[1]]), "u1 a1 u2 a2");
    assert_eq!(base(&["t1<u1 X"]), "u1 t1");
}

#[test]
fn a_noted_leaf_gives_way_to_its_descendants_and_must_exist() {
    assert_eq!(base(&["leaf a1"]), "u1 a1 u2 a2");
    assert_eq!(branched(&["leaf a1"]), "u1 a1 u3 a3");
    assert_eq!(base(&["leaf a2", "u7<a2 U", "a7<u7 A m7", "u8<a2 U"]), "u1 a1 u2 a2 u8");
    assert_eq!(base(&["leaf a2", "u7<a2 U", BRANCH[0]]), "u1 a1 u2 a2");
    assert_eq!(branched(&["leaf a2", "leaf zz"]), "u1 a1 u3 a3");
    assert_eq!(base(&["leaf a2", "u5<- U"]), "u1 a1 u2 a2");
}

#[test]
fn sidechains_are_out_and_unknown_types_are_passed_through() {
    assert_eq!(base(&["s1<- S", "s2<s1 S"]), "u1 a1 u2 a2");
    assert_eq!(base(&["s1<a2 S"]), "u1 a1 u2 a2");
    assert_eq!(chain(&["u1<- U", "p1<u1 X", "a1<p1 A m1"]), "u1 p1 a1");
}

#[test]
fn parallel_calls_come_before_their_results() {
    let calls = ["u1<- U", "c1<u1 A m", "c2<c1 A m", "c3<c2 A m"];
    let with = |more: &[&str]| chain(&[&calls[..], more].concat());
    assert_eq!(with(&["r1<c1 R", "r3<c3 R", "r2<c2 R", "a4<r2 A m4"]), "u1 c1 c2 c3 r1 r3 r2 a4");
    assert_eq!(with(&["r3<c3 R", "r2<c2 R", "r1<c1 R", "a4<r1 A m4"]), "u1 c1 c2 c3 r3 r2 r1 a4");
    let interleaved = ["u1<- U", "c1<u1 A m", "r1<c1 R", "c2<c1 A m", "r2<c2 R", "a4<r1 A m4"];
    assert_eq!(chain(&interleaved), "u1 c1 c2 r2 r1 a4");
    let siblings = ["u1<- U", "c1<u1 A m", "c2<u1 A m", "r1<c1 R", "r2<c2 R", "a4<r2 A m4"];
    assert_eq!(chain(&siblings), "u1 c2 c1 r1 r2 a4");
}

#[test]
fn parallel_lines_go_by_time() {
    let late = [
        "u1<- U @9",
        "c1<u1 A m @8",
        "c2<c1 A m @7",
        "c3<c2 A m @6",
        "r3<c3 R @5",
        "r2<c2 R @4",
        "r1<c1 R @3",
        "a4<r1 A m4 @2",
    ];
    assert_eq!(chain(&late), "u1 c1 c3 c2 r2 r3 r1 a4");
}

#[test]
fn only_results_are_pulled_in_and_answers_go_by_id() {
    let prompt = ["u1<- U", "c1<u1 A m", "c2<c1 A m", "r2<c2 R", "ux<r2 U", "r1<c1 R", "a4<r1 A m4"];
    assert_eq!(chain(&prompt), "u1 c1 c2 r2 r1 a4");
    assert_eq!(base(&["u3<a1 U", "a3<u3 A m2"]), "u1 a1 u3 a3 a2");
}

#[test]
fn a_boundary_cuts_what_came_before() {
    assert_eq!(base(&["b1<- B", "k1<b1 U", "a6<k1 A m6", "b2<- B", "k2<b2 U"]), "b2 k2");
    assert_eq!(base(&["b1<a2 B", "k1<b1 U"]), "b1 k1");
    assert_eq!(base(&["b1<- B", "k1<b1 U", "leaf a2"]), "u1 a1 u2 a2");
    assert_eq!(base(&["leaf a2", "b1<- B", "k1<b1 U"]), "b1 k1");
}

#[test]
fn preserved_lines_follow_their_anchor() {
    let with = |preserved: &str, more: &[&str]| base(&[&["b1<- B", preserved, "k1<b1 U"], more].concat());
    let next = ["u6<k1 U", "a6<u6 A m6"];
    assert_eq!(with("segment k1 u2 a2", &next), "b1 k1 u2 a2 u6 a6");
    assert_eq!(with("list k1 u2 a2", &next), "b1 k1 u2 a2 u6 a6");
    assert_eq!(with("segment b1 u2 a2", &next), "b1 u2 a2 k1 u6 a6");
    assert_eq!(with("list k1 a1 u1", &next), "b1 k1 a1 u1 u6 a6");
    assert_eq!(with("list k1 u2 a2", &["leaf a2"]), "b1 k1 u2 a2");
    assert_eq!(with("list k1 u2 a2", &["u9<a2 U"]), "b1 k1 u2 a2 u9");
}

#[test]
fn nothing_is_preserved_if_a_piece_is_missing() {
    for preserved in ["segment k1 u2 zz", "segment k1 zz a2", "list k1 a1 zz", "list zz a2"] {
        assert_eq!(base(&["b1<- B", preserved, "k1<b1 U", "a6<k1 A m6"]), "b1 k1 a6", "{preserved}");
    }
}

#[test]
fn a_lost_parent_is_replaced_by_what_came_just_before() {
    let gap =
        |seconds: &str| chain(&["u1<- U @1", &format!("u5<gone U @{seconds}"), &format!("a5<u5 A m5 @{seconds}")]);
    assert_eq!(gap("6"), "u1 u5 a5");
    assert_eq!(gap("7"), "u5 a5");
    let by_time = ["u1<- U @1", "a1<u1 A m1 @40", "ux<- U @2", "u5<gone U @42"];
    assert_eq!(chain(&by_time), "u1 a1 u5");
    assert_eq!(chain(&["u1<- U @1", "a1<u1 A m1 @46", "u5<gone U @42"]), "u5");
    assert_eq!(chain(&["u1<- U @40", "s1<- S @42", "u5<gone U @42"]), "u1 u5");
}

#[test]
fn loops_and_repeats_end() {
    assert_eq!(chain(&["u1<a1 U", "a1<u1 A m1"]), "u1 a1");
    assert_eq!(chain(&["u1<u1 U"]), "u1");
    assert_eq!(base(&["a2<u2 A m2"]), "u1 a1 u2 a2");
    assert_eq!(chain(&["s1<- S"]), "");
}
