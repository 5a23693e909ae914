use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use claviger_domain::secret::KeyFormat;

use super::settings::{HIDDEN, SETTINGS, Secrecy};
use super::sources::Origin;
use super::*;
use crate::failure::Failure;
use crate::system::random;

const PEPPER: &str = "1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Effective, Failure> {
    let empty = tempfile::tempdir().unwrap();
    load(&Sources {
        named_file: None,
        directory: empty.path().to_owned(),
        environment: environment(variables),
    })
}

/// What is said of a `claviger.toml` with these lines.
fn from_file(text: &str) -> Result<Effective, Failure> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("claviger.toml"), text).unwrap();
    load(&Sources { directory: directory.path().to_owned(), ..Sources::default() })
}

fn refusal(outcome: Result<Effective, Failure>) -> String {
    match outcome {
        Err(Failure::Configuration(sentence)) => sentence,
        Err(Failure::Operation(sentence) | Failure::Unread(sentence)) => {
            panic!("not a configuration failure: {sentence}")
        }
        Ok(effective) => panic!("accepted: {effective:?}"),
    }
}

fn origin(effective: &Effective, variable: &str) -> Origin {
    let place = SETTINGS.iter().position(|setting| setting.variable == variable).unwrap();
    effective.origins[place]
}

fn bootstrap_key() -> Plaintext {
    Plaintext::generate(KeyFormat::Bootstrap, &mut random())
}

#[test]
fn without_sources_the_defaults_hold() {
    let effective = from_environment(&[("PATH", "/bin"), ("OTEL_SERVICE_NAME", "x")]).unwrap();
    let config = &effective.config;
    assert_eq!(config.http.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.data_dir, Path::new("./claviger-data"));
    assert_eq!(config.limits.admin_per_minute, 500);
    assert!(config.database_url().expose().ends_with("/claviger-data/claviger.db"));
    assert!(effective.origins.iter().all(|origin| *origin == Origin::Default));
    assert_eq!(effective.file, None);
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("claviger.toml"),
        "data_dir = '/data'\n[http]\nlisten = '127.0.0.1:1'\nmax_connections = 7\ntrusted_proxies = ['10.1.2.3/8', '::1']\n",
    )
    .unwrap();
    let effective = load(&Sources {
        named_file: None,
        directory: directory.path().to_owned(),
        environment: environment(&[("CLAVIGER_LISTEN", "127.0.0.1:2"), ("CLAVIGER_LOG_FORMAT", "json")]),
    })
    .unwrap();
    let config = &effective.config;
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.http.max_connections, 7);
    assert_eq!(config.http.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.http.request_timeout, Duration::from_secs(30));
    assert_eq!(config.database_url().expose(), "sqlite:///data/claviger.db");
    for (variable, from) in [
        ("CLAVIGER_LISTEN", Origin::Environment),
        ("CLAVIGER_MAX_CONNECTIONS", Origin::File),
        ("CLAVIGER_DATA_DIR", Origin::File),
        ("CLAVIGER_LOG_FORMAT", Origin::Environment),
        ("CLAVIGER_LOG", Origin::Default),
    ] {
        assert_eq!(origin(&effective, variable), from, "{variable}");
    }
}

#[test]
fn each_wrong_value_names_the_setting_the_form_and_an_example() {
    let wrong = [
        ("CLAVIGER_LISTEN", "8080"),
        ("CLAVIGER_LISTEN", "localhost:8080"),
        ("CLAVIGER_LISTEN", ""),
        ("CLAVIGER_LISTEN", "127.0.0.1:70000"),
        ("CLAVIGER_DATA_DIR", ""),
        ("CLAVIGER_DATABASE_URL", "mysql://db/x"),
        ("CLAVIGER_DATABASE_URL", "claviger.db"),
        ("CLAVIGER_BOOTSTRAP_KEY", "iiak_bootstrap_0000000000000000000000000000000000000000"),
        ("CLAVIGER_BOOTSTRAP_KEY_OUTPUT", ""),
        ("CLAVIGER_PEPPERS", "1:abcd"),
        ("CLAVIGER_PEPPERS", ""),
        ("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "many"),
        ("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "-1"),
        ("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "+1"),
        ("CLAVIGER_ADMIN_LIMIT_PER_MINUTE", "1000001"),
        ("CLAVIGER_JOURNAL_MAX_MIB", "0"),
        ("CLAVIGER_JOURNAL_MAX_MIB", "1G"),
        ("CLAVIGER_JOURNAL_DURABILITY", "always"),
        ("CLAVIGER_USAGE_MINUTES_KEPT_DAYS", "36501"),
        ("CLAVIGER_USAGE_HOURS_KEPT_DAYS", "forever"),
        ("CLAVIGER_USAGE_KEPT_DAYS", "-1"),
        ("CLAVIGER_AUDIT_RETENTION_DAYS", "7.5"),
        ("CLAVIGER_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CLAVIGER_TRUSTED_PROXIES", "proxy.internal"),
        ("CLAVIGER_REQUEST_TIMEOUT_SECONDS", "0"),
        ("CLAVIGER_REQUEST_TIMEOUT_SECONDS", "1.5"),
        ("CLAVIGER_SHUTDOWN_GRACE_SECONDS", "3601"),
        ("CLAVIGER_MAX_CONNECTIONS", "0"),
        ("CLAVIGER_MAX_CONNECTIONS_PER_ADDRESS", "-1"),
        ("CLAVIGER_LOG", "info,a=b=c"),
        ("CLAVIGER_LOG_FORMAT", "xml"),
        ("CLAVIGER_OTLP_ENDPOINT", "collector:4318"),
        ("CLAVIGER_OTLP_ENDPOINT", "http://user:hunter2@collector:4318"),
        ("CLAVIGER_WORKER_THREADS", "all"),
    ];
    for setting in SETTINGS {
        assert!(
            wrong.iter().any(|(variable, _)| *variable == setting.variable),
            "{} is not tried",
            setting.variable
        );
    }
    for (variable, value) in wrong {
        let setting = SETTINGS.iter().find(|setting| setting.variable == variable).unwrap();
        let sentence = refusal(from_environment(&[(variable, value)]));
        assert!(sentence.starts_with(variable), "{sentence}");
        assert!(sentence.contains(setting.form) && sentence.contains(setting.example), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        let key = format!("{} in ", setting.key);
        let written = setting.key.rsplit_once('.').map_or_else(
            || format!("{} = {value:?}\n", setting.key),
            |(section, name)| format!("[{section}]\n{name} = {value:?}\n"),
        );
        let sentence = refusal(from_file(&written));
        assert!(sentence.starts_with(&key) && sentence.contains(setting.example), "{sentence}");
    }
}

#[test]
fn every_wrong_value_is_told_at_once() {
    let sentence = refusal(from_environment(&[
        ("CLAVIGER_LISTEN", "x"),
        ("CLAVIGER_LOG_FORMAT", "y"),
        ("CLAVIGER_NO", "z"),
    ]));
    assert_eq!(sentence.lines().count(), 3, "{sentence}");
}

#[test]
fn a_secret_is_never_repeated() {
    let mut mistyped = bootstrap_key().expose().to_owned();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == '0' { '1' } else { '0' });
    let admin = Plaintext::generate(KeyFormat::Admin, &mut random());
    let cases = [
        ("CLAVIGER_BOOTSTRAP_KEY", mistyped.as_str()),
        ("CLAVIGER_BOOTSTRAP_KEY", admin.expose()),
        ("CLAVIGER_PEPPERS", "1:hunter2"),
        ("CLAVIGER_PEPPERS", &PEPPER[2..]),
        ("CLAVIGER_PEPPERS", &format!("{PEPPER},{PEPPER}")),
        ("CLAVIGER_PEPPERS", &format!("0{PEPPER}{PEPPER}")),
        ("CLAVIGER_DATABASE_URL", "postgres//claviger:hunter2@db/claviger"),
        ("CLAVIGER_OTLP_ENDPOINT", "http://user:hunter2@collector:4318"),
    ];
    for (variable, value) in cases {
        let sentence = refusal(from_environment(&[(variable, value)]));
        assert!(!sentence.contains(value) && !sentence.contains("hunter2"), "{sentence}");
        assert!(!sentence.contains("00112233445566778899"), "{sentence}");
    }
    // A line that is not TOML at all is not printed either.
    let sentence =
        refusal(from_file(&format!("[keys]\nbootstrap = \"{mistyped}\npeppers = [\"{PEPPER}\"]\n")));
    assert!(sentence.contains("claviger.toml is not TOML: line 2"), "{sentence}");
    assert!(!sentence.contains("iiak_bootstrap_") && !sentence.contains("00112233"), "{sentence}");
}

#[test]
fn secrets_in_force_are_hidden() {
    let key = bootstrap_key();
    let effective = from_environment(&[
        ("CLAVIGER_BOOTSTRAP_KEY", key.expose()),
        ("CLAVIGER_PEPPERS", PEPPER),
        ("CLAVIGER_DATABASE_URL", "postgres://claviger:hunter2@db/claviger"),
    ])
    .unwrap();
    for shown in
        [effective_table(&effective), effective_json(&effective).to_string(), format!("{effective:?}")]
    {
        assert!(!shown.contains(key.expose()) && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("00112233"), "{shown}");
    }
    assert!(effective_table(&effective).contains(HIDDEN));
    let json = effective_json(&effective);
    let peppers = json["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["variable"] == "CLAVIGER_PEPPERS")
        .unwrap();
    assert_eq!(
        (&peppers["set"], &peppers["value"], &peppers["from"]),
        (&true.into(), &().into(), &"environment".into())
    );
    assert!(SETTINGS.iter().filter(|setting| setting.secrecy == Secrecy::Hidden).count() >= 2);
}

#[test]
fn what_nobody_knows_is_refused_with_a_guess() {
    let sentence = refusal(from_environment(&[("CLAVIGER_LISTEM", "127.0.0.1:1")]));
    assert!(
        sentence.contains("CLAVIGER_LISTEM is not") && sentence.contains("did you mean CLAVIGER_LISTEN?"),
        "{sentence}"
    );
    for (file, key) in [
        ("[http]\nlisen = '127.0.0.1:1'", "http.lisen"),
        ("listen = '127.0.0.1:1'", "listen"),
        ("[htttp]", "htttp"),
        ("http = 3", "http"),
        ("[data_dir]\nx = 1", "data_dir"),
        ("[http.listen]\naddress = 1", "http.listen"),
    ] {
        let sentence = refusal(from_file(file));
        assert!(sentence.starts_with(&format!("{key} in ")), "{file}: {sentence}");
    }
}

#[test]
fn what_kubernetes_tells_of_a_service_is_left_alone() {
    let injected = [
        ("CLAVIGER_PORT", "tcp://10.0.171.239:8080"),
        ("CLAVIGER_PORT_8080_TCP", "tcp://10.0.171.239:8080"),
        ("CLAVIGER_PORT_8080_TCP_PROTO", "tcp"),
        ("CLAVIGER_PORT_8080_TCP_PORT", "8080"),
        ("CLAVIGER_PORT_8080_TCP_ADDR", "10.0.171.239"),
        ("CLAVIGER_SERVICE_HOST", "10.0.171.239"),
        ("CLAVIGER_SERVICE_PORT", "8080"),
        ("CLAVIGER_SERVICE_PORT_HTTP", "8080"),
    ];
    let effective = from_environment(&injected).unwrap();
    assert!(effective.origins.iter().all(|origin| *origin == Origin::Default));
    for (mistyped, value) in [
        ("CLAVIGER_PORT", "8080"),
        ("CLAVIGER_PORTS", "tcp://10.0.171.239:8080"),
        ("CLAVIGER_SERVICE", "x"),
        ("CLAVIGER_SERVICE_HOSTS", "x"),
        ("CLAVIGER_SERVICE_PORTS", "x"),
    ] {
        assert!(refusal(from_environment(&[(mistyped, value)])).starts_with(mistyped), "{mistyped}");
    }
}

#[test]
fn a_toml_value_of_another_type_is_refused() {
    for file in [
        "[http]\nmax_connections = '7'",
        "[http]\nmax_connections = 7.5",
        "[http]\nmax_connections = true",
        "[http]\nlisten = 8080",
        "[http]\ntrusted_proxies = [1]",
        "data_dir = ['a']",
    ] {
        let sentence = refusal(from_file(file));
        assert!(sentence.contains("another type") && sentence.contains("for example"), "{sentence}");
    }
    let peppers = from_file(&format!("[keys]\npeppers = ['{PEPPER}', '2{}']", &PEPPER[1..])).unwrap();
    assert_eq!(format!("{:?}", peppers.config.keys.peppers.unwrap()), "[2, 1]");
    assert!(
        from_environment(&[("CLAVIGER_TRUSTED_PROXIES", "")]).unwrap().config.http.trusted_proxies.is_empty()
    );
}

#[test]
fn a_named_file_must_be_there_and_the_command_line_names_it_first() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one.toml"), directory.path().join("two.toml"));
    fs::write(&one, "data_dir = '/one'").unwrap();
    fs::write(&two, "data_dir = '/two'").unwrap();
    let sources = |named: Option<&Path>, variable: &Path| Sources {
        named_file: named.map(Path::to_owned),
        directory: directory.path().to_owned(),
        environment: vec![("CLAVIGER_CONFIG".into(), variable.into())],
    };
    assert_eq!(load(&sources(Some(&one), &two)).unwrap().config.data_dir, Path::new("/one"));
    assert_eq!(load(&sources(None, &two)).unwrap().config.data_dir, Path::new("/two"));
    let missing = directory.path().join("three.toml");
    let sentence = refusal(load(&sources(None, &missing)));
    assert!(sentence.contains("three.toml"), "{sentence}");
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let sources = Sources {
        directory: tempfile::tempdir().unwrap().path().to_owned(),
        environment: vec![("CLAVIGER_DATA_DIR".into(), OsString::from_vec(vec![b'/', 0xff]))],
        ..Sources::default()
    };
    assert!(refusal(load(&sources)).contains("CLAVIGER_DATA_DIR is not UTF-8"));
}

#[test]
fn examples_are_right_and_settings_are_told_apart() {
    for setting in SETTINGS {
        assert!(setting.variable.starts_with("CLAVIGER_"));
        assert!(!setting.meaning.ends_with('.') && !setting.form.ends_with('.'), "{}", setting.variable);
        assert_eq!(
            SETTINGS
                .iter()
                .filter(|other| other.variable == setting.variable || other.key == setting.key)
                .count(),
            1
        );
        // A secret's example is how to make one: one that worked would be used.
        if setting.secrecy == Secrecy::Hidden {
            assert!(setting.example.contains("$("));
        } else {
            from_environment(&[(setting.variable, setting.example)]).unwrap();
        }
        assert!(!setting.default_text().is_empty(), "{}", setting.variable);
    }
}

/// A file with these contents and this mode.
fn secret_file(directory: &Path, contents: &str, mode: u32) -> String {
    let path = directory.join("secret");
    drop(fs::remove_file(&path));
    fs::write(&path, contents).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn secrets_are_read_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let key = bootstrap_key();
    let url = "postgres://claviger:hunter2@db/claviger";
    for (variable, toml_key, secret) in [
        ("CLAVIGER_BOOTSTRAP_KEY", "[keys]\nbootstrap_file", key.expose()),
        ("CLAVIGER_PEPPERS", "[keys]\npeppers_file", PEPPER),
        ("CLAVIGER_DATABASE_URL", "[database]\nurl_file", url),
    ] {
        for (end, mode) in [("", 0o600), ("\n", 0o400), ("\r\n", 0o440)] {
            let path = secret_file(directory.path(), &format!("{secret}{end}"), mode);
            let by_variable = from_environment(&[(&format!("{variable}_FILE"), &path)]).unwrap();
            let by_file = from_file(&format!("{toml_key} = '{path}'\n")).unwrap();
            for (effective, from) in [(by_variable, Origin::Environment), (by_file, Origin::File)] {
                assert_eq!(origin(&effective, variable), from);
                let config = &effective.config;
                assert!(match variable {
                    "CLAVIGER_BOOTSTRAP_KEY" =>
                        config.keys.bootstrap.as_ref().map(Plaintext::expose) == Some(secret),
                    "CLAVIGER_PEPPERS" => config.keys.peppers.is_some(),
                    _ => config.database_url().expose() == secret,
                });
                let (table, json) = (effective_table(&effective), effective_json(&effective).to_string());
                for shown in [table, json, format!("{effective:?}")] {
                    assert!(shown.contains(&path), "{shown}");
                    assert!(!shown.contains(secret) && !shown.contains("hunter2"), "{shown}");
                }
            }
        }
    }
}

#[test]
fn each_wrong_secret_file_names_the_variable_the_file_and_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing").to_str().unwrap().to_owned();
    let here = directory.path().to_str().unwrap().to_owned();
    let refused = |path: &str, words: &str| {
        let sentence = refusal(from_environment(&[("CLAVIGER_PEPPERS_FILE", path)]));
        assert!(sentence.starts_with("CLAVIGER_PEPPERS_FILE "), "{sentence}");
        assert!(sentence.contains(path) && sentence.contains(words), "{sentence}");
        assert!(!sentence.contains("00112233"), "{sentence}");
        let sentence = refusal(from_file(&format!("[keys]\npeppers_file = '{path}'\n")));
        assert!(sentence.starts_with("keys.peppers_file in "), "{sentence}");
        assert!(sentence.contains(path) && sentence.contains(words), "{sentence}");
    };
    refused(&missing, "does not exist");
    refused(&here, "is a directory");
    refused("", "must be the path of a file");
    for mode in [0o604, 0o644, 0o660, 0o444] {
        refused(&secret_file(directory.path(), PEPPER, mode), &format!("(mode {mode:04o})"));
    }
    refused(&secret_file(directory.path(), "\n", 0o600), "is empty");
    refused(&secret_file(directory.path(), &PEPPER[..40], 0o600), "64 hexadecimal characters");
    refused(&secret_file(directory.path(), &"0".repeat(70_000), 0o600), "is larger than");
    assert!(refusal(from_file("[keys]\npeppers_file = 7\n")).contains("must be text"));
}

#[test]
fn a_secret_and_its_file_are_not_both_given_and_the_environment_still_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = secret_file(directory.path(), PEPPER, 0o600);
    let sentence =
        refusal(from_environment(&[("CLAVIGER_PEPPERS", PEPPER), ("CLAVIGER_PEPPERS_FILE", &path)]));
    assert!(sentence.contains("CLAVIGER_PEPPERS and CLAVIGER_PEPPERS_FILE are both set"), "{sentence}");
    let sentence = refusal(from_file(&format!("[keys]\npeppers = ['{PEPPER}']\npeppers_file = '{path}'\n")));
    assert!(sentence.contains("are both set") && sentence.contains("keys.peppers_file in "), "{sentence}");

    let toml = directory.path().join("claviger.toml");
    fs::write(&toml, format!("[keys]\npeppers_file = '{path}'\n")).unwrap();
    let effective = load(&Sources {
        named_file: Some(toml),
        environment: environment(&[("CLAVIGER_PEPPERS", &PEPPER.replacen('1', "7", 1))]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(format!("{:?}", effective.config.keys.peppers.as_ref().unwrap()), "[7]");
    assert!(effective.config.secret_files.is_empty());
}
