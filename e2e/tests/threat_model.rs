//! docs/threat-model.md names for each threat what stands against it, and the tests that show it.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::{fs, path::Path};

use e2e::page;

const PAGE: &str = include_str!("../../docs/threat-model.md");
/// The sections that have a table of threats.
const SECTIONS: [&str; 3] = ["Admission control", "A hostile image", "A hostile node folder"];

/// The rows of all tables: the threat, what stands against it, and the tests.
fn rows() -> Vec<Vec<&'static str>> {
    let tables = SECTIONS.map(|heading| page::table(page::section(PAGE, heading)));
    // Of the first table each row begins with the threat's number.
    let rows = tables.into_iter().flat_map(|table| table.into_iter().skip(1));
    rows.map(|row| row[row.len() - 3..].to_vec()).collect()
}

/// What is wrong with the name of a test, `FILE::FUNCTION`, or of a file that is itself a check.
fn missing(name: &str) -> Option<String> {
    let (file, function) = name.split_once("::").map_or((name, None), |(a, b)| (a, Some(b)));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let Ok(source) = fs::read_to_string(path) else { return Some(format!("no file {file}")) };
    let is_there = function.is_none_or(|it| page::tests(&source).contains(&it));
    (!is_there).then(|| format!("no test {name}"))
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let rows = rows();
    let names = rows.iter().flat_map(|row| page::code(row[2]));
    assert_eq!(names.filter_map(missing).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_threat_has_a_test_or_the_page_says_that_it_is_not_prevented() {
    for row in rows() {
        let has_test = page::code(row[2]).next().is_some();
        assert!(has_test || row[1].contains("Not prevented"), "{}", row[0]);
    }
}

#[test]
fn the_threats_of_sig_security_are_there_by_their_numbers() {
    let table = page::table(page::section(PAGE, SECTIONS[0]));
    let numbers: Vec<&str> = table[1..].iter().map(|row| row[0]).collect();
    let all: Vec<String> = (1..=18).map(|number: u32| number.to_string()).collect();
    assert_eq!(numbers, all);
}
