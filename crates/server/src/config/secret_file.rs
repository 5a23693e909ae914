//! Secrets that stand in a file of their own, as systemd, Docker and Kubernetes hand them out: then they are
//! in no environment and no configuration file. No error here repeats what is in the file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::settings::Setting;

/// The settings that may be given as the path of a file.
const SETTINGS: [&str; 3] = ["CLAVIGER_DATABASE_URL", "CLAVIGER_BOOTSTRAP_KEY", "CLAVIGER_PEPPERS"];
/// Larger than any secret.
const MAX_BYTES: u64 = 64 * 1024;
/// Everything for others, and writing for the group. The group may read: systemd and Kubernetes hand files to
/// a service that way.
const OPEN: u32 = 0o027;

/// The variable that names the file with this setting's value; `None` when it cannot come from a file.
pub(super) fn variable(setting: &Setting) -> Option<String> {
    SETTINGS.contains(&setting.variable).then(|| format!("{}_FILE", setting.variable))
}

/// As [`variable`], the key in `claviger.toml`.
pub(super) fn key(setting: &Setting) -> Option<String> {
    SETTINGS.contains(&setting.variable).then(|| format!("{}_file", setting.key))
}

/// Reads the secret, without the line break at its end. The error says what is wrong with the file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    if path.as_os_str().is_empty() {
        return Err("is empty; it must be the path of a file".to_owned());
    }
    let shown = path.display();
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => format!("names {shown}, which does not exist"),
        _ => format!("names {shown}, which cannot be read: {error}"),
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(format!("names {shown}, which is a directory"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & OPEN != 0 {
        return Err(format!(
            "names {shown}, which is open to others (mode {mode:04o}); run `chmod 600 {shown}`"
        ));
    }
    let mut bytes = Vec::new();
    (&mut file).take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("names {shown}, which is larger than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("names {shown}, which is not UTF-8 text"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(format!("names {shown}, which is empty"));
    }
    Ok(text.to_owned())
}
