//! Columns as kubectl prints them: titles in upper case, three spaces between columns, no
//! trailing spaces.

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// How the line of titles is shown.
const TITLES: Style = Style::new().bold();

/// Blanks between two columns.
pub const GAP: u16 = 3;

/// One line for the titles and one for each row; no cell may have a line feed.
fn lines(titles: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The table with the titles as they are shown, and each row in its style.
pub fn styled(titles: &[&str], rows: &[Vec<String>], styles: impl IntoIterator<Item = Style>) -> String {
    let styles = std::iter::once(TITLES).chain(styles);
    lines(titles, rows).iter().zip(styles).map(|(line, style)| format!("{style}{line}{style:#}\n")).collect()
}

/// The table with the titles as they are shown.
pub fn titled(titles: &[&str], rows: &[Vec<String>]) -> String {
    styled(titles, rows, std::iter::repeat(Style::new()))
}

/// At most `width` characters of `text`: where it is longer, its beginning and its end, which
/// distinguish issuers and contexts, with `…` between them.
pub fn middle_cut(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head = kept / 2;
    let tail = letters.len() - (kept - head);
    letters[..head].iter().chain(std::iter::once(&'…')).chain(&letters[tail..]).collect()
}

/// At most `width` characters of `text`, with `…` where it is cut.
pub fn end_cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let rows = [vec!["ü…x".to_owned(), "1".to_owned()], vec!["日本".to_owned(), "22".to_owned()]];
        assert_eq!(lines(&["A", "B"], &rows), ["A      B", "ü…x    1", "日本   22"]);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(middle_cut("oidc.example.com/id/abc", 11), "oidc.…d/abc");
        assert_eq!(middle_cut("short", 5), "short");
        assert_eq!(end_cut("0123456789", 4), "012…");
        assert_eq!(end_cut("0123", 4), "0123");
    }
}
