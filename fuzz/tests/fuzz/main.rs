//! Short runs of every target, long ones on request, and inputs that failed once.

#[cfg(test)]
mod runs;
