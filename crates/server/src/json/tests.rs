use super::*;
use serde_json::json;

fn read(text: &str) -> Result<Value, JsonError> {
    parse(text.as_bytes(), 64)
}

#[test]
fn ordinary_json_is_read() {
    let text = " {\"a\": [1, -2.5, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00\"], \"b\": {}, \"c\": []}\n";
    assert_eq!(read(text), Ok(json!({"a": [1, -2.5, true, false, null, "x\né😀"], "b": {}, "c": []})));
    for text in ["0", "\"\"", "[]", "{}", "null", "-1"] {
        assert_eq!(read(text).map(|value| value.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    for bad in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "[1 2]",
        "\"\\x\"",
        "\"\\",
        "\"a",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\u{1}\"",
        "\"\0\"",
        "1 2",
        "tru",
        "{\"a\" 1}",
        "'a'",
        "[1}",
        "{\"a\":1]",
        "\u{feff}1",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let error = read("{\n  \"a\": 1,\n  \"a\": 2}").expect_err("twice");
    assert_eq!((error.line, error.column), (3, 3));
    assert!(parse(b"\"\xff\"", 64).is_err());
    assert!(parse(b"[1, \"\xc3", 64).is_err());
}

#[test]
fn keys_that_only_look_different_are_the_same() {
    assert!(read(r#"{"a":1,"\u0061":2}"#).is_err());
    assert!(read(r#"{"a":1,"A":2}"#).is_ok());
}

#[test]
fn depth_is_bounded_without_recursing_that_far() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    assert!(read(&nested(65)).is_err());
    assert!(read(&"[".repeat(100_000)).is_err());
    assert!(read(&"{\"a\":".repeat(100_000)).is_err());
}

#[test]
fn numbers_come_back_or_are_refused() {
    for good in [
        "0.1",
        "1.0",
        "1.50",
        "1e2",
        "1E+2",
        "18446744073709551615",
        "-9223372036854775808",
        "5e-324",
        "0e999999999",
        "1.7976931348623157e308",
        "-0",
        "-0.0",
        "123456789012345680000",
        "100000000000000000000000",
        "1e22",
        "0.00010",
    ] {
        assert!(read(good).is_ok(), "{good}: {:?}", read(good));
    }
    let long = "9".repeat(600);
    for bad in [
        "12345678901234567890123",
        "1e400",
        "-1e400",
        "1e-400",
        "0.1000000000000000055511151231257827",
        "18446744073709551617",
        "9007199254740993.5",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        long.as_str(),
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    assert_eq!(read("1.0").map(|value| value.to_string()), Ok("1.0".to_owned()));
    assert_eq!(read("7").map(|value| value.to_string()), Ok("7".to_owned()));
    assert_eq!(read("122.41629403378658").map(|value| value.as_f64()), Ok(Some(122.41629403378658)));
}
