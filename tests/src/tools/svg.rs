//! Pictures of a terminal: text with colors as an SVG. The letters are text, so that a
//! difference can be read.

/// Pixels of a letter, in a font where all are of one width.
const WIDTH: f64 = 8.4;
/// Pixels of a line.
const HEIGHT: usize = 19;
const MARGIN: usize = 16;
/// Letters in a line.
const COLUMNS: usize = 80;

/// The picture. Colours are those of `ESC [ … m`; a line that begins with `$ ` is
/// what was typed.
pub fn terminal(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let width = (COLUMNS as f64 * WIDTH) as usize + 2 * MARGIN;
    let height = lines.len() * HEIGHT + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d6dae0;white-space:pre}}\
         .b{{font-weight:bold}}.d{{opacity:.6}}.c31{{fill:#ff7b72}}.c32{{fill:#7ee787}}.c33{{fill:#e3b341}}.c36{{fill:#76e3ea}}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for (number, line) in lines.into_iter().enumerate() {
        let y = MARGIN + number * HEIGHT + 14;
        let typed = if line.starts_with("$ ") { " class=\"b\"" } else { "" };
        svg.push_str(&format!("<text x=\"{MARGIN}\" y=\"{y}\"{typed} xml:space=\"preserve\">{}</text>\n", spans(line)));
    }
    svg + "</svg>\n"
}

/// A line with its colours.
fn spans(line: &str) -> String {
    let mut svg = String::new();
    let mut classes: Vec<String> = Vec::new();
    for (number, piece) in line.split("\u{1b}[").enumerate() {
        let words = match piece.split_once('m') {
            Some((codes, words)) if number > 0 => {
                for code in codes.split(';') {
                    match code {
                        "" | "0" => classes.clear(),
                        "1" => classes.push("b".to_owned()),
                        "2" => classes.push("d".to_owned()),
                        colour => classes.push(format!("c{colour}")),
                    }
                }
                words
            }
            _ => piece,
        };
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        match (words.is_empty(), classes.is_empty()) {
            (true, _) => {}
            (false, true) => svg.push_str(&words),
            (false, false) => svg.push_str(&format!("<tspan class=\"{}\">{words}</tspan>", classes.join(" "))),
        }
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes() {
        assert_eq!(
            spans("\u{1b}[1mA <B>\u{1b}[0m \u{1b}[32m✓\u{1b}[0m & so"),
            "<tspan class=\"b\">A &lt;B></tspan> <tspan class=\"c32\">✓</tspan> &amp; so"
        );
        assert!(terminal("$ ls\n").contains("<text x=\"16\" y=\"30\" class=\"b\" xml:space=\"preserve\">$ ls</text>"));
    }
}
