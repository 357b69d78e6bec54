//! How much a hostile line holds in memory while it is taken and installed. A program of its own, as memory is counted for
//! the whole of it; one test, so that nothing else is counted.

#[cfg(test)]
mod lines;
