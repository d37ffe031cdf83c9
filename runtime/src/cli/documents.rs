//! `tenantry completions` and `tenantry man`: what a shell and `man` need to know of the command line.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::failure::Failure;
use super::output;

/// Prints the completions of a shell.
pub(super) fn completions(mut command: Command, shell: Shell) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())
}

/// Prints the page of the whole, or writes the pages of all commands into a directory.
pub(super) fn man(command: Command, directory: Option<PathBuf>) -> Result<(), Failure> {
    let command = command.disable_help_subcommand(true);
    let Some(directory) = directory else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Failure::caused("the page cannot be made", &error))?;
        return output::print(String::from_utf8_lossy(&page).trim_end());
    };
    let written = std::fs::create_dir_all(&directory).and_then(|()| clap_mangen::generate_to(command, &directory));
    written.map_err(|error| Failure::caused(format!("{} cannot be written", directory.display()), &error))?;
    output::print(&format!("the pages are in {}", directory.display()))
}
