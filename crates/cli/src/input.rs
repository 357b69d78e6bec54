//! Standard input. It is read once: a command that begins anew, because it must follow what happened to its account, finds what it
//! read before.

use std::{
    fmt,
    io::{self, BufRead as _, Read as _},
    sync::{Mutex, PoisonError},
};

use zeroize::Zeroizing;

/// What was read so far.
#[derive(Default)]
pub struct Input {
    whole: Mutex<Option<Zeroizing<Vec<u8>>>>,
    line: Mutex<Option<Zeroizing<String>>>,
}

impl Input {
    /// All of it, as far as `bytes_max`.
    pub fn whole(&self, bytes_max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        once(&self.whole, || {
            let mut bytes = Zeroizing::new(Vec::new());
            io::stdin().lock().take(bytes_max).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }

    /// Its first line that holds something; empty where none does. Editors put a byte order mark before it, and people an empty one.
    pub fn first_line(&self, bytes_max: u64) -> io::Result<Zeroizing<String>> {
        once(&self.line, || {
            for line in io::stdin().lock().take(bytes_max).lines() {
                let line = Zeroizing::new(line?);
                let text = line.trim_start_matches('\u{feff}').trim();
                if !text.is_empty() {
                    return Ok(Zeroizing::new(text.to_owned()));
                }
            }
            Ok(Zeroizing::default())
        })
    }
}

/// It may hold secrets.
impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Input")
    }
}

fn once<T: Clone>(kept: &Mutex<Option<T>>, read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // What was read is whole whenever the lock is free.
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = &*kept {
        return Ok(kept.clone());
    }
    Ok(kept.insert(read()?).clone())
}
