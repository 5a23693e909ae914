//! The closed set of authorities that guard our own use cases.

/// What a caller must hold before a use case does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Make, list, change and revoke admin keys, and open the organizations they belong to.
    ManageAdminKeys,
    /// Make, see and change user accounts.
    ManageUsers,
    /// Make, see, change, rotate and revoke credentials.
    ManageCredentials,
    /// See usage figures.
    ViewUsage,
    /// See the usage figures of user accounts: comes with [`Self::ViewUsage`], but, like the accounts
    /// themselves, not for the bootstrap key.
    ViewUserUsage,
    /// See the audit log.
    ViewAuditLogs,
    /// Ask about presented keys.
    VerifyKeys,
    /// End the very key that is presented: whoever holds a key holds this.
    RevokeSelf,
}

impl Capability {
    /// What an admin key may be given.
    pub const PARTNER: [Self; 4] =
        [Self::ManageCredentials, Self::ManageUsers, Self::ViewAuditLogs, Self::ViewUsage];

    /// Every capability, in the order of their declaration.
    const ALL: [Self; 8] = [
        Self::ManageAdminKeys,
        Self::ManageUsers,
        Self::ManageCredentials,
        Self::ViewUsage,
        Self::ViewUserUsage,
        Self::ViewAuditLogs,
        Self::VerifyKeys,
        Self::RevokeSelf,
    ];

    /// What a key can be told to hold: every capability that does not come with another, or with every key.
    pub const GRANTABLE: [Self; 6] = [
        Self::ManageAdminKeys,
        Self::ManageUsers,
        Self::ManageCredentials,
        Self::ViewUsage,
        Self::ViewAuditLogs,
        Self::VerifyKeys,
    ];

    /// The stable word of this capability, as the database, the audit log and the partner surface hold it.
    /// [`Self::ViewUserUsage`] is told as the one it comes with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ManageAdminKeys => "manage_admin_keys",
            Self::ManageUsers => "manage_users",
            Self::ManageCredentials => "manage_credentials",
            Self::ViewUsage | Self::ViewUserUsage => "view_usage",
            Self::ViewAuditLogs => "view_audit_logs",
            Self::VerifyKeys => "verify_keys",
            Self::RevokeSelf => "revoke_self",
        }
    }

    /// The capability of a partner permission word, one of [`Self::PARTNER`]; `None` of any other text.
    #[must_use]
    pub fn of_partner_word(word: &str) -> Option<Self> {
        Self::PARTNER.into_iter().find(|capability| capability.word() == word)
    }
}

/// A set of capabilities, in a fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapabilitySet(u64);

/// Each has a bit of its own.
const _: () = assert!(Capability::ALL.len() <= 64);

impl CapabilitySet {
    const fn bit(capability: Capability) -> u64 {
        1 << capability as u16
    }

    /// Whether `capability` is in the set; none stands in for another here.
    #[must_use]
    pub const fn contains(&self, capability: Capability) -> bool {
        self.0 & Self::bit(capability) != 0
    }

    /// Whether nothing may be done with the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The capabilities, in the order of their declaration.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + use<> {
        let set = *self;
        Capability::ALL.into_iter().filter(move |capability| set.contains(*capability))
    }

    /// The words of the set, sorted.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<_> = self.iter().map(Capability::word).collect();
        words.sort_unstable();
        words
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |set, capability| set | Self::bit(capability)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_is_in_the_list_at_its_own_place() {
        for (place, capability) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(capability as usize, place, "{}", capability.word());
            assert_eq!([capability].into_iter().collect::<CapabilitySet>().iter().next(), Some(capability));
        }
        // The last one that is declared: a later one that the list lacks makes this wrong.
        assert_eq!(Capability::RevokeSelf as usize + 1, Capability::ALL.len());
    }
}
