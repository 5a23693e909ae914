//! Lists: newest first, cut to the window, with the number of all.

use claviger_domain::account::AccountStatus;
use claviger_domain::actor::Owner;
use claviger_domain::admin_key::AdminKey;
use claviger_domain::ids::{AdminKeyId, CredentialId};
use uuid::Uuid;

use super::fixtures::{
    account, account_id, admin_key, at, credential, credentials, of_status, owner, partner, sealed, window,
    write,
};
use crate::{Store, Tables};

on_each_database!(
    ids_are_ordered_as_bytes,
    windows_show_their_part,
    revoked_credentials_are_left_out,
    revoked_admin_keys_are_left_out,
    users_are_listed_by_status,
);

async fn ids_are_ordered_as_bytes(store: Store) {
    let maker = partner(&store, 1).await;
    let numbers = [
        0x0190_0000_0000_7000_8000_0000_0000_0001,
        0xff00_0000_0000_7000_8000_0000_0000_0000,
        0x0190_0000_0000_7000_bfff_ffff_ffff_ffff,
        0x7fff_ffff_ffff_7fff_8000_0000_0000_0000,
        0x8000_0000_0000_7000_8000_0000_0000_0000,
        0x0190_0000_0000_7000_8000_0000_0000_00ff_u128,
    ];
    for (n, number) in (1..).zip(numbers) {
        let mut credential = credential(n, &maker);
        credential.id = CredentialId::from_uuid(Uuid::from_u128(number));
        write(&store, async |tx| tx.credentials().insert(&credential).await).await.unwrap();
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
    for owner in [owner(&maker), Owner::Organization(maker.organization), Owner::Installation] {
        let list = store.credentials().list(owner, &credentials(false), window(10, 0)).await.unwrap();
        let listed: Vec<_> = list.items.iter().map(|credential| credential.id.uuid().as_u128()).collect();
        assert_eq!(listed, sorted, "{owner:?}");
    }
}

async fn windows_show_their_part(store: Store) {
    let maker = partner(&store, 1).await;
    for n in [3, 1, 7, 5, 2, 6, 4] {
        write(&store, async |tx| tx.user_accounts().insert(&account(n, &maker)).await).await.unwrap();
    }
    for owner in [owner(&maker), Owner::Organization(maker.organization)] {
        let cases: [(u64, u64, &[u64], bool); 6] = [
            (3, 0, &[7, 6, 5], true),
            (3, 3, &[4, 3, 2], true),
            (3, 6, &[1], false),
            (7, 0, &[7, 6, 5, 4, 3, 2, 1], false),
            (3, 7, &[], false),
            (100, i64::MAX.cast_unsigned(), &[], false),
        ];
        for (limit, offset, expected, has_more) in cases {
            let slice =
                store.user_accounts().list(owner, &of_status(None), window(limit, offset)).await.unwrap();
            let ids: Vec<_> = slice.items.iter().map(|account| account.id).collect();
            let expected: Vec<_> = expected.iter().copied().map(account_id).collect();
            assert_eq!(ids, expected, "{limit} from {offset}");
            assert_eq!((slice.total, slice.has_more()), (7, has_more), "{limit} from {offset}");
            assert_eq!(slice.window, window(limit, offset));
        }
    }
    let nobody = Owner::AdminKey(AdminKeyId::from_uuid(Uuid::nil()));
    let nothing = store.user_accounts().list(nobody, &of_status(None), window(1, 0)).await.unwrap();
    assert_eq!((nothing.items.len(), nothing.total, nothing.has_more()), (0, 0, false));
}

async fn revoked_credentials_are_left_out(store: Store) {
    let maker = partner(&store, 1).await;
    for n in 1..=6 {
        let credential = credential(n, &maker);
        write(&store, async |tx| tx.credentials().insert(&credential).await).await.unwrap();
        if n % 2 == 0 {
            let revoked = credential.revoke(None, at(1)).unwrap();
            write(&store, async |tx| tx.credentials().save(&revoked).await).await.unwrap();
        }
    }
    for owner in [owner(&maker), Owner::Organization(maker.organization), Owner::Installation] {
        for (filter, expected) in
            [(credentials(false), vec![5, 3, 1]), (credentials(true), vec![6, 5, 4, 3, 2, 1])]
        {
            let list = store.credentials().list(owner, &filter, window(2, 1)).await.unwrap();
            let ids: Vec<_> = list.items.iter().map(|credential| credential.id).collect();
            let shown: Vec<_> = expected[1..3].iter().copied().map(super::fixtures::credential_id).collect();
            assert_eq!((ids, list.total), (shown, expected.len() as u64), "{owner:?}");
        }
    }
}

async fn revoked_admin_keys_are_left_out(store: Store) {
    let first = partner(&store, 1).await;
    let second = AdminKey { revoked_at: Some(at(1)), ..admin_key(2, first.organization) };
    write(&store, async |tx| tx.admin_keys().insert(&second, &sealed(2, 2)).await).await.unwrap();
    let list = async |include_revoked| {
        let list = store.admin_keys().list(Owner::Installation, include_revoked, window(1, 0)).await.unwrap();
        (list.items, list.total)
    };
    assert_eq!(list(false).await, (vec![first], 1));
    assert_eq!(list(true).await, (vec![second], 2));
}

async fn users_are_listed_by_status(store: Store) {
    let maker = partner(&store, 1).await;
    let statuses =
        [AccountStatus::Active, AccountStatus::Pending, AccountStatus::Suspended, AccountStatus::Active];
    for (n, status) in (1..).zip(statuses) {
        let mut account = account(n, &maker);
        account.status = status;
        write(&store, async |tx| tx.user_accounts().insert(&account).await).await.unwrap();
    }
    for owner in [owner(&maker), Owner::Organization(maker.organization)] {
        for (status, expected) in [
            (Some(AccountStatus::Active), vec![4, 1]),
            (Some(AccountStatus::Pending), vec![2]),
            (Some(AccountStatus::Suspended), vec![3]),
            (None, vec![4, 3, 2, 1]),
        ] {
            let list = store.user_accounts().list(owner, &of_status(status), window(10, 0)).await.unwrap();
            let ids: Vec<_> = list.items.iter().map(|account| account.id).collect();
            let total = expected.len() as u64;
            let expected: Vec<_> = expected.into_iter().map(account_id).collect();
            assert_eq!((ids, list.total), (expected, total), "{status:?}");
        }
    }
}
