use super::*;
use crate::member::Member;
use proptest::prelude::*;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};
use std::marker::PhantomData;

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    Reader::new(text).whole(PhantomData)
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(borrow)]
    name: &'a str,
    count: Option<i64>,
    on: bool,
    words: Vec<String>,
}

#[test]
fn the_usual_is_read_without_serde_json() {
    let text = r#" {"skipped" : {"a":["}", "\"]"]}, "name":"app", "count":-3,
        "on":true,"words":["a","\u00e9\n"] , "nothing":null} "#;
    let asked: Asked<'_> = read(text).unwrap();
    let words = vec!["a".to_owned(), "é\n".to_owned()];
    assert_eq!(asked, Asked { name: "app", count: Some(-3), on: true, words });
    let asked: Asked<'_> = read(r#"{"name":"","count":null,"on":false,"words":[]}"#).unwrap();
    assert_eq!(asked, Asked { name: "", count: None, on: false, words: Vec::new() });
}

#[test]
fn a_values_text_is_read_without_serde_json() {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let text = r#"{"object": {"a": [1, "]"]} }"#;
    assert_eq!(read::<Object<'_>>(text).unwrap().object.get(), r#"{"a": [1, "]"]}"#);
}

#[test]
fn what_is_not_usual_is_left_to_serde_json() {
    for text in [
        "",
        " ",
        "{",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:2}",
        "{\"a\":1}}",
        "nul",
        "tru",
        "01",
        "-",
        "-0",
        "1.",
        "1e400",
        "18446744073709551616",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\u{1f}\"",
        "\"0123456789abcdef\n\"",
        "[1]]",
        "[}",
        "{]",
    ] {
        assert!(read::<Value>(text).is_err(), "{text:?}");
    }
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read::<Value>(&deep(127)).is_ok());
    assert!(read::<Value>(&deep(128)).is_err());
    assert!(read::<IgnoredAny>(&deep(1_000_000)).is_ok());
}

fn values() -> impl Strategy<Value = Value> {
    // Much of what has a meaning in JSON, so that it stands at every place in a block.
    let text = r#"[a"\\{}\[\]:,é\n]{0,70}"#;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn texts(value: &Value) -> [String; 2] {
    [value.to_string(), serde_json::to_string_pretty(value).unwrap()]
}

proptest! {
    #[test]
    fn a_value_of_another_type_is_told_as_serde_json_tells_it(
        name in values(), count in values(), on in values(), words in values(), pretty: bool,
        left_out in 0..5_usize,
    ) {
        let mut members = vec![("name", name), ("count", count), ("on", on), ("words", words)];
        members.truncate(4 - left_out.min(4));
        let object: Value = members.into_iter().collect();
        let text = if pretty { format!("{object:#}") } else { object.to_string() };
        let theirs = serde_json::from_str::<Asked<'_>>(&text).map_err(|error| error.to_string());
        let ours = crate::from_str::<Asked<'_>>(&text).map_err(|error| error.to_string());
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn every_value_is_read_as_it_was_written(value in values()) {
        for text in texts(&value) {
            prop_assert_eq!(&read::<Value>(&text).unwrap(), &value);
        }
    }

    #[test]
    fn every_value_is_passed_over_to_its_end(value in values()) {
        for text in texts(&value) {
            let mut reader = Reader::new(&text);
            prop_assert_eq!(reader.skip().unwrap(), &text);
            for behind in ["]", " , 5"] {
                let longer = format!("{text}{behind}");
                let mut reader = Reader::new(&longer);
                prop_assert_eq!(reader.skip().unwrap(), &text);
            }
        }
    }

    /// Where serde_json takes a text, this takes it for the same.
    #[test]
    fn no_text_is_read_otherwise_than_serde_json_reads_it(
        text in r#"([\[\]{}",: \\a0-9.e-]|null|true|"a"|"a":){0,40}"#,
    ) {
        let expected = serde_json::from_str::<Value>(&text).ok();
        if let Ok(value) = read::<Value>(&text) {
            prop_assert_eq!(Some(value), expected);
        } else {
            prop_assert_eq!(crate::from_str::<Value>(&text).ok(), expected);
        }
        let _ = read::<IgnoredAny>(&text);
    }
}

#[test]
fn fractions_are_read_as_serde_json_reads_them() {
    for text in ["1.5", "-0.25", "1e3", "0.1", "123456789012345678901234567890.5"] {
        let read = read::<Value>(text).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
}

#[test]
fn a_member_is_read_and_what_is_beside_it_is_passed_over() {
    let wanted = |text| crate::member::<Vec<u8>>(text, "wanted");
    let text = r#"{"a":{"wanted":1},"b":"wanted","wanted":[2],"c":["}"]}"#;
    assert_eq!(wanted(text).unwrap(), Some(vec![2]));
    assert!(Reader::new(text).whole(Member::<Vec<u8>>::of("wanted")).is_ok());
    assert_eq!(wanted(r#"{"a":1}"#).unwrap(), None);
    assert_eq!(wanted("{}").unwrap(), None);
    assert_eq!(wanted("null").unwrap(), None);
    assert_eq!(wanted(r#"{"w\u0061nted":[1]}"#).unwrap(), Some(vec![1]));
    for text in ["", "[]", "{", r#"{"wanted":[1]"#, r#"{"wanted":[1]}}"#, r#"{"wanted":"2"}"#] {
        assert!(wanted(text).is_err(), "{text}");
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_however_it_is_written() {
    for text in [
        r#"{"a":1,"b":2,"a":3}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"\u0062":0,"a":1,"a":2}"#,
        r#"{"a":-0,"a":-0}"#,
    ] {
        let error = crate::member::<Value>(text, "a").unwrap_err().to_string();
        assert!(error.starts_with("duplicate field `a`"), "{text}: {error}");
    }
    assert!(crate::member::<Value>(r#"{"a":1,"b":2,"b":3}"#, "a").is_ok());
}

#[test]
fn the_error_is_the_one_of_serde_json() {
    let error = crate::from_str::<Asked<'_>>(r#"{"name":5}"#).unwrap_err().to_string();
    assert!(error.starts_with("invalid type: integer `5`, expected a borrowed string"), "{error}");
    let value: Value = crate::from_str("[-0]").unwrap();
    assert_eq!(value, json!([-0.0]));
    let error = crate::text(b"\"\xff\"").unwrap_err();
    assert_eq!(error.valid_up_to(), 1);
}

#[test]
fn a_long_string_that_belongs_elsewhere_is_named_as_serde_json_does() {
    for (before, after) in [("", ""), ("{\"a\": [1],\n \"on\" :\n", " }"), ("[\"é\",\n\n", ",1]")]
    {
        for long in ["é".repeat(1000), "\\u00e9".repeat(1000), "a\\n".repeat(1000)] {
            let text = format!("{before}\"{long}\"{after}");
            for (ours, theirs) in
                [both::<Asked<'_>>(&text), both::<bool>(&text), both::<(&str, Option<i64>)>(&text)]
            {
                assert_eq!(
                    (ours.line(), ours.column()),
                    (theirs.line(), theirs.column()),
                    "{theirs}"
                );
                let (ours, theirs) = (ours.to_string(), theirs.to_string());
                let same = ours.split('…').next().unwrap();
                assert!(theirs.starts_with(same), "{ours} {theirs}");
                if let Some((_, behind)) = ours.split_once("…\",") {
                    assert!(theirs.ends_with(behind) && ours.len() < 2500, "{ours} {theirs}");
                }
            }
        }
    }
}

fn both<'a, T: Deserialize<'a> + fmt::Debug>(
    text: &'a str,
) -> (serde_json::Error, serde_json::Error) {
    let theirs = serde_json::from_str::<T>(text).unwrap_err();
    (crate::from_str::<T>(text).unwrap_err(), theirs)
}
