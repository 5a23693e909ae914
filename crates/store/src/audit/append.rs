//! How entries get into the log: this one way, at the end of their chains.

use std::collections::{BTreeMap, BTreeSet};

use claviger_domain::audit::{AuditKeys, ChainId, Entry, Head, Link, Mac, SealedHead, line};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::row::{Column, Entity, Model};
use super::{AuditLog, details_of, head, json_of};
use crate::page::AT_ONCE;
use crate::value::unsigned;
use crate::{PepperChecks, StoreError};

impl<C: ConnectionTrait> AuditLog<'_, C> {
    /// Adds entries, in the transaction of what they tell of: each at the end of its chain, those of one chain
    /// in their order. Entries that are there already, by their ids, stay as they are.
    ///
    /// Nobody else adds to these chains until the transaction ends. Whoever locks other rows too locks them
    /// before.
    pub async fn append(&self, keys: &AuditKeys, entries: &[Entry]) -> Result<(), StoreError> {
        let mut chains = BTreeMap::<ChainId, Vec<&Entry>>::new();
        for entry in entries {
            chains.entry(entry.organization.into()).or_default().push(entry);
        }
        if chains.is_empty() {
            return Ok(());
        }
        let locked = head::lock_all(self.0, chains.keys().copied()).await?;
        // A batch whose commit was not acknowledged comes again. Asked only now: whoever wrote it has ended.
        let known = self.known(entries).await?;
        let mut heads = Vec::with_capacity(locked.len());
        let mut rows = Vec::with_capacity(entries.len());
        let mut room = String::new();
        for sealed in locked {
            let (mut head, is_sound) = self.end_of(keys, &sealed).await?;
            let before = rows.len();
            for entry in chains.remove(&head.chain).into_iter().flatten() {
                if !known.contains(&entry.id.uuid()) {
                    let row = next(keys, &mut head, entry, &mut room)?;
                    rows.push((head.chain, row));
                }
            }
            if rows.len() > before {
                let seal = keys.seal(head);
                heads.push(if is_sound { seal } else { SealedHead { seal: None, ..seal } });
            }
        }
        // The heads come in no order; the totals that triggers keep are locked in that of the chains.
        rows.sort_by_key(|(chain, _)| *chain);
        let mut rows = rows.into_iter().map(|(_, row)| row.into_active_model()).peekable();
        while rows.peek().is_some() {
            Entity::insert_many(rows.by_ref().take(AT_ONCE)).exec_without_returning(self.0).await?;
        }
        head::put_all(self.0, &heads).await
    }

    /// Seals the ends of at most `most` chains under the newest pepper that were sealed under another of
    /// these; answers how many there were. After that, the others are needed for old entries only.
    pub async fn seal_anew_unscoped(&self, keys: &AuditKeys, most: u64) -> Result<u64, StoreError> {
        let old = head::under_for_update(self.0, keys.older(), most).await?;
        let anew = |sealed: &SealedHead| {
            let anew = keys.seal(sealed.head);
            if keys.holds(sealed) == Some(true) { anew } else { SealedHead { seal: None, ..anew } }
        };
        let heads: Vec<_> = old.iter().map(anew).collect();
        head::put_all(self.0, &heads).await?;
        Ok(heads.len() as u64)
    }

    /// Which of these are in the log already.
    async fn known(&self, entries: &[Entry]) -> Result<BTreeSet<Uuid>, StoreError> {
        let mut known = BTreeSet::new();
        for chunk in entries.chunks(AT_ONCE) {
            let ids: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::Id.is_in(chunk.iter().map(|entry| entry.id.uuid())))
                .into_tuple()
                .all(self.0)
                .await?;
            known.extend(ids);
        }
        Ok(known)
    }

    /// Where a chain goes on, and whether its head is as it was sealed. Of one that is not, the entries tell
    /// where they end; it is not sealed again, so that what was done to it stays visible.
    async fn end_of(&self, keys: &AuditKeys, sealed: &SealedHead) -> Result<(Head, bool), StoreError> {
        let head = sealed.head;
        let is_new = sealed.seal.is_none() && head == Head::new(head.chain);
        let holds = keys.holds(sealed);
        if !is_new && holds == Some(true) {
            return Ok((head, true));
        }
        // Another process seals with a pepper that this one was not started with. A version that no process ever
        // had was written by somebody else.
        if !is_new && holds.is_none() && PepperChecks(self.0).is_known_unscoped(sealed.pepper).await? {
            tracing::error!(
                pepper = sealed.pepper,
                chain = %head.chain,
                "another process seals the audit log with a pepper that this one does not have: restart this server with it"
            );
            return Err(StoreError::MissingPepper(sealed.pepper));
        }
        let last: Option<(i64, Vec<u8>)> = Entity::find()
            .select_only()
            .columns([Column::Sequence, Column::Mac])
            .filter(Column::ChainId.eq(head.chain.uuid()))
            .order_by_desc(Column::Sequence)
            .limit(1)
            .into_tuple()
            .one(self.0)
            .await?;
        if is_new && last.is_none() {
            return Ok((head, true));
        }
        tracing::error!(
            chain = %head.chain,
            "the audit log's head is not as it was sealed; `claviger audit verify` tells more"
        );
        let Some((sequence, mac)) = last else { return Ok((head, false)) };
        let mac = mac.try_into().map_or(Mac::NONE, Mac::from_bytes);
        Ok((Head { sequence: unsigned(sequence), mac, ..head }, false))
    }
}

/// The row of the next entry; the head moves to it.
fn next(keys: &AuditKeys, head: &mut Head, entry: &Entry, room: &mut String) -> Result<Model, StoreError> {
    let corrupt = || StoreError::Corrupt { table: "audit_log", row: entry.id.to_string() };
    // What is hashed is what will be read: an object that names something twice is read otherwise.
    let details = details_of(&json_of(&entry.details)).ok_or_else(corrupt)?;
    let entry = Entry { details, ..entry.clone() };
    let (sequence, pepper) = (head.sequence + 1, keys.newest());
    let mac = line::mac_of(keys, room, &entry, sequence, pepper, &head.mac).ok_or_else(corrupt)?;
    *head = Head { sequence, mac, ..*head };
    Ok(Model::new(&entry, &Link { chain: head.chain, sequence, pepper, mac }))
}
