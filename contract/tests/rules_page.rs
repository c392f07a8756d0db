//! docs/rules.md is the table of rules, and nothing else.
//!
//! `UPDATE_PAGES=1 cargo test --package rich-pouch-contract` writes it anew.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::{fmt::Write as _, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");

const HEAD: &str = "\
# Rules

What is refused at `kubectl apply`, and in what words. All that an object breaks is said at once,
one sentence each, in the webhook, in `kubectl rich-pouch inject` and, as far as it concerns the
container, in `rich run`; of more than five sentences, the first five and how many there are. The name
of a rule is the label `rule` in the webhook's metrics. In a sentence `{field}` is the path of the
field in the object, the other names are values.

This page is made from `contract/src/rules.rs` and `contract/src/limits.rs`; a test sees that it is
current.

| rule | sentence | example |
|---|---|---|
";

const LIMITS: &str = "
## Limits

What a judgement costs must follow from the size of the object. An object in which a list is longer
is refused: `the Pod cannot be read: it has more than 64 containers, which is the limit`.

| list | most |
|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for rule in contract::rules::ALL {
        let cell = |text: &str| text.replace('|', "\\|");
        writeln!(page, "| {} | {} | `{}` |", rule.code, cell(rule.message), cell(rule.example))
            .unwrap();
    }
    page.push_str(LIMITS);
    for limit in contract::limits::ALL {
        writeln!(page, "| {} | {} |", limit.list, limit.most).unwrap();
    }
    page
}

#[test]
fn the_page_of_the_rules_is_current() {
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(PAGE, page()).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap();
    assert!(written == page(), "run UPDATE_PAGES=1 cargo test --package rich-pouch-contract");
}
