//! Recorded and damaged sessions, taken and installed in scratch homes.

#[cfg(test)]
mod active_view;
#[cfg(test)]
mod append;
#[cfg(test)]
mod coming_back;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod install;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod rejoin;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod torn;
#[cfg(test)]
mod turn;
#[cfg(test)]
mod vectors;
