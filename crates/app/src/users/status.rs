//! Stopping user accounts, and letting them work again.

use claviger_domain::Timestamp;
use claviger_domain::account::{AccountStatus, UserAccount, WrongStatus};
use claviger_domain::audit::{Resource, Verb};
use claviger_domain::capability::Capability::ManageUsers;
use claviger_domain::ids::UserAccountId;
use claviger_domain::revision::Precondition;
use claviger_store::{Tables, Tx};

use super::{Seen, an_owner_stays, fact, held, may_act_for, see};
use crate::call::Changed;
use crate::{Answer, Call, Error, Lane, State, roles};

/// Stops the account's credentials at once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is suspended already, [`Error::LastOwner`].
pub async fn suspend<A: Answer>(
    call: &Call,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageUsers)?;
    turn(call, id, word, (State::NotSuspended, Verb::Suspended, UserAccount::suspend)).await
}

/// Lets the account's credentials work again. Who does must hold all that the account's roles permit.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WrongState`] when it is not suspended, [`Error::BeyondCeiling`].
pub async fn reactivate<A: Answer>(
    call: &Call,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
) -> Result<A, Error> {
    call.require(ManageUsers)?;
    turn(call, id, word, (State::Suspended, Verb::Reactivated, UserAccount::reactivate)).await
}

type Turn = (State, Verb, fn(UserAccount, Timestamp) -> Result<UserAccount, WrongStatus>);

async fn turn<A: Answer>(
    call: &Call,
    id: UserAccountId,
    word: impl FnOnce(Seen) -> A + Send,
    (needed, verb, rule): Turn,
) -> Result<A, Error> {
    let lane = if verb == Verb::Suspended { Lane::Revocation } else { Lane::Change };
    call.change_in(lane, ManageUsers, word, async |tx: &Tx, now: Timestamp| {
        let before = held(call, tx, id, &Precondition::None, needed).await?;
        let account = rule(before.clone(), now)
            .map_err(|WrongStatus| Error::WrongState(Resource::UserAccount, needed))?;
        let custom = roles::custom_of(tx, &account.roles).await?;
        if account.status == AccountStatus::Active {
            may_act_for(call, tx, &account, &custom, now).await?;
        }
        tx.user_accounts().save(&account).await?;
        an_owner_stays(tx, &before, &account).await?;
        let fact = fact(&account, custom, verb, Vec::new());
        Ok(Changed { outcome: see(tx, account).await?, entries: vec![fact] })
    })
    .await
}
