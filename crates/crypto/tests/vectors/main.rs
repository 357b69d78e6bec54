//! Known answers that every client reads from `vectors/*.json`. Everything is drawn from fixed seeds, so a change of one
//! byte fails here. `UPDATE_VECTORS=1 cargo test` writes the files anew: only together with a new protocol version.

#[cfg(test)]
mod devices;
#[cfg(test)]
mod encoding;
#[cfg(test)]
mod envelope;
#[cfg(test)]
mod file;
#[cfg(test)]
mod invite;
#[cfg(test)]
mod keycard;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod people;
#[cfg(test)]
mod team;
#[cfg(test)]
mod wrap;
