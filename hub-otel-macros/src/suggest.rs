//! Finds the name that a misspelt one was meant to be.

/// The closest of `choices`, if one is close enough to be worth saying.
pub(crate) fn nearest<'c>(
    given: &str,
    choices: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let given = given.to_ascii_lowercase();
    choices
        .into_iter()
        .map(|choice| (distance(&given, choice), choice))
        .filter(|(distance, choice)| *distance <= allowed(given.len().max(choice.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// `` `a`, `b`, `c` ``
pub(crate) fn list<'c>(choices: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<_> = choices.into_iter().map(|choice| format!("`{choice}`")).collect();
    quoted.join(", ")
}

/// How many slips a word of this length may hold: one in three letters, or every short word is near every other.
fn allowed(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

/// Insertions, deletions, replacements and swapped neighbours between two words (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = last;
        last = current;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        assert_eq!(distance("nmae", "name"), 1);
        assert_eq!(distance("trigger", "triger"), 1);
        assert_eq!(distance("", "id"), 2);
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_guessed() {
        let choices = ["id", "name", "run_id", "timeout", "fields"];
        assert_eq!(nearest("nmae", choices), Some("name"));
        assert_eq!(nearest("runid", choices), Some("run_id"));
        assert_eq!(nearest("Fields", choices), Some("fields"));
        assert_eq!(nearest("banana", choices), None);
        assert_eq!(nearest("xy", choices), None);
    }
}
