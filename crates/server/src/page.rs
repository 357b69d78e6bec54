//! Pages of lists: newest first by time and id, or oldest first by number, so that nothing is unreachable and nothing comes
//! twice.

use segue_domain::{Timestamp, limits};

use crate::failure::Failure;

/// Where a page begins: after this entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's id or name, as text.
    pub id: String,
}

/// Which page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// Only what is older than this.
    pub before: Cursor,
    /// At most so many entries.
    pub limit: i64,
}

impl Cursor {
    /// Before every entry.
    fn start() -> Self {
        Self { at: Timestamp::from_millis(i64::MAX), id: String::new() }
    }

    fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let known = id.len() <= limits::WIKI_SLUG_CHARS_MAX && id.bytes().all(known);
        let at = at.parse().ok().filter(|_| known)?;
        Some(Self { at: Timestamp::from_millis(at), id: id.to_owned() })
    }

    fn write(&self) -> String {
        format!("{}.{}", self.at.as_millis(), self.id)
    }
}

impl Page {
    /// The page that a request's `cursor` and `limit` name.
    pub fn new(cursor: Option<&str>, limit: Option<i64>) -> Result<Self, Failure> {
        let before = match cursor {
            None => Cursor::start(),
            Some(text) => Cursor::parse(text).ok_or_else(no_cursor)?,
        };
        Ok(Self { before, limit: entries(limit)? })
    }

    /// How many rows to fetch: one more than asked for tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts what was fetched to the page, and says where the next one begins.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, cursor: impl Fn(&T) -> Cursor) -> Option<String> {
        cut(rows, self.limit).map(|row| cursor(row).write())
    }
}

/// Which page of a list that is numbered and read from its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Onward {
    /// Only what comes after this number.
    pub after: i64,
    /// At most so many entries.
    pub limit: i64,
}

impl Onward {
    /// The page that a request's `cursor` and `limit` name.
    pub fn new(cursor: Option<&str>, limit: Option<i64>) -> Result<Self, Failure> {
        let after = cursor.map_or(Ok(0), |text| text.parse().map_err(|_| no_cursor()))?;
        Ok(Self { after, limit: entries(limit)? })
    }

    /// How many rows to fetch: one more than asked for tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts what was fetched to the page, and says where the next one begins.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, number: impl Fn(&T) -> i64) -> Option<String> {
        cut(rows, self.limit).map(|row| number(row).to_string())
    }
}

fn no_cursor() -> Failure {
    Failure::invalid("This is no cursor.").or("Take it from `next` of the page before.")
}

fn entries(limit: Option<i64>) -> Result<i64, Failure> {
    let limit = limit.unwrap_or(limits::PAGE_ENTRIES_MAX);
    if (1..=limits::PAGE_ENTRIES_MAX).contains(&limit) {
        return Ok(limit);
    }
    let way_out = format!("Ask for 1 to {} entries.", limits::PAGE_ENTRIES_MAX);
    Err(Failure::invalid("This is no number of entries.").or(way_out))
}

/// Cuts rows to a page; its last row when there is another page.
fn cut<T>(rows: &mut Vec<T>, limit: i64) -> Option<&T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let cursor = Cursor { at: Timestamp::from_millis(7), id: "hnd_0".to_owned() };
        assert_eq!(Cursor::parse(&cursor.write()), Some(cursor));
        for text in ["", "7", ".", "x.hnd_0", "7.hnd 0", "7.'", &format!("7.{}", "a".repeat(256))] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_knows_whether_there_is_a_next_one() {
        let page = Page::new(None, Some(2)).unwrap();
        let cursor = |id: &i64| Cursor { at: Timestamp::from_millis(*id), id: String::new() };
        assert_eq!(page.cut(&mut vec![3, 2], cursor), None);
        assert_eq!(page.cut(&mut vec![3, 2, 1], cursor), Some("2.".to_owned()));
        assert!(Page::new(None, Some(0)).is_err() && Page::new(None, Some(101)).is_err());
        let page = Onward::new(Some("7"), Some(1)).unwrap();
        assert_eq!((page.after, page.cut(&mut vec![8, 9], |number| *number)), (7, Some("8".to_owned())));
        assert!(Onward::new(Some("x"), None).is_err());
    }
}
