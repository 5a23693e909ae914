//! Entries to be exported, appended as the product does, and what somebody with the database may do to them.

use std::path::Path;

use chrono::{DateTime, TimeDelta};
use claviger_domain::audit::{Author, AuthorKind, Detail, Entry, Resource, Target};
use claviger_domain::ids::{AuditEntryId, OrganizationId};
use claviger_domain::secret::Peppers;
use claviger_store::{Store, StoreError, StoreOptions, Tables, Tx};
use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

use crate::Outcome;

const ROWS_OF_A_TRANSACTION: u64 = 20_000;
/// Chains that the entries are spread over.
const CHAINS: u64 = 10;

/// Adds the entries from number `have` to number `total`.
pub(crate) async fn append(database: &Path, have: u64, total: u64) -> Outcome<()> {
    let keys = peppers(&database.with_file_name("peppers"))?.audit_keys();
    let url = format!("sqlite://{}", database.display());
    let store = Store::connect(&url, &StoreOptions::default()).await?;
    let mut from = have;
    while from < total {
        let until = total.min(from + ROWS_OF_A_TRANSACTION);
        let entries: Vec<_> = (from..until).map(entry).collect();
        store
            .transaction::<_, StoreError>(async |tx: &Tx| tx.audit_log().append(&keys, &entries).await)
            .await?;
        from = until;
    }
    store.close().await;
    Ok(())
}

fn peppers(file: &Path) -> Outcome<Peppers> {
    let text = std::fs::read_to_string(file)?;
    let (version, hex) = text.trim().split_once(':').ok_or("no pepper")?;
    let mut pepper = [0; 32];
    for (place, byte) in pepper.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * place..2 * place + 2).ok_or("a short pepper")?, 16)?;
    }
    Ok(Peppers::new(vec![(version.parse()?, pepper)])?)
}

/// As the making of a credential is told.
fn entry(number: u64) -> Entry {
    let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(number.cast_signed());
    let of = |kind: u128| {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | kind << 32 | u128::from(number % CHAINS))
    };
    let organization = Some(OrganizationId::from_uuid(of(1)));
    let text = |text: &str| Detail::Text(text.to_owned());
    Entry {
        id: AuditEntryId::from_uuid(Uuid::from_u128(
            u128::from(number) << 80 | 0x7000 << 64 | 0x8000_0000_0000_0002,
        )),
        at,
        action: claviger_domain::audit::Action {
            resource: Resource::Credential,
            verb: claviger_domain::audit::Verb::Created,
        },
        author: Author {
            kind: AuthorKind::AdminKey,
            id: Some(of(2)),
            name: Some("Benchmark".to_owned()),
            organization,
            user: None,
        },
        organization,
        target: Some(Target {
            resource: Resource::Credential,
            id: Uuid::from_u128(u128::from(number) << 32 | 3),
        }),
        address: Some(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
        request_id: format!("request-{number:012}"),
        details: vec![
            ("name".to_owned(), text("Production")),
            ("network_id".to_owned(), Detail::Number(0)),
            ("expires_at".to_owned(), Detail::Null),
            ("user_account_id".to_owned(), text("0190a5d0-0000-7000-8000-000000000003")),
        ],
    }
}

/// What is done to a log of so many entries before the middle, in SQL.
pub(crate) fn deeds(middle: u64) -> [(&'static str, Vec<String>); 3] {
    let here = format!(
        "chain_id = (SELECT chain_id FROM audit_log GROUP BY chain_id ORDER BY count(*) DESC, chain_id LIMIT 1) AND sequence = {}",
        middle / CHAINS
    );
    let next = format!(
        "chain_id = (SELECT chain_id FROM audit_log GROUP BY chain_id ORDER BY count(*) DESC, chain_id LIMIT 1) AND sequence = {}",
        middle / CHAINS + 1
    );
    [
        ("a flipped bit", vec![format!("UPDATE audit_log SET at = at + 1 WHERE {here}")]),
        ("a removed row", vec![format!("DELETE FROM audit_log WHERE {here}")]),
        (
            "a swapped row",
            vec![
                format!("UPDATE audit_log SET sequence = -1 WHERE {here}"),
                format!("UPDATE audit_log SET sequence = sequence - 1 WHERE {next}"),
                format!("UPDATE audit_log SET sequence = {} WHERE sequence = -1", middle / CHAINS + 1),
            ],
        ),
    ]
}

pub(crate) async fn touch(database: &Path, statements: &[String]) -> Outcome<()> {
    let connection = Database::connect(format!("sqlite://{}", database.display())).await?;
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    connection.close().await?;
    Ok(())
}
