//! The kinds of statements.

use cdc_sdk::TableName;

use super::Effect;
use super::alter;
use super::lexer::{Dialect, Token, tokens};

/// What a statement in the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sense {
    /// It starts a transaction.
    Begin,
    /// It commits one.
    Commit,
    /// It rolls one back.
    Rollback,
    /// It marks a place in one, or gives a mark up.
    Savepoint,
    /// It rolls one back to a mark.
    RollbackTo,
    /// `XA START`: it starts one.
    XaStart {
        /// The transaction's identifier as the statement writes it.
        xid: String,
    },
    /// `XA END`.
    XaEnd,
    /// `XA COMMIT` of one that is prepared.
    XaCommit {
        /// The transaction's identifier as the statement writes it.
        xid: String,
    },
    /// `XA ROLLBACK` of one that is prepared.
    XaRollback {
        /// The transaction's identifier as the statement writes it.
        xid: String,
    },
    /// It changes rows, told as a statement instead of by rows.
    Dml,
    /// It changes tables; empty if none that could be captured.
    Ddl(Vec<Effect>),
}

/// Longest statement that is looked into, bytes; longer ones have unknown effects.
const STATEMENT_LEN_MAX: usize = 16 << 20;

/// Tells what a statement is. `database` is the session's default database.
pub fn classify(statement: &str, database: &str, dialect: Dialect) -> Sense {
    if statement == "BEGIN" {
        return Sense::Begin;
    }
    if statement.len() > STATEMENT_LEN_MAX {
        return Sense::Ddl(vec![Effect::Unknown { table: None }]);
    }
    let tokens = tokens(statement, dialect);
    match Parser::new(&tokens, database, dialect).statement() {
        Sense::XaStart { .. } => Sense::XaStart { xid: xid(statement) },
        Sense::XaCommit { .. } => Sense::XaCommit { xid: xid(statement) },
        Sense::XaRollback { .. } => Sense::XaRollback { xid: xid(statement) },
        sense => sense,
    }
}

/// What stands behind the first two words.
fn xid(statement: &str) -> String {
    statement.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
}

/// Steps over tokens.
pub(crate) struct Parser<'a, 't> {
    tokens: &'t [Token<'a>],
    database: &'a str,
    dialect: Dialect,
}

impl<'a, 't> Parser<'a, 't> {
    pub fn new(tokens: &'t [Token<'a>], database: &'a str, dialect: Dialect) -> Self {
        Self { tokens, database, dialect }
    }

    /// The tokens that are left.
    pub fn rest(&self) -> &'t [Token<'a>] {
        self.tokens
    }

    /// A parser of other tokens in the same session.
    pub fn of(&self, tokens: &'t [Token<'a>]) -> Self {
        Self { tokens, database: self.database, dialect: self.dialect }
    }

    /// What the reading depends on.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The next token as a keyword in capitals, without taking it.
    pub fn peek(&self) -> String {
        match self.tokens.first() {
            Some(Token::Word(word)) => word.to_ascii_uppercase(),
            _ => String::new(),
        }
    }

    /// Takes a token.
    pub fn step(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Takes the keyword if it comes next.
    pub fn accept(&mut self, keyword: &str) -> bool {
        let there = matches!(self.tokens.first(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
        if there {
            self.step();
        }
        there
    }

    /// Takes one of the keywords if it comes next.
    pub fn accept_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.accept(keyword))
    }

    /// Takes the symbol if it comes next.
    pub fn symbol(&mut self, symbol: char) -> bool {
        let there = self.tokens.first() == Some(&Token::Symbol(symbol));
        if there {
            self.step();
        }
        there
    }

    /// Takes a name.
    pub fn identifier(&mut self) -> Option<String> {
        match self.step()? {
            Token::Word(word) => Some((*word).to_owned()),
            Token::Name(name) => Some(name.clone()),
            Token::Text(_) | Token::Symbol(_) => None,
        }
    }

    /// Takes a table's name: `table`, `database.table` or `.table`.
    pub fn table(&mut self) -> Option<TableName> {
        let leading_dot = self.symbol('.');
        let first = self.identifier()?;
        let (database, table) = if !leading_dot && self.symbol('.') {
            (first, self.identifier()?)
        } else {
            (self.database.to_owned(), first)
        };
        let fold = |name: String| if self.dialect.fold_names { name.to_lowercase() } else { name };
        Some(TableName::new(fold(database), fold(table)))
    }

    /// The names in a list, as far as it can be read; false if not to its end.
    fn tables(&mut self) -> (Vec<TableName>, bool) {
        let mut names = Vec::new();
        while let Some(name) = self.table() {
            names.push(name);
            if !self.symbol(',') {
                return (names, true);
            }
        }
        (names, false)
    }

    fn statement(&mut self) -> Sense {
        while self.symbol('(') {}
        let first = self.peek();
        self.step();
        match first.as_str() {
            "BEGIN" | "START" => Sense::Begin,
            "COMMIT" => Sense::Commit,
            "ROLLBACK" => self.rollback(),
            "SAVEPOINT" | "RELEASE" => Sense::Savepoint,
            "XA" => self.xa(),
            "CREATE" => Sense::Ddl(self.create()),
            "ALTER" => Sense::Ddl(self.alter()),
            "DROP" => Sense::Ddl(self.drop()),
            "TRUNCATE" => {
                self.accept("TABLE");
                Sense::Ddl(vec![self.table().map_or(Effect::Unknown { table: None }, Effect::Truncate)])
            }
            "RENAME" => Sense::Ddl(self.rename()),
            "DELETE" | "INSERT" | "UPDATE" | "REPLACE" | "LOAD" | "WITH" | "CALL" | "DO" | "SELECT"
            | "VALUES" | "TABLE" | "HANDLER" => Sense::Dml,
            "REPAIR" => Sense::Ddl(self.repair()),
            "GRANT" | "REVOKE" | "SET" | "ANALYZE" | "OPTIMIZE" | "CHECK" | "FLUSH" | "INSTALL"
            | "UNINSTALL" | "LOCK" | "UNLOCK" | "USE" => Sense::Ddl(Vec::new()),
            "" if self.rest().is_empty() => Sense::Ddl(Vec::new()),
            _ => Sense::Ddl(vec![Effect::Unknown { table: None }]),
        }
    }

    fn rollback(&mut self) -> Sense {
        self.accept("WORK");
        if self.accept("TO") { Sense::RollbackTo } else { Sense::Rollback }
    }

    fn xa(&mut self) -> Sense {
        let second = self.peek();
        match second.as_str() {
            "START" | "BEGIN" => Sense::XaStart { xid: String::new() },
            "END" => Sense::XaEnd,
            "COMMIT" => Sense::XaCommit { xid: String::new() },
            "ROLLBACK" => Sense::XaRollback { xid: String::new() },
            _ => Sense::Ddl(vec![Effect::Unknown { table: None }]),
        }
    }

    fn repair(&mut self) -> Vec<Effect> {
        self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
        if !self.accept("TABLE") {
            return vec![Effect::Unknown { table: None }];
        }
        let (names, _) = self.tables();
        if names.is_empty() {
            return vec![Effect::Unknown { table: None }];
        }
        names.into_iter().map(|name| Effect::Unknown { table: Some(name) }).collect()
    }

    fn create(&mut self) -> Vec<Effect> {
        let temporary = self.tokens.iter().take(3).any(|t| is_word(t, "TEMPORARY"));
        match self.object().as_str() {
            "TABLE" if temporary => Vec::new(),
            "TABLE" => self.create_table(),
            "INDEX" => self.index(),
            "" => vec![Effect::Unknown { table: None }],
            _ => Vec::new(),
        }
    }

    /// Steps behind the word that says what is made, changed or dropped; "" if there
    /// is none that is known.
    fn object(&mut self) -> String {
        const OBJECTS: [&str; 19] = [
            "TABLE",
            "TABLES",
            "INDEX",
            "DATABASE",
            "SCHEMA",
            "VIEW",
            "TRIGGER",
            "PROCEDURE",
            "FUNCTION",
            "EVENT",
            "USER",
            "ROLE",
            "SERVER",
            "TABLESPACE",
            "LOGFILE",
            "RESOURCE",
            "REFERENCE",
            "INSTANCE",
            "LIBRARY",
        ];
        while let Some(token) = self.step() {
            if let Token::Word(word) = token
                && let Some(object) = OBJECTS.iter().find(|o| word.eq_ignore_ascii_case(o))
            {
                return (*object).to_owned();
            }
        }
        String::new()
    }

    fn create_table(&mut self) -> Vec<Effect> {
        self.if_exists();
        let Some(name) = self.table() else { return vec![Effect::Unknown { table: None }] };
        let filled = self
            .tokens
            .iter()
            .any(|t| is_word(t, "SELECT") || is_word(t, "VALUES") && !self.is_partitioned());
        let mut effects = vec![Effect::Create(name.clone())];
        if filled {
            effects.push(Effect::Rewrite {
                table: name,
                why: "CREATE TABLE … SELECT was logged as a statement",
            });
        }
        effects
    }

    /// Partitions are declared with VALUES LESS THAN and VALUES IN.
    fn is_partitioned(&self) -> bool {
        self.tokens.iter().any(|t| is_word(t, "PARTITION"))
    }

    fn if_exists(&mut self) {
        if self.accept("IF") {
            self.accept("NOT");
            self.accept("EXISTS");
        }
    }

    /// `… INDEX name ON table`.
    fn index(&mut self) -> Vec<Effect> {
        while !self.tokens.is_empty() && !self.accept("ON") {
            self.step();
        }
        vec![self.table().map_or(Effect::Unknown { table: None }, Effect::Metadata)]
    }

    fn alter(&mut self) -> Vec<Effect> {
        match self.object().as_str() {
            "TABLE" => match self.table() {
                Some(name) => alter::effects(self, &name),
                None => vec![Effect::Unknown { table: None }],
            },
            "" => vec![Effect::Unknown { table: None }],
            _ => Vec::new(),
        }
    }

    fn drop(&mut self) -> Vec<Effect> {
        let temporary = self.accept("TEMPORARY");
        match self.object().as_str() {
            "TABLE" | "TABLES" if temporary => Vec::new(),
            "TABLE" | "TABLES" => {
                self.if_exists();
                let (names, whole) = self.tables();
                let unread = (!whole).then_some(Effect::Unknown { table: None });
                names.into_iter().map(Effect::Drop).chain(unread).collect()
            }
            "INDEX" => self.index(),
            "DATABASE" | "SCHEMA" => {
                self.if_exists();
                vec![
                    self.identifier()
                        .map_or(Effect::Unknown { table: None }, |name| self.database_gone(name)),
                ]
            }
            "" => vec![Effect::Unknown { table: None }],
            _ => Vec::new(),
        }
    }

    fn database_gone(&self, name: String) -> Effect {
        Effect::DropDatabase(if self.dialect.fold_names { name.to_lowercase() } else { name })
    }

    fn rename(&mut self) -> Vec<Effect> {
        if self.accept("USER") {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if !self.accept_any(&["TABLE", "TABLES"]) {
            return vec![Effect::Unknown { table: None }];
        }
        loop {
            let from = self.table();
            let to = if self.accept("TO") { self.table() } else { None };
            match (from, to) {
                (Some(from), Some(to)) => effects.push(Effect::Rename { from, to }),
                (table, _) => effects.push(Effect::Unknown { table }),
            }
            if !self.symbol(',') {
                return effects;
            }
        }
    }
}

/// Whether a token is this keyword.
pub(crate) fn is_word(token: &Token<'_>, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
}
