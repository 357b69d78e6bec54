//! One claim wins.
