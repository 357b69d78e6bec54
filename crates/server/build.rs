//! A migration that is added is compiled in, although no source file changes with it.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
