//! What a statement does, in a few words: `SELECT workflow_runs`. Keywords and names only, never a value.
//!
//! By "Generating query summary" of the database conventions: operations and their targets in order of appearance, at
//! most 255 characters. A literal cannot get in: names are taken only after a keyword that asks for one, and a quoted
//! string is not a name.

use std::sync::Arc;

const LONGEST: usize = 255;

/// A statement's `db.operation.name`, `db.collection.name` and `db.query.summary`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) operation: Option<Arc<str>>,
    /// Only where the statement names exactly one.
    pub(super) collection: Option<Arc<str>>,
    pub(super) text: Option<Arc<str>>,
}

impl Summary {
    pub(super) fn of(sql: &str) -> Self {
        let mut reader = Reader::default();
        for token in Tokens(sql) {
            reader.take(token);
        }
        reader.finish()
    }

    /// Whether the statement asks for rows.
    pub(super) fn selects(&self) -> bool {
        self.operation.as_deref() == Some("SELECT")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A bare word, or a name in its quotes.
    Word(&'a str),
    Quoted(&'a str),
    /// A literal.
    Value,
    Sign(char),
}

/// What the next name would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Nothing,
    /// A table.
    Target,
    /// Nothing, or an alias; a dot goes on with the name, a comma with the list.
    AfterTarget,
    /// The rest of a name, after its dot.
    Rest,
    /// Nothing; a comma goes on with the list.
    AfterAlias,
}

/// Statements that begin with a word of their own. What is not known is not said: it may be anything.
const OTHERS: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "CHECKPOINT",
    "CLOSE",
    "COMMENT",
    "COMMIT",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DETACH",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "LISTEN",
    "LOCK",
    "NOTIFY",
    "PRAGMA",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "UNLISTEN",
    "VACUUM",
];

#[derive(Default)]
struct Reader<'a> {
    words: Vec<String>,
    operation: Option<String>,
    /// The places of the tables in `words`.
    targets: Vec<usize>,
    /// Names that `WITH` defined: no tables.
    local: Vec<&'a str>,
    expect: Expect,
    last_word: &'a str,
    with: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: Token<'a>) {
        match token {
            Token::Word(word) => self.word(word),
            Token::Quoted(name) => self.name(name),
            Token::Sign('.') if self.expect == Expect::AfterTarget => self.expect = Expect::Rest,
            Token::Sign(',') if matches!(self.expect, Expect::AfterTarget | Expect::AfterAlias) => {
                self.expect = Expect::Target;
            }
            Token::Value | Token::Sign(_) => self.expect = Expect::Nothing,
        }
    }

    fn word(&mut self, word: &'a str) {
        let keyword = word.to_ascii_uppercase();
        let before = std::mem::replace(&mut self.last_word, word);
        match keyword.as_str() {
            "WITH" if self.words.is_empty() => self.with = true,
            "SELECT" | "INSERT" | "DELETE" | "REPLACE" | "MERGE" | "TRUNCATE" | "VALUES"
            | "CALL" | "COPY"
                if self.starts_operation(&keyword, before) =>
            {
                self.operate(keyword);
                if word.eq_ignore_ascii_case("COPY") || word.eq_ignore_ascii_case("TRUNCATE") {
                    self.expect = Expect::Target;
                }
            }
            "UPDATE" if self.starts_operation(&keyword, before) => {
                self.operate(keyword);
                self.expect = Expect::Target;
            }
            "FROM" | "JOIN" | "INTO" | "USING" if !self.words.is_empty() => {
                self.expect = Expect::Target
            }
            "TABLE" | "INDEX" | "VIEW" | "TRIGGER" | "SCHEMA" | "TYPE" | "SEQUENCE"
            | "DATABASE" | "FUNCTION"
                if self.defines() && self.targets.is_empty() =>
            {
                self.words.push(keyword);
                self.expect = Expect::Target;
            }
            "TABLE" | "IF" | "NOT" | "EXISTS" | "ONLY" | "CONCURRENTLY" | "LATERAL"
                if self.expect == Expect::Target => {}
            "AS" if self.with && self.words.is_empty() => self.local.push(before),
            "ON" | "WHERE" | "SET" | "GROUP" | "ORDER" | "LIMIT" | "RETURNING" | "UNION"
                if !self.words.is_empty() =>
            {
                self.expect = Expect::Nothing;
            }
            other if self.words.is_empty() && !self.with => {
                if OTHERS.contains(&other) {
                    self.operate(keyword);
                }
            }
            _ => self.name(word),
        }
    }

    fn defines(&self) -> bool {
        matches!(self.operation.as_deref(), Some("CREATE" | "DROP" | "ALTER"))
    }

    /// `ON CONFLICT DO UPDATE`, `ON DELETE CASCADE`, `FOR UPDATE`, `replace(…)` start nothing.
    fn starts_operation(&self, keyword: &str, before: &str) -> bool {
        if self.defines()
            || matches!(self.operation.as_deref(), Some("PRAGMA" | "GRANT" | "REVOKE"))
        {
            return false;
        }
        let follows = ["DO", "ON", "FOR", "KEY", "THEN", "OR"]
            .iter()
            .any(|word| before.eq_ignore_ascii_case(word));
        let function =
            matches!(keyword, "REPLACE" | "VALUES" | "MERGE" | "CALL" | "COPY" | "TRUNCATE");
        !follows && (!function || self.words.is_empty())
    }

    fn operate(&mut self, keyword: String) {
        if self.operation.is_none() {
            self.operation = Some(keyword.clone());
        }
        self.words.push(keyword);
        self.expect = Expect::Nothing;
    }

    fn name(&mut self, name: &'a str) {
        match self.expect {
            Expect::Nothing | Expect::AfterAlias => {}
            Expect::AfterTarget => self.expect = Expect::AfterAlias,
            Expect::Target => {
                self.expect = Expect::AfterTarget;
                if is_plain(name)
                    && !self.local.iter().any(|local| local.eq_ignore_ascii_case(name))
                {
                    self.targets.push(self.words.len());
                    self.words.push(name.to_owned());
                }
            }
            Expect::Rest => {
                self.expect = Expect::AfterTarget;
                let last = self.targets.last().and_then(|place| self.words.get_mut(*place));
                if let (true, Some(word)) = (is_plain(name), last) {
                    word.push('.');
                    word.push_str(name);
                }
            }
        }
    }

    fn finish(self) -> Summary {
        let mut text = String::new();
        for word in &self.words {
            if text.len() + word.len() + 1 > LONGEST {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        let mut tables = self.targets.iter().filter_map(|place| self.words.get(*place));
        let first = tables.next();
        let collection = first.filter(|first| tables.all(|other| other == *first));
        Summary {
            operation: self.operation.map(Arc::from),
            collection: collection.map(|name| Arc::from(name.as_str())),
            text: (!text.is_empty()).then(|| text.into()),
        }
    }
}

/// A name made of letters, digits and the signs that names have: anything else may be somebody's data.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
}

struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.0 = self.0.trim_start();
            let first = self.0.chars().next()?;
            if self.0.starts_with("--") {
                self.skip(self.0.find('\n').unwrap_or(self.0.len()));
                continue;
            }
            if self.0.starts_with("/*") {
                self.skip(self.0.find("*/").map_or(self.0.len(), |end| end + 2));
                continue;
            }
            return Some(match first {
                '\'' => {
                    self.quoted('\'');
                    Token::Value
                }
                '"' | '`' => Token::Quoted(self.quoted(first)),
                '[' => Token::Quoted(self.quoted(']')),
                '$' => self.dollar(),
                '0'..='9' | '?' | ':' | '@' => {
                    let end = self.0[1..]
                        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':')));
                    self.skip(end.map_or(self.0.len(), |end| end + 1));
                    Token::Value
                }
                c if c.is_alphabetic() || c == '_' => self.word(),
                c => {
                    self.skip(c.len_utf8());
                    Token::Sign(c)
                }
            });
        }
    }
}

impl<'a> Tokens<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn word(&mut self) -> Token<'a> {
        let end = self.0.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
        let word = self.skip(end.unwrap_or(self.0.len()));
        // `E'…'`, `X'…'`: a literal with a letter before it.
        if word.len() == 1 && self.0.starts_with('\'') {
            self.quoted('\'');
            return Token::Value;
        }
        Token::Word(word)
    }

    /// Up to the closing quote; a doubled one stands for itself. An open end takes the rest.
    fn quoted(&mut self, close: char) -> &'a str {
        let start = self.0;
        let mut end = 1;
        loop {
            match start[end..].find(close) {
                None => {
                    self.0 = "";
                    return "";
                }
                Some(at) if close != ']' && start[end + at + 1..].starts_with(close) => {
                    end += at + 2
                }
                Some(at) => {
                    self.0 = &start[end + at + 1..];
                    return &start[1..end + at];
                }
            }
        }
    }

    /// `$1`, or `$tag$ … $tag$`.
    fn dollar(&mut self) -> Token<'a> {
        let name = self.0[1..]
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(self.0.len(), |at| at + 1);
        if self.0[name..].starts_with('$') && !self.0[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            let tag = &self.0[..=name];
            let body = &self.0[tag.len()..];
            let end = body.find(tag).map_or(self.0.len(), |at| 2 * tag.len() + at);
            self.skip(end);
        } else {
            self.skip(name);
        }
        Token::Value
    }
}

#[cfg(test)]
mod tests;
