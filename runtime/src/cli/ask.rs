//! Questions to the person at the terminal before something is done.

use std::io::{BufRead, IsTerminal, Write};

use super::failure::Failure;

/// Whether somebody is there who can be asked.
pub(super) fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks to type `word`; `undone` is what is said where that does not happen.
pub(super) fn for_word(question: &str, word: &str, undone: &str) -> Result<(), Failure> {
    let given = answer(&format!("{question} Type {word} to go on: "), undone)?;
    if given == word { Ok(()) } else { Err(Failure::usage(undone, format!("{word} was not repeated"))) }
}

/// Asks for a yes. Where nobody can be asked, --yes must have been given.
pub(super) fn for_yes(question: &str, undone: &str) -> Result<(), Failure> {
    let given = answer(&format!("{question} [y/N] "), undone)?;
    if matches!(given.as_str(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::new(undone, "the answer was no")) }
}

fn answer(question: &str, undone: &str) -> Result<String, Failure> {
    if !somebody_is_there() {
        return Err(Failure::usage(undone, "there is no terminal to ask on").next("add --yes to go on without asking"));
    }
    eprint!("{question}");
    _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::caused(undone, &error))?;
    Ok(answer.trim().to_owned())
}
