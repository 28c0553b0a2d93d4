//! Statement summaries: `SELECT workflow_runs`. Keywords and table names only, never a value.
//!
//! Database spans, "Generating a summary of the query": operations and their targets in order of
//! appearance, at most 255 characters. A literal is never part of a summary: names are taken only
//! after a keyword that is followed by one, and a string literal is not a name.
//!
//! Not the crate `sqlparser`: a summary must tolerate every dialect and statements that do not
//! parse, and needs a few keywords only.

use std::sync::Arc;

/// The maximum that the conventions set.
const MAX_BYTES: usize = 255;

/// A statement's `db.operation.name`, `db.collection.name` and `db.query.summary`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) operation: Option<Arc<str>>,
    /// `None` unless the statement names exactly one.
    pub(super) collection: Option<Arc<str>>,
    pub(super) text: Option<Arc<str>>,
}

impl Summary {
    pub(super) fn of(sql: &str) -> Self {
        let mut builder = SummaryBuilder::default();
        for token in Tokens(sql) {
            builder.push(token);
        }
        builder.finish()
    }

    /// Returns `true` if the statement is a query.
    pub(super) fn is_select(&self) -> bool {
        self.operation.as_deref() == Some("SELECT")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// A name in quotes.
    Quoted(&'a str),
    Literal,
    Symbol(char),
}

/// The meaning of the next name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum NextName {
    #[default]
    Nothing,
    /// A table.
    Target,
    /// An alias. A dot continues the name, a comma continues the list of tables.
    AfterTarget,
    /// The second part of a name: `runs` in `public.runs`.
    AfterDot,
    /// Nothing. A comma continues the list of tables.
    AfterAlias,
}

/// Other keywords that start a statement. A statement with an unknown first word has no summary:
/// the word may be anything.
const OTHER_OPERATIONS: &[&str] = &[
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
struct SummaryBuilder<'a> {
    words: Vec<String>,
    operation: Option<String>,
    /// The indexes of the tables in `words`.
    targets: Vec<usize>,
    /// The names that `WITH` defines, which are not tables.
    cte_names: Vec<&'a str>,
    next_name: NextName,
    last_word: &'a str,
    /// The statement starts with `WITH`.
    has_with: bool,
}

impl<'a> SummaryBuilder<'a> {
    fn push(&mut self, token: Token<'a>) {
        match token {
            Token::Word(word) => self.push_word(word),
            Token::Quoted(name) => self.push_name(name),
            Token::Symbol('.') if self.next_name == NextName::AfterTarget => {
                self.next_name = NextName::AfterDot
            }
            Token::Symbol(',')
                if matches!(self.next_name, NextName::AfterTarget | NextName::AfterAlias) =>
            {
                self.next_name = NextName::Target;
            }
            Token::Literal | Token::Symbol(_) => self.next_name = NextName::Nothing,
        }
    }

    fn push_word(&mut self, word: &'a str) {
        let keyword = word.to_ascii_uppercase();
        let before = std::mem::replace(&mut self.last_word, word);
        match keyword.as_str() {
            "WITH" if self.words.is_empty() => self.has_with = true,
            "SELECT" | "INSERT" | "DELETE" | "REPLACE" | "MERGE" | "TRUNCATE" | "VALUES"
            | "CALL" | "COPY"
                if self.starts_operation(&keyword, before) =>
            {
                self.push_operation(keyword);
                if word.eq_ignore_ascii_case("COPY") || word.eq_ignore_ascii_case("TRUNCATE") {
                    self.next_name = NextName::Target;
                }
            }
            "UPDATE" if self.starts_operation(&keyword, before) => {
                self.push_operation(keyword);
                self.next_name = NextName::Target;
            }
            "FROM" | "JOIN" | "INTO" | "USING" if !self.words.is_empty() => {
                self.next_name = NextName::Target
            }
            "TABLE" | "INDEX" | "VIEW" | "TRIGGER" | "SCHEMA" | "TYPE" | "SEQUENCE"
            | "DATABASE" | "FUNCTION"
                if self.is_definition() && self.targets.is_empty() =>
            {
                self.words.push(keyword);
                self.next_name = NextName::Target;
            }
            "TABLE" | "IF" | "NOT" | "EXISTS" | "ONLY" | "CONCURRENTLY" | "LATERAL"
                if self.next_name == NextName::Target => {}
            "AS" if self.has_with && self.words.is_empty() => self.cte_names.push(before),
            "ON" | "WHERE" | "SET" | "GROUP" | "ORDER" | "LIMIT" | "RETURNING" | "UNION"
                if !self.words.is_empty() =>
            {
                self.next_name = NextName::Nothing;
            }
            other if self.words.is_empty() && !self.has_with => {
                if OTHER_OPERATIONS.contains(&other) {
                    self.push_operation(keyword);
                }
            }
            _ => self.push_name(word),
        }
    }

    fn is_definition(&self) -> bool {
        matches!(self.operation.as_deref(), Some("CREATE" | "DROP" | "ALTER"))
    }

    /// Returns `false` where `keyword` is part of another clause: `ON CONFLICT DO UPDATE`,
    /// `ON DELETE CASCADE`, `FOR UPDATE`, `replace(…)`.
    fn starts_operation(&self, keyword: &str, before: &str) -> bool {
        if self.is_definition()
            || matches!(self.operation.as_deref(), Some("PRAGMA" | "GRANT" | "REVOKE"))
        {
            return false;
        }
        let is_in_clause = ["DO", "ON", "FOR", "KEY", "THEN", "OR"]
            .iter()
            .any(|word| before.eq_ignore_ascii_case(word));
        let is_function =
            matches!(keyword, "REPLACE" | "VALUES" | "MERGE" | "CALL" | "COPY" | "TRUNCATE");
        !is_in_clause && (!is_function || self.words.is_empty())
    }

    fn push_operation(&mut self, keyword: String) {
        if self.operation.is_none() {
            self.operation = Some(keyword.clone());
        }
        self.words.push(keyword);
        self.next_name = NextName::Nothing;
    }

    fn push_name(&mut self, name: &'a str) {
        match self.next_name {
            NextName::Nothing | NextName::AfterAlias => {}
            NextName::AfterTarget => self.next_name = NextName::AfterAlias,
            NextName::Target => {
                self.next_name = NextName::AfterTarget;
                if is_plain(name)
                    && !self.cte_names.iter().any(|cte| cte.eq_ignore_ascii_case(name))
                {
                    self.targets.push(self.words.len());
                    self.words.push(name.to_owned());
                }
            }
            NextName::AfterDot => {
                self.next_name = NextName::AfterTarget;
                let last = self.targets.last().and_then(|index| self.words.get_mut(*index));
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
            if text.len() + word.len() + 1 > MAX_BYTES {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        let mut tables = self.targets.iter().filter_map(|index| self.words.get(*index));
        let first = tables.next();
        let collection = first.filter(|first| tables.all(|other| other == *first));
        Summary {
            operation: self.operation.map(Arc::from),
            collection: collection.map(|name| Arc::from(name.as_str())),
            text: (!text.is_empty()).then(|| text.into()),
        }
    }
}

/// Returns `true` for a name of letters, digits and `_`, `$`, `-`. A quoted name with other
/// characters is left out: it may contain data.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
}

/// The tokens of the remaining text.
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
                    Token::Literal
                }
                '"' | '`' => Token::Quoted(self.quoted(first)),
                '[' => Token::Quoted(self.quoted(']')),
                '$' => self.dollar(),
                '0'..='9' | '?' | ':' | '@' => {
                    let end = self.0[1..]
                        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | ':')));
                    self.skip(end.map_or(self.0.len(), |end| end + 1));
                    Token::Literal
                }
                c if c.is_alphabetic() || c == '_' => self.word(),
                c => {
                    self.skip(c.len_utf8());
                    Token::Symbol(c)
                }
            });
        }
    }
}

impl<'a> Tokens<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, remaining) = self.0.split_at(bytes);
        self.0 = remaining;
        skipped
    }

    fn word(&mut self) -> Token<'a> {
        let end = self.0.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
        let word = self.skip(end.unwrap_or(self.0.len()));
        // `E'…'`, `X'…'`: a literal with a prefix.
        if word.len() == 1 && self.0.starts_with('\'') {
            self.quoted('\'');
            return Token::Literal;
        }
        Token::Word(word)
    }

    /// Skips to the closing quote, and returns what is between the quotes. A doubled quote is part
    /// of it. Without a closing quote the rest of the statement is skipped.
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

    /// Skips a parameter (`$1`) or a literal (`$tag$ … $tag$`).
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
        Token::Literal
    }
}

#[cfg(test)]
mod tests;
