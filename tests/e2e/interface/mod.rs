//! What users read, type and install: texts, help, documents, completion, Krew.

mod completion;
mod documents;
mod examples;
mod krew;
mod terminal_output;
mod texts;
