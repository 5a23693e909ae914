//! `claviger openapi`: the documents that the router is described by.

use std::fs;
use std::path::Path;

use utoipa::openapi::OpenApi;

use crate::failure::Failure;
use crate::output;

pub(crate) fn run(name: Option<&str>, dir: Option<&Path>) -> Result<(), Failure> {
    let documents = claviger_http::documents();
    if let Some(dir) = dir {
        fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
        for (name, document) in &documents {
            let file = dir.join(format!("{name}.json"));
            fs::write(&file, text(document)?).map_err(|error| cannot_write(&file, &error))?;
        }
        return Ok(());
    }
    let wanted = name.unwrap_or_default();
    match documents.iter().find(|(name, _)| *name == wanted) {
        Some((_, document)) => output::print(&text(document)?),
        None => {
            let known: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
            Err(Failure::configuration(format!(
                "there is no document {wanted:?}; there are: {}",
                known.join(", ")
            )))
        }
    }
}

/// As committed under `openapi/`: indented, ending in a line break.
fn text(document: &OpenApi) -> Result<String, Failure> {
    let json = document.to_pretty_json();
    json.map(|json| json + "\n")
        .map_err(|error| Failure::operation(format!("cannot write a document as JSON: {error}")))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::operation(format!("cannot write {}: {error}", path.display()))
}
