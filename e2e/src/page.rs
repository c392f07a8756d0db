//! Pages of docs/ whose tables name tests, so that a test can compare the two.

/// The section of a page under this heading of the second level.
#[must_use]
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let mut sections = page.split("\n## ");
    sections
        .find_map(|it| it.strip_prefix(heading)?.strip_prefix('\n'))
        .unwrap_or_else(|| panic!("a section \"{heading}\""))
}

/// The rows of a section's table, its heading first, each as its cells.
#[must_use]
pub fn table(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

/// What a cell has as code.
pub fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The names of the tests in a Rust source.
#[must_use]
pub fn tests(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(function) = function.filter(|_| is_test) {
            names.extend(function.split('(').next());
            is_test = false;
        }
    }
    names
}
