//! docs/conformance.md: the catalogue, and which targets prove each row.

use std::{fs, path::PathBuf};

use oauth_conformance::{Catalogue, Run, document};

use crate::targets;

pub(super) fn write() -> Result<(), String> {
    let path = path();
    fs::write(&path, text()?).map_err(|error| format!("{}: {error}", path.display()))
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "conformance.md"]
        .iter()
        .collect()
}

fn text() -> Result<String, String> {
    let planned = Run::new(targets::all()).planned()?;
    Ok(document(&Catalogue::load()?, &planned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_the_catalogue_says() {
        let written = fs::read_to_string(path()).unwrap();
        assert!(
            written == text().unwrap(),
            "docs/conformance.md is stale: cargo xtask conformance --write-docs"
        );
    }
}
