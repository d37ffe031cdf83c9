//! The files of a report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Report, html, junit, table};
use crate::{args, thresholds};

/// Where a report goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    /// The folder of `<scenario>.html` and `<scenario>.json`.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    pub(crate) junit: Option<PathBuf>,
}

/// Writes the report wherever it is wanted, and says which files there are now.
pub(crate) fn write(report: &Report, outputs: &Outputs) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    if let Some(folder) = &outputs.folder {
        let stem = file_stem(&report.scenario);
        written.push(file(folder.join(format!("{stem}.html")), &html::page(report))?);
        written.push(file(folder.join(format!("{stem}.json")), &report.to_json())?);
    }
    if let Some(path) = &outputs.html {
        written.push(file(path.clone(), &html::page(report))?);
    }
    if let Some(path) = &outputs.junit {
        written.push(file(path.clone(), &junit::text(report))?);
    }
    Ok(written)
}

/// Shows a report again.
pub(crate) fn command(arguments: &args::Render) -> anyhow::Result<ExitCode> {
    let shown = arguments.report.display();
    let text = fs::read_to_string(&arguments.report).with_context(|| format!("{shown} cannot be read"))?;
    let mut report = Report::from_json(&text).with_context(|| shown.to_string())?;
    if !arguments.fail_on.is_empty() {
        report.thresholds = thresholds::judge(&arguments.fail_on, &report.runs);
    }
    let outputs = Outputs { folder: None, html: arguments.html.clone(), junit: arguments.junit.clone() };
    write(&report, &outputs)?;
    if arguments.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", table::report(&report));
    }
    let failed = !arguments.fail_on.is_empty() && !report.held();
    Ok(if failed { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn file(path: PathBuf, text: &str) -> anyhow::Result<PathBuf> {
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// A scenario of somebody's own may be called anything.
fn file_stem(scenario: &str) -> String {
    let stem: String =
        scenario.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).take(80).collect();
    if stem.is_empty() { "report".to_owned() } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_the_folder() {
        assert_eq!(file_stem("sign-in-and-refresh"), "sign-in-and-refresh");
        assert_eq!(file_stem("../../etc/passwd"), "------etc-passwd");
        assert_eq!(file_stem(""), "report");
    }
}
