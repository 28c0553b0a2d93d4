//! Size of a template: length, number of tokens and depth. Checked before the template is parsed,
//! because the parser and the evaluation are recursive.

use minijinja::machinery::{Token, tokenize};

/// Maximum length of a template, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Maximum number of tokens of a template. Also limits the depth of chains like `a.b.c`.
const MAX_TOKENS: usize = 512;
/// Maximum depth of parentheses, brackets and blocks.
const MAX_DEPTH: usize = 16;

/// Checks the size of a template. Returns its number of tokens.
pub(super) fn check_size(source: &str) -> Result<usize, String> {
    if source.len() > MAX_LENGTH {
        return Err(format!("is {} bytes long; the maximum is {MAX_LENGTH}", source.len()));
    }
    let (mut count, mut depth) = (0, 0_usize);
    let mut starts_block = false;
    for token in tokenize(source, false, Default::default()) {
        let (token, _) = token.map_err(|error| super::error_detail(&error))?;
        count += 1;
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                depth = depth.saturating_sub(1);
            }
            Token::Ident(block) if starts_block => match block.strip_prefix("end") {
                Some(_) => depth = depth.saturating_sub(1),
                None if !["else", "elif", "do"].contains(&block) => depth += 1,
                None => {}
            },
            _ => {}
        }
        starts_block = matches!(token, Token::BlockStart);
        if count > MAX_TOKENS {
            return Err(format!("has more than {MAX_TOKENS} tokens"));
        }
        if depth > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} levels deep"));
        }
    }
    Ok(count)
}
