//! The segue command: hands a live AI coding session to a teammate.
fn main() {}
