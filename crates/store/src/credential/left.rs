//! What many calls leave behind in their credentials, written at once.

use std::collections::BTreeMap;

use claviger_domain::Timestamp;
use claviger_domain::credential::Credits;
use claviger_domain::ids::CredentialId;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::CaseStatement;

use super::Credentials;
use super::row::{Column, Entity};
use crate::StoreError;
use crate::value::{signed, stamp};

/// Rows of one statement: each is looked for in every list of cases, so that the work grows with the
/// square of this.
const ROWS: usize = 100;

/// What the calls of one credential left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Whose calls they were.
    pub credential: CredentialId,
    /// When the last of them was; `None` leaves the last use as it is.
    pub used_at: Option<Timestamp>,
    /// The balance after them; `None` leaves it as it is.
    pub credits: Option<Credits>,
}

impl<C: ConnectionTrait> Credentials<'_, C> {
    /// Writes what calls leave behind. A last use never goes back; a balance is taken as it is given. Of
    /// a credential that is named twice, the later use counts and the balance that is given last; one
    /// that is not there is left out.
    pub async fn leave_unscoped(&self, left: &[Left]) -> Result<(), StoreError> {
        let mut merged = BTreeMap::<CredentialId, Left>::new();
        for one in left {
            let sum = merged.entry(one.credential).or_insert(*one);
            sum.used_at = Ord::max(sum.used_at, one.used_at);
            sum.credits = one.credits.or(sum.credits);
        }
        let merged: Vec<_> = merged.into_values().collect();
        for chunk in merged.chunks(ROWS) {
            let mut last_used = CaseStatement::new();
            let (mut remaining, mut refilled) = (CaseStatement::new(), CaseStatement::new());
            let (mut uses, mut balances) = (false, false);
            for Left { credential, used_at, credits } in chunk {
                let is_it = || Column::Id.eq(credential.uuid());
                if let Some(used_at) = used_at.map(stamp) {
                    let earlier = Condition::any()
                        .add(Column::LastUsedAt.is_null())
                        .add(Column::LastUsedAt.lt(used_at));
                    last_used = last_used.case(Condition::all().add(is_it()).add(earlier), used_at);
                    uses = true;
                }
                if let Some(Credits { grant: _, remaining: amount, refill }) = credits {
                    remaining = remaining.case(is_it(), signed(*amount));
                    refilled = refilled
                        .case(is_it(), Expr::value(refill.as_ref().map(|refill| stamp(refill.since))));
                    balances = true;
                }
            }
            let mut update = Entity::update_many()
                .filter(Column::Id.is_in(chunk.iter().map(|left| left.credential.uuid())));
            if uses {
                let kept = Expr::col(Column::LastUsedAt);
                update = update.col_expr(Column::LastUsedAt, last_used.finally(kept).into());
            }
            if balances {
                let (amount, since) =
                    (Expr::col(Column::CreditsRemaining), Expr::col(Column::CreditsRefilledAt));
                update = update
                    .col_expr(Column::CreditsRemaining, remaining.finally(amount).into())
                    .col_expr(Column::CreditsRefilledAt, refilled.finally(since).into());
            }
            if uses || balances {
                update.exec(self.0).await?;
            }
        }
        Ok(())
    }
}
