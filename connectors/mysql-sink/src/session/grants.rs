//! What the sink's account may do, read from SHOW GRANTS.

use super::connect::Session;
use super::refusal::Refusal;

/// Privileges of the account, those of its active roles included.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The account as GRANT names it.
    pub account: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// `*`, or a database's name, in which `%` and `_` are wildcards.
    pub database: String,
    privileges: Vec<String>,
}

impl Grants {
    /// Asks the server.
    pub async fn read(session: &mut Session) -> Result<Self, Refusal> {
        let lines: Vec<String> = session.rows("SHOW GRANTS").await?;
        let account: Option<String> = session.row("SELECT CURRENT_USER()").await?;
        let account = account.unwrap_or_default();
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        Ok(Self {
            account: format!("'{user}'@'{host}'"),
            entries: lines.iter().filter_map(|l| parse(l)).collect(),
        })
    }

    /// Which of the privileges the account lacks on a database.
    pub fn lacking<'p>(&self, database: &str, privileges: &[&'p str]) -> Vec<&'p str> {
        let covers = |e: &Entry, p: &str| e.has(p) && (e.database == "*" || like(&e.database, database));
        privileges.iter().copied().filter(|p| !self.entries.iter().any(|e| covers(e, p))).collect()
    }

    /// Whether the account has the privilege on some database.
    pub fn anywhere(&self, privilege: &str) -> bool {
        self.entries.iter().any(|e| e.has(privilege))
    }
}

impl Entry {
    pub fn has(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|p| p == privilege || p == "ALL PRIVILEGES")
    }
}

/// Reads `GRANT a, b ON <database>.<table> TO …`; `None` for roles and PROXY.
/// A grant on a single table counts for its database: which tables are meant is not known yet.
pub(super) fn parse(line: &str) -> Option<Entry> {
    let (privileges, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let database = match rest.strip_prefix('`') {
        Some(quoted) => quoted.split_once("`.")?.0.replace("``", "`"),
        None => rest.split_once('.')?.0.to_owned(),
    };
    if database.contains(' ') {
        return None;
    }
    Some(Entry {
        database,
        privileges: privileges.split(", ").map(|p| p.trim().to_ascii_uppercase()).collect(),
    })
}

/// MySQL's LIKE with `\` as escape, for names of databases in grants.
pub(super) fn like(pattern: &str, name: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = letters.as_str();
            name.char_indices().any(|(at, _)| like(rest, name.get(at..).unwrap_or_default()))
                || like(rest, "")
        }
        Some(letter) => {
            let (wanted, any) = match letter {
                '\\' => (letters.next().unwrap_or('\\'), false),
                '_' => ('_', true),
                other => (other, false),
            };
            let mut rest = name.chars();
            rest.next().is_some_and(|c| any || c == wanted) && like(letters.as_str(), rest.as_str())
        }
    }
}
