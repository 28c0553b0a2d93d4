//! Takes the secrets out of a file: each is replaced by a placeholder that names its kind.
//!
//! It looks for the secrets again instead of trusting places that were true when the folder was scanned, possibly a day
//! ago: a file that changed in between is not cut in the wrong place, and a second run changes nothing.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::agents::scanner::rules;

/// Larger files are left alone, as the scanner leaves them.
const LARGEST: u64 = 1 << 20;

/// Replaces the secrets of the kinds `of` in one file and says how many there were.
///
/// # Errors
/// What reading or writing the file says; the file is then as it was, for it is replaced as a whole or not at all.
pub fn file(path: &Path, of: &[&str]) -> io::Result<usize> {
    let data = fs::metadata(path)?;
    if !data.is_file() || data.len() > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a text file of at most 1 MiB",
        ));
    }
    let before = fs::read_to_string(path)?;
    let (after, count) = text(&before, of);
    if count > 0 {
        replace(path, after.as_bytes(), data.permissions())?;
    }
    Ok(count)
}

/// Replaces the secrets of the kinds `of` in a text.
pub fn text(before: &str, of: &[&str]) -> (String, usize) {
    let mut after = String::with_capacity(before.len());
    let mut count = 0;
    for line in before.split_inclusive('\n') {
        let mut copied = 0;
        for place in rules::matches(line).into_iter().filter(|place| of.contains(&place.rule)) {
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
    let beside = path.with_file_name(format!(".{name}.{}.patch", uuid::Uuid::now_v7().simple()));
    let written = fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::set_permissions(&beside, permissions)?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // Best effort: the error that is returned is the one that matters.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_where_they_are_now_and_only_once() {
        let key = format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE");
        let before = format!("a = 1\r\nkey = {key}, again {key}\n\u{fe0f}last");
        let (after, count) = text(&before, &["aws-access-key-id"]);
        assert_eq!(
            (after.as_str(), count),
            (
                "a = 1\r\nkey = <redacted:aws-access-key-id>, again <redacted:aws-access-key-id>\n\u{fe0f}last",
                2
            ),
        );
        assert_eq!(
            text(&after, &["aws-access-key-id"]),
            (after.clone(), 0),
            "a second time there is nothing to do"
        );
        assert_eq!(text(&before, &["github-token"]), (before.clone(), 0), "other kinds stay");
    }
}
