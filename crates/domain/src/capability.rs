//! The closed set of authorities that guard our own use cases, and the words that give them.

use Capability as C;

use crate::scope::Held;

/// What a caller must hold before a use case does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Make, list, change and revoke admin keys, and open the organizations they belong to.
    ManageAdminKeys,
    /// Open, list, change, suspend and delete organizations, and say who is a member of them.
    ManageOrganizations,
    /// See one's own organization.
    ViewOrganization,
    /// Change one's own organization.
    EditOrganization,
    /// See user accounts.
    ViewUsers,
    /// Make and change user accounts.
    ManageUsers,
    /// Delete user accounts.
    DeleteUsers,
    /// See roles and what they permit.
    ViewRoles,
    /// Make, change and delete roles.
    ManageRoles,
    /// See credentials.
    ViewCredentials,
    /// Make, change, rotate and revoke credentials.
    ManageCredentials,
    /// See usage figures.
    ViewUsage,
    /// See the audit log.
    ViewAuditLogs,
    /// See and change what holds for the whole installation.
    ManageSettings,
    /// Make and change keys without regard to what restricts one's own key.
    LiftRestrictions,
    /// Ask about presented keys.
    VerifyKeys,
    /// End the very key that is presented: whoever holds a key holds this.
    RevokeSelf,
}

/// What a word gives its holder.
type Table = &'static [(&'static str, &'static [Capability])];

/// The scope that frees a key from passing its own restrictions on to the keys it makes and changes.
pub const UNRESTRICT: &str = "api-keys:unrestrict";

/// The scopes that open the platform surface.
const PLATFORM: Table = &[
    ("admin:orgs", &[C::ManageOrganizations, C::ViewOrganization, C::EditOrganization]),
    ("admin:users", &[C::ViewUsers, C::ManageUsers, C::DeleteUsers]),
    ("admin:keys", &[C::ViewCredentials, C::ManageCredentials]),
    ("admin:audit", &[C::ViewAuditLogs]),
    ("admin:analytics", &[C::ViewUsage]),
    ("admin:settings", &[C::ManageSettings]),
];

/// The scopes that open the organization surface. Writing does not come with reading, nor reading with
/// writing. What one scope includes of others is [`INCLUDED`](crate::scope::INCLUDED)'s matter.
const ORGANIZATION: Table = &[
    ("organizations:read", &[C::ViewOrganization]),
    ("organizations:write", &[C::EditOrganization]),
    ("users:read", &[C::ViewUsers]),
    ("users:write", &[C::ManageUsers]),
    ("users:delete", &[C::DeleteUsers]),
    ("roles:read", &[C::ViewRoles]),
    ("roles:write", &[C::ManageRoles]),
    ("api-keys:read", &[C::ViewCredentials]),
    ("api-keys:write", &[C::ManageCredentials]),
    (UNRESTRICT, &[C::LiftRestrictions]),
    ("usage:read", &[C::ViewUsage]),
    ("audit:read", &[C::ViewAuditLogs]),
    ("keys:verify", &[C::VerifyKeys]),
];

/// What a tenant's keys and roles can be given of our own, and what it is for. A tenant's services have words of
/// their own besides.
pub const PERMISSIONS: [(&str, &str); 17] = [
    ("organizations:read", "See the organization and its settings; includes api-keys:read and usage:read"),
    ("organizations:write", "Change the organization and its settings; includes api-keys:write"),
    ("users:read", "See users"),
    ("users:write", "Make and change users, and give them roles"),
    ("users:delete", "Delete users"),
    ("roles:read", "See roles, permissions and why a user may do something"),
    ("roles:write", "Make, change and delete roles"),
    ("api-keys:read", "See API keys"),
    ("api-keys:write", "Make, change, rotate, disable and revoke API keys"),
    (UNRESTRICT, "Make and change API keys without passing on the restrictions of the calling key"),
    ("usage:read", "See usage figures"),
    ("audit:read", "See and export the audit log"),
    ("keys:verify", "Ask whether a presented key is good"),
    ("idp:read", "See identity providers; guards nothing in this version"),
    ("idp:write", "Change identity providers; guards nothing in this version"),
    ("webhooks:read", "See webhooks; guards nothing in this version"),
    ("webhooks:write", "Change webhooks; guards nothing in this version"),
];

/// The scope that lets a key ask about keys.
const GATEWAY: Table = &[("keys:verify", &[C::VerifyKeys])];

/// Whom a key speaks for when it is presented: the same key may open more than one door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The operator's: its scopes `admin:*` count, for every organization.
    Platform,
    /// The tenant's own: its scopes count for its own organization.
    Organization,
    /// The gateways'.
    Gateway,
}

impl Door {
    /// What `scopes` amount to behind this door.
    #[must_use]
    pub fn capabilities<'a>(self, scopes: impl Into<Held<'a>>) -> CapabilitySet {
        let held = scopes.into();
        let table = match self {
            Self::Platform => PLATFORM,
            Self::Organization => ORGANIZATION,
            Self::Gateway => GATEWAY,
        };
        let given = table.iter().filter(|(word, _)| held.cover_word(word));
        given.flat_map(|(_, capabilities)| capabilities.iter().copied()).collect()
    }

    /// The scope that gives `capability` behind this door; `None` when none does.
    #[must_use]
    pub fn word_of(self, capability: Capability) -> Option<&'static str> {
        let table = match self {
            Self::Platform => PLATFORM,
            Self::Organization => ORGANIZATION,
            Self::Gateway => GATEWAY,
        };
        table.iter().find(|(_, gives)| gives.contains(&capability)).map(|(word, _)| *word)
    }
}

/// Whether a key with these scopes can manage its organization's keys, by whichever door.
#[must_use]
pub fn manages_keys<'a>(scopes: impl Into<Held<'a>>) -> bool {
    let held = scopes.into();
    [Door::Organization, Door::Platform]
        .into_iter()
        .any(|door| door.capabilities(held).contains(Capability::ManageCredentials))
}

impl Capability {
    /// What an admin key may be given.
    pub const PARTNER: [Self; 4] =
        [Self::ManageCredentials, Self::ManageUsers, Self::ViewAuditLogs, Self::ViewUsage];

    /// What the bootstrap key can do on the partners' surface, where it does none of their business, and at the
    /// gateway.
    pub const BESIDE_PARTNERS: [Self; 4] =
        [Self::ManageAdminKeys, Self::VerifyKeys, Self::ViewAuditLogs, Self::ViewUsage];

    /// Every capability, in the order of their declaration.
    const ALL: [Self; 17] = [
        Self::ManageAdminKeys,
        Self::ManageOrganizations,
        Self::ViewOrganization,
        Self::EditOrganization,
        Self::ViewUsers,
        Self::ManageUsers,
        Self::DeleteUsers,
        Self::ViewRoles,
        Self::ManageRoles,
        Self::ViewCredentials,
        Self::ManageCredentials,
        Self::ViewUsage,
        Self::ViewAuditLogs,
        Self::ManageSettings,
        Self::LiftRestrictions,
        Self::VerifyKeys,
        Self::RevokeSelf,
    ];

    /// The stable word of this capability, as the database, the audit log and the partner surface hold it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ManageAdminKeys => "manage_admin_keys",
            Self::ManageOrganizations => "manage_organizations",
            Self::ViewOrganization => "view_organization",
            Self::EditOrganization => "edit_organization",
            Self::ViewUsers => "view_users",
            Self::ManageUsers => "manage_users",
            Self::DeleteUsers => "delete_users",
            Self::ViewRoles => "view_roles",
            Self::ManageRoles => "manage_roles",
            Self::ViewCredentials => "view_credentials",
            Self::ManageCredentials => "manage_credentials",
            Self::ViewUsage => "view_usage",
            Self::ViewAuditLogs => "view_audit_logs",
            Self::ManageSettings => "manage_settings",
            Self::LiftRestrictions => "lift_restrictions",
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

    /// Permissions of [`Capability::PARTNER`] with what comes with them: who may manage, may see.
    #[must_use]
    pub fn with_sight(self) -> Self {
        let sight = |managed, seen| self.contains(managed).then_some(seen);
        let users = sight(Capability::ManageUsers, Capability::ViewUsers);
        let credentials = sight(Capability::ManageCredentials, Capability::ViewCredentials);
        self.iter().chain(users).chain(credentials).collect()
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
    use crate::scope::Scopes;

    #[test]
    fn each_door_has_its_own_words() {
        let words = |door: Door, scopes: &str| door.capabilities(&scopes.parse::<Scopes>().unwrap()).words();
        assert_eq!(words(Door::Platform, "* users:* keys:verify"), Vec::<&str>::new());
        assert_eq!(words(Door::Platform, "admin:audit"), ["view_audit_logs"]);
        assert_eq!(words(Door::Organization, "admin:*"), Vec::<&str>::new());
        assert_eq!(words(Door::Organization, "users:*"), ["delete_users", "manage_users", "view_users"]);
        assert_eq!(words(Door::Organization, "*").len(), 13);
        assert_eq!(words(Door::Platform, "admin:orgs").len(), 5);
        assert_eq!(
            words(Door::Organization, "organizations:write"),
            ["edit_organization", "manage_credentials"]
        );
        let read = ["view_credentials", "view_organization", "view_usage"];
        assert_eq!(words(Door::Organization, "organizations:read"), read);
        assert_eq!(words(Door::Gateway, "* admin:*"), ["verify_keys"]);
        assert_eq!(Door::Organization.word_of(Capability::ManageUsers), Some("users:write"));
        assert_eq!(Door::Platform.word_of(Capability::ManageRoles), None);
    }

    #[test]
    fn the_catalogue_holds_every_word_that_opens_something() {
        let told: Vec<_> = PERMISSIONS.iter().map(|(word, _)| *word).collect();
        assert!(ORGANIZATION.iter().all(|(word, _)| told.contains(word)));
        assert!(told.iter().all(|word| word.parse::<crate::scope::Scope>().is_ok()));
    }

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
