//! The pairing's rules: its whole table, and generated histories.

#[cfg(test)]
mod histories;
#[cfg(test)]
mod table;
