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
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    #[test]
    fn what_the_guide_shows_is_what_the_example_has() {
        let docs = path().parent().map(Path::to_owned).unwrap();
        let guide = fs::read_to_string(docs.join("adding-a-provider.md")).unwrap();
        let mut shown = BTreeMap::<&str, String>::new();
        for block in guide.split("<!-- ").skip(1) {
            let (file, rest) = block.split_once(" -->\n```rust\n").unwrap();
            let (code, _) = rest.split_once("```").unwrap();
            let text = fs::read_to_string(docs.join(file)).unwrap();
            assert!(
                text.contains(code),
                "{file} has not what the guide shows:\n{code}"
            );
            *shown.entry(file).or_default() += code;
        }
        for file in ["tests/conformance.rs", "tests/store.rs", "src/lib.rs"] {
            let file = format!("example-provider/{file}");
            let text = fs::read_to_string(docs.join(&file)).unwrap();
            // All but the documentation at its head.
            let code = text.lines().filter(|line| !line.starts_with("//!"));
            let code: Vec<_> = code.collect();
            let shown = shown[&*file]
                .lines()
                .filter(|line| !line.starts_with("//!"));
            let shown: Vec<_> = shown.collect();
            let (code, shown) = (code.join("\n"), shown.join("\n"));
            assert_eq!(
                code.trim(),
                shown.trim(),
                "the guide leaves out a part of {file}"
            );
        }
        assert!(shown.contains_key("example-provider/tests/flows.rs"));
        let rust = guide.matches("```rust").count();
        assert_eq!(
            rust,
            guide.matches("-->\n```rust").count(),
            "a block of nowhere"
        );
    }

    #[test]
    fn the_document_is_what_the_catalogue_says() {
        let written = fs::read_to_string(path()).unwrap();
        assert!(
            written == text().unwrap(),
            "docs/conformance.md is stale: cargo xtask conformance --write-docs"
        );
    }
}
