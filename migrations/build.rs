//! Lists the migration files, so that adding one is adding a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut source = String::new();
    for (constant, folder) in [
        ("POSTGRES_AUTH", "postgres/auth"),
        ("POSTGRES_CONTROL", "postgres/control"),
        ("SQLITE_AUTH", "sqlite/auth"),
        ("SQLITE_CONTROL", "sqlite/control"),
    ] {
        println!("cargo::rerun-if-changed={folder}");
        writeln!(source, "const {constant}: &[File] = &[")?;
        for file in files(&root.join(folder))? {
            let name = file.file_stem().and_then(|name| name.to_str()).ok_or("file name is not UTF-8")?;
            let (version, description) = name.split_once('_').ok_or("file name has no version")?;
            let version: i64 = version.parse()?;
            let description = description.replace('_', " ");
            writeln!(
                source,
                "    File {{ version: {version}, description: {description:?}, sql: include_str!({file:?}) }},"
            )?;
        }
        writeln!(source, "];")?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("files.rs"), source)?;
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}
