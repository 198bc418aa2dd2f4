//! QUERY: a statement, with what its meaning depends on.

use crate::binlog::reader::{Malformed, Reader};

/// A statement as it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    /// The connection that ran it.
    pub thread: u32,
    /// The default database, in UTF-8.
    pub database: &'a [u8],
    /// The statement, in the client's character set.
    pub statement: &'a [u8],
    /// What came with it.
    pub context: Context,
}

/// The session's settings that a statement's meaning depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Context {
    /// `sql_mode` has ANSI_QUOTES.
    pub ansi_quotes: bool,
    /// `sql_mode` has NO_BACKSLASH_ESCAPES.
    pub no_backslash_escapes: bool,
    /// `explicit_defaults_for_timestamp` is on, as is told with statements that define tables from 8.0 on.
    pub explicit_timestamps: bool,
    /// The collation of `character_set_client`.
    pub client_collation: Option<u16>,
    /// Microseconds of the time when the statement started.
    pub micros: u32,
    /// The databases that it wrote to, triggers included; `None` if not told.
    pub updated: Option<Vec<String>>,
}

const MODE_ANSI_QUOTES: u64 = 1 << 2;
const MODE_NO_BACKSLASH_ESCAPES: u64 = 1 << 20;
/// The file's number, two places in the statement, and what to do with duplicates.
const LOAD_LEN: usize = 4 + 4 + 4 + 1;
/// In place of a count: more databases than can be told.
const TOO_MANY_DATABASES: u8 = 254;

impl<'a> Query<'a> {
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::read_with(body, 0)
    }

    /// Reads EXECUTE_LOAD_QUERY: `LOAD DATA`, and before it which file it reads and where in the statement that is named.
    pub fn read_load(body: &'a [u8]) -> Result<Self, Malformed> {
        Self::read_with(body, LOAD_LEN)
    }

    /// `more`: bytes between the lengths and the status variables.
    fn read_with(body: &'a [u8], more: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let thread = reader.u32()?;
        reader.u32()?;
        let database_len = usize::from(reader.u8()?);
        reader.u16()?;
        let variables_len = usize::from(reader.u16()?);
        reader.take(more)?;
        let variables = reader.take(variables_len)?;
        let database = reader.take(database_len)?;
        if reader.u8()? != 0 {
            return Err(Malformed("its database name does not end with NUL"));
        }
        Ok(Self { thread, database, statement: reader.rest(), context: Context::read(variables)? })
    }
}

impl Context {
    /// Reads the status variables, up to the first that is not known: their
    /// lengths are not told, and newer ones stand behind older ones.
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut context = Self::default();
        while !reader.is_empty() {
            let variable = reader.u8()?;
            if !context.take(variable, &mut reader)? {
                break;
            }
        }
        Ok(context)
    }

    /// Reads one variable; false if it is not known (`statement_events.h`,
    /// `Query_event_post_header` and `Query_status_vars`).
    fn take(&mut self, variable: u8, reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        match variable {
            1 => {
                let mode = reader.u64()?;
                self.ansi_quotes = mode & MODE_ANSI_QUOTES != 0;
                self.no_backslash_escapes = mode & MODE_NO_BACKSLASH_ESCAPES != 0;
            }
            2 => {
                let length = usize::from(reader.u8()?);
                reader.take(length + 1)?;
            }
            4 => {
                self.client_collation = Some(reader.u16()?);
                reader.u32()?;
            }
            // Time zone and catalog: text after its length.
            5 | 6 => text(reader)?,
            // The definer: user and host.
            11 => {
                text(reader)?;
                text(reader)?;
            }
            12 => self.updated = databases(reader)?,
            13 => self.micros = u32::try_from(reader.uint(3)?).unwrap_or(0),
            16 => self.explicit_timestamps = reader.u8()? != 0,
            other => match fixed_len(other) {
                Some(length) => {
                    reader.take(length)?;
                }
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

fn fixed_len(variable: u8) -> Option<usize> {
    match variable {
        19 | 20 => Some(1),
        7 | 8 | 18 => Some(2),
        0 | 3 | 10 => Some(4),
        9 | 14 | 15 | 17 => Some(8),
        _ => None,
    }
}

fn text(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let length = usize::from(reader.u8()?);
    reader.take(length).map(drop)
}

fn databases(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, Malformed> {
    let count = reader.u8()?;
    if count == TOO_MANY_DATABASES {
        return Ok(None);
    }
    let mut names = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let rest = reader.rest();
        let length = rest.iter().position(|b| *b == 0).ok_or(Malformed("a database name has no end"))?;
        names.push(String::from_utf8_lossy(reader.take(length)?).into_owned());
        reader.u8()?;
    }
    Ok(Some(names))
}
