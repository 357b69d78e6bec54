//! What this machine noted of chats that moved, as far as it cannot be read: one damaged note keeps nobody from the other chats,
//! and is not passed over in silence.

use serde::de::DeserializeOwned;

use super::{arrived::Arrival, claiming::Claiming, held::Moved};
use crate::{
    home::{self, Home},
    output::Output,
};

/// Why notes of chats that moved away, came, or are being taken in cannot be read, and what to do.
pub fn damaged(home: &Home) -> Vec<String> {
    let away = of::<Moved>(home, "moved");
    away.chain(of::<Arrival>(home, "arrived")).chain(of::<Claiming>(home, "claiming")).collect()
}

/// Says so to a person. Gives whether all can be read.
pub fn warn_of_damaged(home: &Home, output: &Output) -> bool {
    let damaged = damaged(home);
    for text in &damaged {
        output.warn(format!("Warning: {text}"));
    }
    damaged.is_empty()
}

/// Those that can be read.
pub(super) fn readable<T: DeserializeOwned>(home: &Home, folder: &str) -> impl Iterator<Item = T> {
    home::read_each(&home.path(folder)).into_iter().flatten()
}

fn of<T: DeserializeOwned>(home: &Home, folder: &str) -> impl Iterator<Item = String> {
    let unread = home::read_each::<T>(&home.path(folder)).into_iter().filter_map(Result::err);
    unread.map(|error| format!("{error}. {}", error.hint).trim_end().to_owned())
}
