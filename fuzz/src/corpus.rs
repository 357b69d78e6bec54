//! Honest inputs: what the vectors and the recorded sessions hold, and inputs that failed once.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde_json::Value;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every hexadecimal text that stands under one of `keys` in the vector file `name`.
pub fn vectors(name: &str, keys: &[&str]) -> Vec<Vec<u8>> {
    texts(name, keys).iter().filter_map(|text| HEXLOWER.decode(text).ok()).collect()
}

/// Every text that stands under one of `keys` in the vector file `name`, as it is.
pub fn texts(name: &str, keys: &[&str]) -> Vec<Vec<u8>> {
    let path = checkout().join("crates/crypto/vectors").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found = Vec::new();
    walk(&serde_json::from_slice(&text).expect("a vector file is JSON"), keys, &mut found);
    found
}

fn walk(value: &Value, keys: &[&str], found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, keys, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if keys.contains(&name.as_str()) => found.push(text.clone().into_bytes()),
                    _ => walk(value, keys, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every recorded transcript, in the order of their paths.
pub fn transcripts() -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    list(&checkout().join("crates/formats/fixtures"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

/// The active view that the vectors hold, and one without its end, its draft and its key card.
pub fn active_views() -> Vec<Vec<u8>> {
    let path = checkout().join("crates/formats/vectors/active_view.json");
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Value = serde_json::from_slice(&text).expect("a vector file is JSON");
    let whole = vectors["active_view"]["encoded"].as_str().expect("an active view").to_owned();
    let mut bare: Value = serde_json::from_str(&whole).expect("it is JSON");
    (bare["tail"]["messages"], bare["tail"]["skipped"]) = (Value::Array(Vec::new()), bare["chat"]["count"].clone());
    (bare["draft"], bare["source"]["key_card"]) = (Value::Null, Value::Null);
    vec![whole.into_bytes(), bare.to_string().into_bytes()]
}

/// Inputs on which `target` failed once, with their paths.
pub fn regressions(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths = Vec::new();
    list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, bytes)
        })
        .collect()
}

/// All files below `dir`; none when it is not there.
fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}
