//! The known name that is most like an unknown one.

/// The nearest of `known` to `name`, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 2).clamp(1, 4);
    let measured = known.into_iter().map(|known| (distance(name, known), known));
    measured.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

/// How many characters must be inserted, deleted or changed (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, here) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 0..to.len() {
            let change = diagonal + usize::from(here != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let known = ["cluster", "region", "data_dir", "name", "role"];
        assert_eq!(nearest("clutser", known), Some("cluster"));
        assert_eq!(nearest("datadir", known), Some("data_dir"));
        assert_eq!(nearest("nam", known), Some("name"));
        assert_eq!(nearest("password", known), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
