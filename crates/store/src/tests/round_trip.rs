//! What is written is read back, whole: with everything set, with everything absent, and after a save.

use std::fmt::Debug;

use chrono::TimeDelta;
use claviger_domain::account::{AccountStatus, UserAccount};
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::capability::Capability;
use claviger_domain::credential::{Class, Credential, Credits, Network, Refill, Revocation};
use claviger_domain::limit::Limits;
use claviger_domain::organization::{Organization, OrganizationSettings, OrganizationStatus, Slug};
use claviger_domain::secret::KeyPrefix;
use claviger_domain::settings::{KeptDays, KeyLifetime};
use claviger_domain::text::{BillingPlan, Description, Email, ExternalId, Metadata, Name};

use super::fixtures::{
    account, admin_key, at, credential, of_status, organization, owner, partner, sealed, window, write,
};
use crate::{CredentialFilter, Store, StoreError, Tables};

on_each_database!(
    organizations,
    admin_keys,
    callers,
    user_accounts,
    credentials,
    every_class_and_network,
    long_texts
);

/// The finest instant that is kept.
fn instant(seconds: i64) -> claviger_domain::Timestamp {
    at(seconds) + TimeDelta::microseconds(999_999)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn metadata() -> Metadata {
    Metadata::new(r#"{"z":1,"a":["\u0000 'quoted' \"twice\" \\",null,1.50],"é":"🔑"}"#.into(), 2).unwrap()
}

fn assert_same<T: PartialEq + Debug>(read: Result<Option<T>, StoreError>, written: &T) {
    assert_eq!(read.unwrap().as_ref(), Some(written));
}

async fn organizations(store: Store) {
    let bare = organization(1);
    let full = Organization {
        name: name("Ünïcode & 'Söhne' -- %"),
        slug: Slug::new("unicode-sons").unwrap(),
        email: Some(Email::new("root+tag@example.com").unwrap()),
        plan: Some(name("gold")),
        status: OrganizationStatus::Suspended,
        metadata: metadata(),
        settings: OrganizationSettings {
            ip_allowlist: "10.0.0.0/8,2001:db8::/32".parse().unwrap(),
            key_lifetime: KeyLifetime {
                usual: Some(TimeDelta::days(90)),
                most: Some(TimeDelta::days(365)),
                is_demanded: true,
            },
            default_limits: Limits::per_minute(100),
            kept_days: KeptDays { audit: Some(365), usage: Some(30) },
            resource_limits: "api_keys:5,roles:7".parse().unwrap(),
        },
        created_at: instant(1),
        updated_at: Some(instant(2)),
        ..organization(2)
    };
    write(&store, async |tx| {
        tx.organizations().insert(&bare).await?;
        tx.organizations().insert(&full).await
    })
    .await
    .unwrap();
    let table = store.organizations();
    assert_same(table.find_unscoped(bare.id).await, &bare);
    assert_same(table.find_unscoped(full.id).await, &full);
    assert_eq!(table.find_by_given_name_unscoped(&full.name, 9).await.unwrap(), std::slice::from_ref(&full));
    assert!(table.find_by_given_name_unscoped(&name("ünïcode"), 9).await.unwrap().is_empty());
    assert!(table.is_slug_taken_unscoped(&full.slug).await.unwrap());
    assert!(!table.is_slug_taken_unscoped(&Slug::new("free").unwrap()).await.unwrap());
    let unknown = organization(3).id;
    let mut many = table.find_many_unscoped(&[full.id, unknown, bare.id]).await.unwrap();
    many.sort_by_key(|organization| organization.id);
    assert_eq!(many, [bare.clone(), full.clone()]);
    assert!(table.find_many_unscoped(&[]).await.unwrap().is_empty());

    // Each takes the other's form.
    let now_full =
        Organization { id: bare.id, slug: bare.slug.clone(), revision: full.revision.next(), ..full.clone() };
    let now_bare =
        Organization { id: full.id, slug: full.slug.clone(), revision: bare.revision.next(), ..bare };
    write(&store, async |tx| {
        tx.organizations().save(&now_full).await?;
        tx.organizations().save(&now_bare).await
    })
    .await
    .unwrap();
    assert_same(store.organizations().find_unscoped(now_full.id).await, &now_full);
    assert_same(store.organizations().find_unscoped(now_bare.id).await, &now_bare);
}

async fn admin_keys(store: Store) {
    let organization = organization(1);
    let bare = AdminKey { permissions: [].into_iter().collect(), ..admin_key(1, organization.id) };
    let full = AdminKey {
        name: Some(name("till 4")),
        permissions: [Capability::ViewUsage, Capability::ManageCredentials].into_iter().collect(),
        created_at: instant(1),
        updated_at: Some(instant(2)),
        expires_at: Some(instant(3)),
        last_used_at: Some(instant(4)),
        revoked_at: Some(instant(5)),
        ..admin_key(2, organization.id)
    };
    write(&store, async |tx| {
        tx.organizations().insert(&organization).await?;
        tx.admin_keys().insert(&bare, &sealed(2, 1)).await?;
        tx.admin_keys().insert(&full, &sealed(2, 2)).await
    })
    .await
    .unwrap();
    for (n, key) in [(1, &bare), (2, &full)] {
        assert_same(store.admin_keys().find(Owner::Installation, key.id).await, key);
        let digests = [sealed(9, 9).digest, sealed(2, n).digest];
        let found = store.admin_keys().find_by_digest_unscoped(&digests).await;
        assert_same(found, &(key.clone(), organization.clone()));
        write(&store, async |tx| {
            assert_same(tx.admin_keys().find_for_update(Owner::Installation, key.id).await, key);
            Ok(())
        })
        .await
        .unwrap();
    }
    assert!(store.admin_keys().find_by_digest_unscoped(&[sealed(9, 9).digest]).await.unwrap().is_none());
    assert!(store.admin_keys().find_by_digest_unscoped(&[]).await.unwrap().is_none());
    let all = store.admin_keys().list(Owner::Installation, true, window(10, 0)).await.unwrap();
    assert_eq!(all.items, [full.clone(), bare.clone()]);

    // A save carries everything but the secret and the last use.
    let saved = AdminKey { id: bare.id, revision: bare.revision.next(), ..full.clone() };
    write(&store, async |tx| tx.admin_keys().save(&saved).await).await.unwrap();
    let expected = AdminKey { last_used_at: None, ..saved };
    let found = store.admin_keys().find_by_digest_unscoped(&[sealed(2, 1).digest]).await;
    assert_same(found, &(expected, organization.clone()));
    let emptied = AdminKey { revision: full.revision.next(), ..admin_key(2, organization.id) };
    write(&store, async |tx| tx.admin_keys().save(&emptied).await).await.unwrap();
    let expected = AdminKey { last_used_at: full.last_used_at, ..emptied };
    assert_same(store.admin_keys().find(Owner::Installation, full.id).await, &expected);

    for (used_at, kept) in [(instant(9), instant(9)), (instant(8), instant(9)), (instant(10), instant(10))] {
        write(&store, async |tx| tx.admin_keys().touch_unscoped(bare.id, used_at).await).await.unwrap();
        let key = store.admin_keys().find(Owner::Installation, bare.id).await.unwrap().unwrap();
        assert_eq!(key.last_used_at, Some(kept), "the last use never moves back");
    }
}

async fn callers(store: Store) {
    let key = partner(&store, 1).await;
    let find = async || store.admin_keys().find_unscoped(key.id).await.unwrap();
    let organization = organization(1);
    assert_eq!(find().await, Some((key.clone(), organization.clone())));
    let suspended = Organization {
        status: OrganizationStatus::Suspended,
        revision: organization.revision.next(),
        ..organization
    };
    write(&store, async |tx| tx.organizations().save(&suspended).await).await.unwrap();
    assert_eq!(find().await, Some((key.clone(), suspended)));
    let unknown = admin_key(9, key.organization).id;
    assert_eq!(store.admin_keys().find_unscoped(unknown).await.unwrap(), None);
}

async fn user_accounts(store: Store) {
    let maker = partner(&store, 1).await;
    let bare = UserAccount { admin_key: None, ..account(1, &maker) };
    let full = UserAccount {
        external_id: Some(ExternalId::new("  customer/1 ").unwrap()),
        name: name("O'Brien; DROP TABLE user_accounts"),
        email: Some(Email::new("o'brien@example.com").unwrap()),
        metadata: metadata(),
        status: AccountStatus::Pending,
        billing_plan: Some(BillingPlan::new("plan:7").unwrap()),
        first_name: Some(Name::new("Ada").unwrap()),
        last_name: Some(Name::new("King-Noel").unwrap()),
        created_at: instant(1),
        updated_at: Some(instant(2)),
        ..account(2, &maker)
    };
    write(&store, async |tx| {
        tx.user_accounts().insert(&bare).await?;
        tx.user_accounts().insert(&full).await
    })
    .await
    .unwrap();
    let everything = Owner::Organization(maker.organization);
    let all = store.user_accounts().list(everything, &of_status(None), window(10, 0)).await.unwrap();
    assert_eq!(all.items, [full.clone(), bare.clone()]);
    let external_id = full.external_id.as_ref().unwrap();
    assert_same(store.user_accounts().find_by_external_id(owner(&maker), external_id).await, &full);

    let now_full =
        UserAccount { id: bare.id, admin_key: None, revision: bare.revision.next(), ..full.clone() };
    let now_bare = UserAccount { id: full.id, revision: full.revision.next(), ..bare };
    for saved in [&now_full, &now_bare] {
        write(&store, async |tx| tx.user_accounts().save(saved).await).await.unwrap();
        assert_same(store.user_accounts().find(everything, saved.id).await, saved);
    }
}

fn full_credential(n: u64, maker: &AdminKey) -> Credential {
    Credential {
        name: name("Ключ № 1"),
        description: Some(Description::new("one\n\ttwo").unwrap()),
        scopes: "workflows:read users:*".parse().unwrap(),
        limits: "requests:60/60,burst.x:5/1,all:9/60@organization".parse().unwrap(),
        credits: Some(Credits {
            grant: 3,
            remaining: 7,
            refill: Some(Refill { amount: 100, every: TimeDelta::milliseconds(1_500), since: instant(0) }),
        }),
        ip_allowlist: "192.0.2.7,2001:db8::/32".parse().unwrap(),
        network: Some(Network::Preprod),
        metadata: metadata(),
        created_at: instant(1),
        updated_at: Some(instant(2)),
        expires_at: Some(instant(3)),
        disabled_at: Some(instant(4)),
        revoked: Some(Revocation { at: instant(5), reason: Some(Description::new("").unwrap()) }),
        last_used_at: Some(instant(6)),
        ..credential(n, maker)
    }
}

async fn credentials(store: Store) {
    let maker = partner(&store, 1).await;
    let account = account(1, &maker);
    let bare = Credential { admin_key: None, ..credential(1, &maker) };
    let full = Credential { user_account: Some(account.id), ..full_credential(2, &maker) };
    write(&store, async |tx| {
        tx.user_accounts().insert(&account).await?;
        tx.credentials().insert(&bare).await?;
        tx.credentials().insert(&full).await
    })
    .await
    .unwrap();
    let everything = Owner::Organization(maker.organization);
    let filter = CredentialFilter { include_revoked: true, ..CredentialFilter::default() };
    let all = store.credentials().list(everything, &filter, window(10, 0)).await.unwrap();
    assert_eq!(all.items, [full.clone(), bare.clone()]);
    let mut many = store.credentials().find_many(everything, &[full.id, bare.id]).await.unwrap();
    many.sort_by_key(|credential| credential.id);
    assert_eq!(many, [bare.clone(), full.clone()]);

    // A save carries everything but the last use.
    let now_full =
        Credential { id: bare.id, admin_key: None, revision: bare.revision.next(), ..full.clone() };
    let now_bare = Credential { id: full.id, revision: full.revision.next(), ..bare };
    for (saved, used) in [(&now_full, None), (&now_bare, full.last_used_at)] {
        write(&store, async |tx| tx.credentials().save(saved).await).await.unwrap();
        let expected = Credential { last_used_at: used, ..saved.clone() };
        assert_same(store.credentials().find(everything, saved.id).await, &expected);
    }
}

async fn every_class_and_network(store: Store) {
    let maker = partner(&store, 1).await;
    let networks = [Some(Network::Mainnet), Some(Network::Preview), Some(Network::Preprod), None];
    for (n, (class, network)) in (1..).zip(Class::ALL.into_iter().zip(networks)) {
        let credits = Some(Credits::granted(n - 1, None));
        let revoked = Some(Revocation { at: instant(1), reason: None });
        let written = Credential { class, network, credits, revoked, ..credential(n, &maker) };
        write(&store, async |tx| tx.credentials().insert(&written).await).await.unwrap();
        assert_same(store.credentials().find(owner(&maker), written.id).await, &written);
    }
}

async fn long_texts(store: Store) {
    let maker = partner(&store, 1).await;
    let long = "🔑".repeat(255);
    let written = Credential {
        name: name(&long),
        prefix: KeyPrefix::from_stored("iiak_zzzzzzzz".into()),
        description: Some(Description::new(&"é".repeat(1024)).unwrap()),
        metadata: Metadata::new(format!(r#"{{"k":"{}"}}"#, "v".repeat(16_000)), 1).unwrap(),
        ..credential(1, &maker)
    };
    let holder = UserAccount { external_id: Some(ExternalId::new(&long).unwrap()), ..account(1, &maker) };
    write(&store, async |tx| {
        tx.user_accounts().insert(&holder).await?;
        tx.credentials().insert(&written).await
    })
    .await
    .unwrap();
    assert_same(store.credentials().find(owner(&maker), written.id).await, &written);
    let external_id = holder.external_id.as_ref().unwrap();
    assert_same(store.user_accounts().find_by_external_id(owner(&maker), external_id).await, &holder);
}
