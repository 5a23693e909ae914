use std::os::unix::fs::PermissionsExt;

use claviger_domain::secret::{KeyFormat, Plaintext};

use super::*;
use crate::config::{self, Sources};
use crate::system::OsEntropy;

const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
const TWO: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

fn config(data_dir: &Path, more: &[(&str, &str)]) -> Config {
    let mut environment = vec![("CLAVIGER_DATA_DIR".into(), data_dir.into())];
    environment.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
    config::load(&Sources { named_file: None, directory: data_dir.to_owned(), environment }).unwrap().config
}

fn sentence(outcome: Result<Peppers, Failure>) -> String {
    outcome.unwrap_err().to_string()
}

/// Peppers are the same when they seal a key alike.
fn sealed(peppers: &Peppers) -> [u8; 32] {
    let key: Plaintext = "iiak_admin_00112233445566778899aabbccddeeff3cea5fc4".parse().unwrap();
    assert_eq!(key.format(), KeyFormat::Admin);
    *peppers.seal(&key).digest.as_bytes()
}

#[test]
fn the_text_form_is_read() {
    let both = parse(&format!("1:{ONE},2:{TWO}")).unwrap();
    assert_eq!(format!("{both:?}"), "[2, 1]");
    assert_eq!(sealed(&both), sealed(&parse(&format!(" 2:{TWO}\n1:{ONE}\n")).unwrap()));
    assert_eq!(
        sealed(&parse(&format!("7:{ONE}")).unwrap()),
        sealed(&parse(&format!("1:{}", ONE.to_lowercase())).unwrap())
    );
    assert_ne!(sealed(&both), sealed(&parse(&format!("1:{ONE}")).unwrap()));
}

#[test]
fn another_form_is_refused() {
    for wrong in [
        String::new(),
        ONE.to_owned(),
        format!("1:{}", &ONE[1..]),
        format!("1:{ONE}0"),
        format!("1:{}g", &ONE[1..]),
        format!("0:{ONE}"),
        format!("-1:{ONE}"),
        format!("one:{ONE}"),
        format!("4294967296:{ONE}"),
        format!("1:{ONE},"),
        format!("1:{ONE},1:{TWO}"),
        format!("1:{ONE}é"),
    ] {
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_first_start_makes_a_private_file_and_the_next_reads_it() {
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path(), &[]);
    let made = of(&config, &OsEntropy).unwrap();
    let file = data.path().join("peppers");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sealed(&of(&config, &OsEntropy).unwrap()), sealed(&made));
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(sealed(&parse(&text).unwrap()), sealed(&made));
}

#[test]
fn peppers_are_not_made_again_for_a_database_that_has_data() {
    for file in ["claviger.db", "claviger.db-wal"] {
        let data = tempfile::tempdir().unwrap();
        let config = config(data.path(), &[]);
        fs::write(data.path().join("claviger.db"), "").unwrap();
        fs::write(data.path().join(file), "SQLite format 3").unwrap();
        let sentence = sentence(of(&config, &OsEntropy));
        assert!(sentence.contains("lock every key out") && sentence.contains("claviger.db"), "{sentence}");
        assert!(!data.path().join("peppers").exists());
    }
    // An empty file is what is left of a start that was killed before it wrote anything.
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("claviger.db"), "").unwrap();
    assert!(of(&config(data.path(), &[]), &OsEntropy).is_ok());
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("peppers");
    fs::write(&file, format!("1:{ONE}\n")).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let sentence = sentence(of(&config(data.path(), &[]), &OsEntropy));
        assert!(
            sentence.contains(&format!("mode {mode:04o}")) && sentence.contains("chmod 600"),
            "{sentence}"
        );
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(of(&config(data.path(), &[]), &OsEntropy).is_ok());
}

#[test]
fn a_damaged_file_is_told_without_its_contents() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("peppers");
    fs::write(&file, format!("1:{}", &ONE[..40])).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let sentence = sentence(of(&config(data.path(), &[]), &OsEntropy));
    assert!(sentence.contains("backup") && !sentence.contains(&ONE[..20]), "{sentence}");
}

#[test]
fn another_database_needs_given_peppers_and_memory_needs_none() {
    let data = tempfile::tempdir().unwrap();
    let postgres = ("CLAVIGER_DATABASE_URL", "postgres://db/claviger");
    let sentence = sentence(of(&config(data.path(), &[postgres]), &OsEntropy));
    assert!(sentence.starts_with("CLAVIGER_PEPPERS or CLAVIGER_PEPPERS_FILE must be set"), "{sentence}");
    let given =
        of(&config(data.path(), &[postgres, ("CLAVIGER_PEPPERS", &format!("1:{ONE}"))]), &OsEntropy).unwrap();
    assert_eq!(sealed(&given), sealed(&parse(&format!("1:{ONE}")).unwrap()));
    let memory = config(data.path(), &[("CLAVIGER_DATABASE_URL", "sqlite::memory:")]);
    assert_ne!(sealed(&of(&memory, &OsEntropy).unwrap()), sealed(&of(&memory, &OsEntropy).unwrap()));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}
