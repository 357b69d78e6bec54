//! How our types stand in columns.

use std::{fmt::Display, str::FromStr};

use segue_domain::{Plan, Timestamp};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};

/// A value that stands in a `TEXT` column in its one spelling: every id of `segue_domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<T>(pub(crate) T);

impl<DB: Database, T> Type<DB> for Text<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(info: &DB::TypeInfo) -> bool {
        String::compatible(info)
    }
}

impl<'q, DB: Database, T: Display> Encode<'q, DB> for Text<T>
where
    String: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.to_string().encode(buffer)
    }
}

impl<'r, DB: Database, T: FromStr<Err: std::error::Error + Send + Sync + 'static>> Decode<'r, DB> for Text<T>
where
    String: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(String::decode(value)?.parse()?))
    }
}

/// A time that stands in a `BIGINT` column as unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Millis(i64);

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millis())
    }
}

impl From<Millis> for Timestamp {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

/// A column that does not hold what the schema promises: the database was changed by hand, or by a newer server.
pub(crate) fn corrupt(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} is not what this server writes").into())
}

/// A person's own plan.
pub(crate) fn plan(word: Option<String>) -> Result<Option<Plan>, sqlx::Error> {
    word.map(|word| word.parse().map_err(|_| corrupt("a plan"))).transpose()
}

/// Exactly 32 bytes.
pub(crate) fn hash(bytes: &[u8], what: &'static str) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(|_| corrupt(what))
}
