//! Prints JSON exactly as the vault and bao CLIs do (`vault read -format=json`): Go's
//! `json.MarshalIndent` with two spaces, keys sorted, and the characters that
//! `encoding/json` escapes for HTML. Guards in printed scripts compare strings, so that
//! they need no JSON tool.

use serde_json::Value;

/// `value` as it is printed `depth` levels deep.
pub fn nested(value: &Value, depth: usize) -> String {
    let mut text = String::new();
    write(value, depth, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = |depth: usize| "  ".repeat(depth);
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "[\n" } else { ",\n" });
                text.push_str(&indent(depth + 1));
                write(item, depth + 1, text);
            }
            text.push_str(&format!("\n{}]", indent(depth)));
        }
        Value::Object(fields) if !fields.is_empty() => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            for (at, (name, field)) in sorted.into_iter().enumerate() {
                text.push_str(if at == 0 { "{\n" } else { ",\n" });
                text.push_str(&format!("{}{}: ", indent(depth + 1), string(name)));
                write(field, depth + 1, text);
            }
            text.push_str(&format!("\n{}}}", indent(depth)));
        }
        Value::String(s) => text.push_str(&string(s)),
        other => text.push_str(&other.to_string()),
    }
}

/// Go's `encoding/json` string: `<`, `>`, `&`, U+2028 and U+2029 escaped too.
fn string(s: &str) -> String {
    let mut quoted = Value::from(s).to_string();
    for (plain, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        quoted = quoted.replace(plain, escaped);
    }
    quoted
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
