//! What this machine noted of chats that moved, as far as it cannot be read: one damaged note keeps nobody from the other chats,
//! and is not passed over in silence.

use serde::de::DeserializeOwned;

use super::{arrived::Arrival, claiming::Claiming, held::Moved};
use crate::{
    error::CliError,
    home::{self, Home},
};

/// Why notes of chats that moved away, came, or are being taken in cannot be read.
pub fn damaged(home: &Home) -> Vec<CliError> {
    let away = of::<Moved>(home, "moved");
    away.chain(of::<Arrival>(home, "arrived")).chain(of::<Claiming>(home, "claiming")).collect()
}

/// Those that can be read.
pub(super) fn readable<T: DeserializeOwned>(home: &Home, folder: &str) -> impl Iterator<Item = T> {
    home::read_each(&home.path(folder)).into_iter().flatten()
}

fn of<T: DeserializeOwned>(home: &Home, folder: &str) -> impl Iterator<Item = CliError> {
    home::read_each::<T>(&home.path(folder)).into_iter().filter_map(Result::err)
}
