//! What `SHOW GRANTS` says, as far as a source needs it.

use std::collections::HashSet;

/// The privileges of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    /// Privileges on `*.*`, in upper case.
    global: HashSet<String>,
    /// Databases (patterns with `%` and `_` not resolved) with SELECT on all tables.
    select_databases: HashSet<String>,
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS`. What is not understood grants nothing here;
    /// then the tables are tried one by one.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        for line in lines {
            let Some((privileges, rest)) = line.strip_prefix("GRANT ").and_then(|l| l.split_once(" ON "))
            else {
                continue;
            };
            let Some((object, _)) = rest.split_once(" TO ") else { continue };
            let names = privileges.split(',').map(|p| p.trim().to_ascii_uppercase());
            if object == "*.*" {
                grants.global.extend(names);
            } else if let Some(database) = whole_database(object)
                && names.into_iter().any(|p| p == "SELECT" || p == "ALL PRIVILEGES")
            {
                grants.select_databases.insert(database);
            }
        }
        grants
    }

    /// Whether it has this privilege on everything.
    pub fn has(&self, privilege: &str) -> bool {
        self.global.contains(privilege) || self.global.contains("ALL PRIVILEGES")
    }

    /// Whether it may read all tables of a database.
    pub fn selects(&self, database: &str) -> bool {
        self.has("SELECT") || self.select_databases.contains(database)
    }
}

/// `` `shop`.* `` → `shop`; `None` for a single table, and for names with
/// wildcards, of which the server alone knows what they match.
fn whole_database(object: &str) -> Option<String> {
    let quoted = object.strip_suffix(".*")?;
    let name = quoted.strip_prefix('`')?.strip_suffix('`')?.replace("``", "`");
    let plain = name.replace("\\_", "\u{1}");
    (!plain.contains(['%', '_'])).then(|| plain.replace('\u{1}', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_privileges_are_found() {
        let grants =
            Grants::parse(["GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `cdc`@`%`"]);
        assert!(grants.has("REPLICATION SLAVE") && grants.has("REPLICATION CLIENT"));
        assert!(grants.selects("any"));
        assert!(!grants.has("RELOAD"));
    }

    #[test]
    fn all_is_all() {
        let grants = Grants::parse(["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]);
        assert!(grants.has("REPLICATION SLAVE") && grants.selects("shop"));
    }

    #[test]
    fn databases_are_told_apart() {
        let grants = Grants::parse([
            "GRANT USAGE ON *.* TO `cdc`@`%`",
            "GRANT SELECT, INSERT ON `shop`.* TO `cdc`@`%`",
            "GRANT SELECT ON `a\\_b`.* TO `cdc`@`%`",
            "GRANT SELECT ON `wild%`.* TO `cdc`@`%`",
            "GRANT SELECT ON `crm`.`one` TO `cdc`@`%`",
            "GRANT INSERT ON `log`.* TO `cdc`@`%`",
        ]);
        assert!(grants.selects("shop") && grants.selects("a_b"));
        for database in ["crm", "wild%", "wilder", "log", "other"] {
            assert!(!grants.selects(database), "{database}");
        }
    }

    #[test]
    fn roles_and_nonsense_grant_nothing() {
        let grants =
            Grants::parse(["GRANT `reader`@`%` TO `cdc`@`%`", "", "REVOKE SELECT ON *.* FROM `cdc`@`%`"]);
        assert_eq!(grants, Grants::default());
    }
}
