//! Prints JSON exactly as the vault and bao CLIs do (`vault read -format=json`): Go's
//! `json.MarshalIndent` with two spaces, keys sorted, and the characters that
//! `encoding/json` escapes for HTML. Guards in printed scripts compare strings, so that
//! they need no JSON tool.

use serde_json::Value;

/// `value` as it is printed `depth` levels deep. Outside of strings JSON has no character
/// that is escaped, and inside of them no line feed.
pub fn nested(value: &Value, depth: usize) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    let mut text = format!("{sorted:#}").replace('\n', &format!("\n{}", "  ".repeat(depth)));
    for (plain, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        text = text.replace(plain, escaped);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_go_prints_it() {
        let value = json!({"b": [1, "x<y&z>"], "a": {}, "c": [], "d": {"e": null, "f": "l1\nl2\t\"q\""}});
        assert_eq!(
            nested(&value, 1),
            "{\n    \"a\": {},\n    \"b\": [\n      1,\n      \"x\\u003cy\\u0026z\\u003e\"\n    ],\n    \"c\": [],\n    \
             \"d\": {\n      \"e\": null,\n      \"f\": \"l1\\nl2\\t\\\"q\\\"\"\n    }\n  }"
        );
    }
}
