//! Replaces the secrets of a file by placeholders.
//!
//! Searches for the secrets again: the positions of the scan can be a day old. A file that changed
//! since is not damaged, and a second run changes nothing.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::agents::scanner::rules;
use crate::agents::scanner::walk::open_regular;

/// Maximum size of a file, as in the scanner.
const MAX_FILE: u64 = 1 << 20;

/// Replaces the secrets found by `rule_ids` in a file. Returns their number.
///
/// # Errors
/// The file cannot be read or written. It is then unchanged, because it is replaced atomically.
pub fn redact_file(path: &Path, rule_ids: &[&str]) -> io::Result<usize> {
    let file = open_regular(path)?;
    let data = file.metadata()?;
    let mut before = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut before)?;
    if before.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a text file of at most 1 MiB",
        ));
    }
    let (after, count) = redact_text(&before, rule_ids);
    if count > 0 {
        replace(path, after.as_bytes(), data.permissions())?;
    }
    Ok(count)
}

/// Replaces the secrets found by `rule_ids` in a text. Returns the text and their number.
pub fn redact_text(before: &str, rule_ids: &[&str]) -> (String, usize) {
    let mut after = String::with_capacity(before.len());
    let mut count = 0;
    for line in before.split_inclusive('\n') {
        let mut copied = 0;
        for place in
            rules::find_secrets(line).into_iter().filter(|place| rule_ids.contains(&place.rule))
        {
            after.push_str(&line[copied..place.start]);
            after.push_str(&rules::placeholder(place.rule));
            copied = place.end;
            count += 1;
        }
        after.push_str(&line[copied..]);
    }
    (after, count)
}

fn replace(path: &Path, bytes: &[u8], permissions: fs::Permissions) -> io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.patch", uuid::Uuid::now_v7().simple()));
    let written = fs::File::create_new(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::set_permissions(&temporary, permissions)?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // Best effort. The first error is returned.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_at_their_current_position_and_only_once() {
        let key = format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE");
        let before = format!("a = 1\r\nkey = {key}, again {key}\n\u{fe0f}last");
        let (after, count) = redact_text(&before, &["aws-access-key-id"]);
        assert_eq!(
            (after.as_str(), count),
            (
                "a = 1\r\nkey = <redacted:aws-access-key-id>, again <redacted:aws-access-key-id>\n\u{fe0f}last",
                2
            ),
        );
        assert_eq!(
            redact_text(&after, &["aws-access-key-id"]),
            (after.clone(), 0),
            "a second run changes nothing"
        );
        assert_eq!(
            redact_text(&before, &["github-token"]),
            (before.clone(), 0),
            "other kinds stay"
        );
    }
}
