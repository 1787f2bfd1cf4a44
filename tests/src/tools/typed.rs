//! Finds the commands that a text tells people to type: the examples of a help, and the
//! commands of a document's code blocks. New ones are found without a change of the tests.

/// A command, and what the text says it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// As a shell takes it; it may have several lines.
    pub command: String,
    /// What is shown below it, empty where nothing is.
    pub output: String,
}

/// A code block of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the backticks.
    pub language: String,
    /// The number of its first line, from 1.
    pub line: usize,
    pub text: String,
}

/// The commands below `Examples:` in a help.
pub fn examples(help: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with("  ")) {
        let line = line.trim();
        match commands.last_mut() {
            _ if line.is_empty() || line.starts_with('#') => continue,
            Some(command) if goes_on => {
                command.push('\n');
                command.push_str(line);
            }
            _ => commands.push(line.to_owned()),
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// The code blocks of a document.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in markdown.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block { language: language.trim().to_owned(), line: number + 2, text: String::new() });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a `console` block: lines after `$ `, with those that go on
/// after a backslash, and what is printed below.
pub fn console(text: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Typed { command: command.to_owned(), output: String::new() }),
            (None, Some(typed)) if goes_on => {
                typed.command.push('\n');
                typed.command.push_str(line);
            }
            (None, Some(typed)) => {
                typed.output.push_str(line);
                typed.output.push('\n');
            }
            (None, None) => {}
        }
        goes_on = line.ends_with('\\');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_a_help() {
        let help = "Does it.\n\nOptions:\n  -h\n\nExamples:\n  # One\n  do it\n\n  # Two lines\n  do it \\\n    --all\n\nExit codes: 0\n  do nothing\n";
        assert_eq!(examples(help), ["do it", "do it \\\n--all"]);
        assert_eq!(examples("Does it.\n"), Vec::<String>::new());
    }

    #[test]
    fn blocks_of_a_document() {
        let text = "a\n```console\n$ do it \\\n    --all   # now\ndone\n$ and\n```\n```\nplain\n```\n";
        let blocks = blocks(text);
        let [console_block, plain] = blocks.as_slice() else { panic!("{blocks:?}") };
        assert_eq!((console_block.language.as_str(), console_block.line), ("console", 3));
        assert_eq!((plain.language.as_str(), plain.text.as_str()), ("", "plain\n"));
        let typed = |command: &str, output: &str| Typed { command: command.into(), output: output.into() };
        assert_eq!(console(&console_block.text), [typed("do it \\\n    --all   # now", "done\n"), typed("and", "")]);
    }
}
