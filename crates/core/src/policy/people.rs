//! Who is who: which addresses are one person's, who answers for an agent or a service, who may no
//! longer act, which group names mean anything, and for whom roles and users of AWS sign. Reads `people.toml` from
//! text.

use crate::arn::SignerArn;
use crate::caller::{Caller, PrincipalKind, is_agent_group};
use crate::person::PersonId;
use crate::policy::mistake::Mistake;
use crate::policy::signers::{self, Signers, SignsFor};
use crate::policy::source::{Source, Value};
use crate::principal::{Owner, Principal};
use crate::refusal::Refusal;
use crate::slots::Groups;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// The name of the file, in messages.
pub const FILE: &str = "people.toml";

/// The most groups that may be configured. With [`MAX_GROUP_NAME`] it bounds what a request
/// remembers of each approver.
pub const MAX_GROUPS: usize = 40;
/// The longest group name, in bytes.
pub const MAX_GROUP_NAME: usize = 48;
/// The most names of groups elsewhere that may stand for groups of here.
pub const MAX_GROUP_ALIASES: usize = 1000;
/// The longest of them, in bytes: distinguished names of a directory are long.
pub const MAX_GROUP_ALIAS: usize = 256;
/// The most addresses of one person: a condition of the store names each of them, and each decision
/// remembers them.
pub const MAX_ADDRESSES: usize = 6;

/// The people, agents and services that an organisation has written down.
#[derive(Debug, Clone)]
pub struct People {
    groups: Groups,
    /// What a token may call a group, besides its name.
    group_aliases: BTreeMap<String, String>,
    owner_required: bool,
    unlisted_refused: bool,
    /// Whom each address that is listed belongs to.
    person_of: BTreeMap<PersonId, PersonId>,
    /// Whose each address was that is theirs no more.
    retired_by: BTreeMap<PersonId, PersonId>,
    entries: BTreeMap<PersonId, Entry>,
    signers: Signers,
}

#[derive(Debug, Clone)]
struct Entry {
    kind: PrincipalKind,
    addresses: BTreeSet<PersonId>,
    retired: BTreeSet<PersonId>,
    owner: Option<PersonId>,
    disabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeopleFile {
    groups: Vec<String>,
    #[serde(default)]
    group_aliases: BTreeMap<String, String>,
    #[serde(default)]
    owner_required: bool,
    #[serde(default)]
    unlisted_refused: bool,
    #[serde(default)]
    people: BTreeMap<String, PersonEntry>,
    #[serde(default)]
    agents: BTreeMap<String, OwnedEntry>,
    #[serde(default)]
    services: BTreeMap<String, ServiceEntry>,
    #[serde(default)]
    identity_center: BTreeMap<Spanned<String>, PermissionSetEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    retired: Vec<String>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnedEntry {
    owner: String,
    #[serde(default)]
    disabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    owner: String,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    arns: Vec<Spanned<String>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PermissionSetEntry {
    role_id: Spanned<String>,
    groups: Vec<Spanned<String>>,
}

impl People {
    /// Reads and checks the text of `people.toml`.
    ///
    /// # Errors
    /// Text that is not TOML, unknown keys, no or odd group names, an alias of a group that there is not, an id that is none, an address
    /// of two people, an owner that is no person or is not there, an ARN that is none, or is listed twice.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let source = Source { file: FILE, text };
        let file: PeopleFile = source.read()?;
        let groups = groups(source, file.groups)?;
        let mut people = Self {
            group_aliases: group_aliases(source, file.group_aliases, &groups)?,
            groups,
            owner_required: file.owner_required,
            unlisted_refused: file.unlisted_refused,
            person_of: BTreeMap::new(),
            retired_by: BTreeMap::new(),
            entries: BTreeMap::new(),
            signers: Signers::default(),
        };
        for (name, entry) in file.people {
            let listed = Listed { source, table: "people", name: &name };
            let addresses =
                entry.addresses.iter().map(|text| listed.email(text)).collect::<Result<_, _>>()?;
            let id = listed.email(&name)?;
            people.add(listed, id.clone(), PrincipalKind::Human, addresses, None, entry.disabled)?;
            for address in &entry.retired {
                people.retire(listed, &id, listed.email(address)?)?;
            }
        }
        for (name, entry) in file.agents {
            let listed = Listed { source, table: "agents", name: &name };
            let owner = Some(listed.email(&entry.owner)?);
            people.add(
                listed,
                listed.email(&name)?,
                PrincipalKind::Agent,
                BTreeSet::new(),
                owner,
                entry.disabled,
            )?;
        }
        for (name, entry) in file.services {
            let listed = Listed { source, table: "services", name: &name };
            let owner = Some(listed.email(&entry.owner)?);
            let Ok(id) = PersonId::service(&name) else {
                return listed.refuse("is not the subject of a service");
            };
            people.add(listed, id.clone(), PrincipalKind::Service, BTreeSet::new(), owner, entry.disabled)?;
            if let (Some(group), []) = (entry.groups.first(), entry.arns.as_slice()) {
                let rule =
                    "is a group of calls that are signed for it, and it has no `arns`: a token says its own";
                let path = &["services", name.as_str(), "groups"];
                return Err(Value { source, path, text: group }.refused(rule));
            }
            let groups = people.groups_of(listed, &entry.groups)?;
            for arn in &entry.arns {
                let at = Value { source, path: &["services", &name, "arns"], text: arn };
                people.signers.add(at, SignsFor::Service(id.clone()), groups.clone())?;
            }
        }
        for (arn, entry) in &file.identity_center {
            let listed = Listed { source, table: "identity_center", name: arn.get_ref() };
            let groups = people.groups_of(listed, &entry.groups)?;
            let at = Value { source, path: &["identity_center"], text: arn };
            people.signers.add(at, SignsFor::PersonOfSession(entry.role_id.get_ref().clone()), groups)?;
            if !signers::is_role_id(entry.role_id.get_ref()) {
                let path = &["identity_center", arn.get_ref().as_str(), "role_id"];
                let rule = "is no id of a role, such as AROAEXAMPLE0123456789: `aws iam get-role` prints it as RoleId";
                return Err(Value { source, path, text: &entry.role_id }.refused(rule));
            }
        }
        people.check_retired(source)?;
        people.check_owners(source)?;
        Ok(people)
    }

    fn add(
        &mut self,
        listed: Listed<'_>,
        id: PersonId,
        kind: PrincipalKind,
        mut addresses: BTreeSet<PersonId>,
        owner: Option<PersonId>,
        disabled: bool,
    ) -> Result<(), Mistake> {
        addresses.insert(id.clone());
        if addresses.len() > MAX_ADDRESSES {
            return listed.refuse(format!("has more than {MAX_ADDRESSES} addresses"));
        }
        for address in &addresses {
            if let Some(other) = self.person_of.insert(address.clone(), id.clone()) {
                return listed.refuse(format!("`{address}` is an address of `{other}` already"));
            }
        }
        let retired = BTreeSet::new();
        self.entries.insert(id, Entry { kind, addresses, retired, owner, disabled });
        Ok(())
    }

    /// The groups that are listed where no token says any.
    fn groups_of(&self, listed: Listed<'_>, names: &[Spanned<String>]) -> Result<BTreeSet<String>, Mistake> {
        let Listed { source, table, name } = listed;
        let path = &[table, name, "groups"];
        let known = |text: &Spanned<String>| match self.groups.get(text.get_ref()) {
            Some(group) => Ok(group.clone()),
            None => Err(Value { source, path, text }.refused("is none of `groups`")),
        };
        names.iter().map(known).collect()
    }

    /// Notes an address that was a person's and is theirs no more.
    fn retire(&mut self, listed: Listed<'_>, id: &PersonId, address: PersonId) -> Result<(), Mistake> {
        if let Some(other) = self.retired_by.insert(address.clone(), id.clone()) {
            return listed.refuse(format!("`{address}` is a retired address of `{other}` already"));
        }
        let Some(entry) = self.entries.get_mut(id) else { return Ok(()) };
        if entry.addresses.contains(&address) {
            return listed.refuse(format!("`{address}` cannot be retired and an address of theirs"));
        }
        entry.retired.insert(address);
        if entry.addresses.len() + entry.retired.len() > MAX_ADDRESSES {
            return listed.refuse(format!("has more than {MAX_ADDRESSES} addresses, retired ones included"));
        }
        Ok(())
    }

    /// What was made under a retired address belongs to its former holder. Its new holder may have
    /// the address, but is known by another one: under one id there would be two people.
    fn check_retired(&self, source: Source<'_>) -> Result<(), Mistake> {
        let reused = self.retired_by.iter().find(|(address, _)| self.entries.contains_key(*address));
        let Some((address, former)) = reused else { return Ok(()) };
        source.refuse(
            &["people", address.as_str()],
            format!(
                "is a retired address of `{former}`, so nobody else is known by it: name its new holder by \
                 another address, and list this one under `addresses`"
            ),
        )
    }

    /// An owner is a human: by any of their addresses, listed or not.
    fn check_owners(&mut self, source: Source<'_>) -> Result<(), Mistake> {
        let owners: Vec<_> =
            self.entries.iter().filter_map(|(id, entry)| Some((id.clone(), entry.owner.clone()?))).collect();
        for (id, owner) in owners {
            let (table, name) = match id.as_str().split_once("service:") {
                Some(("", subject)) => ("services", subject),
                Some(_) | None => ("agents", id.as_str()),
            };
            if let Some(former) = self.retired_by.get(&owner) {
                let rule = format!(
                    "must not have for its owner `{owner}`, which is a retired address of `{former}`: name the \
                     owner by another address"
                );
                return source.refuse(&[table, name], rule);
            }
            let owner = self.person(&owner).clone();
            // A service has no address, so no owner is one.
            if self.entries.get(&owner).is_some_and(|entry| entry.kind != PrincipalKind::Human) {
                let rule = format!("must have a person for its owner: `{owner}` is listed under agents");
                return source.refuse(&[table, name], rule);
            }
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.owner = Some(owner);
            }
        }
        Ok(())
    }

    /// The group names that mean anything.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The group that a token means by a name: the one of this name, or the one that it is an alias of.
    pub fn group(&self, name: &str) -> Option<&str> {
        let alias = self.group_aliases.get(name);
        alias.or_else(|| self.groups.get(name)).map(String::as_str)
    }

    /// The one id of the person with this address.
    pub fn person<'a>(&'a self, address: &'a PersonId) -> &'a PersonId {
        self.person_of.get(address).unwrap_or(address)
    }

    /// All addresses of the person with this one, and of the person who had it before it was retired; retired
    /// ones included.
    pub fn addresses(&self, address: &PersonId) -> BTreeSet<PersonId> {
        let former = self.retired_by.get(address).and_then(|id| self.entries.get(id));
        let entries = self.entry(address).into_iter().chain(former);
        let known = entries.flat_map(|entry| entry.addresses.iter().chain(&entry.retired).cloned());
        known.chain([address.clone()]).collect()
    }

    /// The one id of the person who made something under this address: the one who had it before it was
    /// retired, else the one who has it. An address that is given to another person hands nothing over.
    pub fn maker<'a>(&'a self, address: &'a PersonId) -> &'a PersonId {
        self.retired_by.get(address).unwrap_or_else(|| self.person(address))
    }

    /// Whether this address was a person's and is theirs no more.
    pub fn is_retired(&self, address: &PersonId) -> bool {
        self.retired_by.contains_key(address)
    }

    /// Whether two addresses are one person's.
    pub fn is_same(&self, one: &PersonId, other: &PersonId) -> bool {
        self.person(one) == self.person(other)
    }

    /// Who answers for an agent or a service.
    pub fn owner(&self, id: &PersonId) -> Option<&PersonId> {
        self.entry(id)?.owner.as_ref()
    }

    /// Whether this person, agent or service may no longer act.
    pub fn is_disabled(&self, id: &PersonId) -> bool {
        self.entry(id).is_some_and(|entry| entry.disabled)
    }

    /// Whether agents and services without an owner are refused.
    pub fn is_owner_required(&self) -> bool {
        self.owner_required
    }

    /// Whether only those who are listed may act, and this id is not.
    pub fn is_unlisted(&self, id: &PersonId) -> bool {
        self.unlisted_refused && self.entry(id).is_none()
    }

    /// Whether this id is listed as something that is no human.
    pub fn is_non_human(&self, id: &PersonId) -> bool {
        self.entry(id).is_some_and(|entry| entry.kind != PrincipalKind::Human)
    }

    /// Everybody who is listed, by their one id.
    pub fn listed(&self) -> impl Iterator<Item = &PersonId> {
        self.entries.keys()
    }

    fn entry(&self, id: &PersonId) -> Option<&Entry> {
        self.entries.get(self.person(id))
    }

    /// The caller for whom a role or user of AWS has signed. `unique_id` is what IAM knows the signer by: of a session,
    /// the id of the role, a colon, and the session's name.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] where none is listed whom it signs for.
    pub fn caller(&self, signer: &SignerArn, unique_id: &str) -> Result<Caller, Refusal> {
        self.signers.caller(signer, unique_id)
    }

    /// A caller whom [`Self::resolve`] refuses, by the one id of all of their addresses, for the record that they were refused.
    pub fn refused(&self, caller: Caller) -> Principal {
        let person = self.person(&caller.person).clone();
        Principal { person, ..Principal::unlisted(caller) }
    }

    /// The caller as policy knows them: one id for all of their addresses, the kind they are
    /// listed as, their owner, and of their groups those that mean anything.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] for a caller who is disabled, has no owner and needs one, or is not
    /// listed where only those who are may act.
    pub fn resolve(&self, caller: Caller) -> Result<Principal, Refusal> {
        let person = self.person(&caller.person).clone();
        let entry = self.entries.get(&person);
        if self.is_unlisted(&person) {
            return Err(Refusal::not_permitted(format!("`{person}` is not listed in {FILE}")));
        }
        if let (None, Some(former)) = (entry, self.retired_by.get(&person)) {
            return Err(Refusal::not_permitted(format!(
                "`{person}` is a retired address of `{former}`; an operator lists its new holder in {FILE}"
            )));
        }
        if entry.is_some_and(|entry| entry.disabled) {
            return Err(Refusal::not_permitted(format!("`{person}` is disabled in {FILE}")));
        }
        let groups: BTreeSet<String> =
            caller.groups.iter().filter_map(|name| self.group(name)).map(str::to_owned).collect();
        let kind = match entry {
            // INVARIANT: a file makes no caller human whose token does not.
            Some(entry) if entry.kind != PrincipalKind::Human => entry.kind,
            // A caller in the group by an alias of it is in it.
            Some(_) | None
                if caller.kind == PrincipalKind::Human
                    && groups.iter().any(|group| is_agent_group(group)) =>
            {
                PrincipalKind::Agent
            }
            Some(_) | None => caller.kind,
        };
        let owner = entry.and_then(|entry| entry.owner.clone());
        if kind != PrincipalKind::Human && owner.is_none() && self.owner_required {
            let reason = format!("`{person}` is no human, and {FILE} does not say who answers for it");
            return Err(Refusal::not_permitted(reason));
        }
        if owner.as_ref().is_some_and(|owner| self.is_disabled(owner)) {
            let reason = format!("whoever answers for `{person}` is disabled in {FILE}");
            return Err(Refusal::not_permitted(reason));
        }
        if owner.as_ref().is_some_and(|owner| self.is_unlisted(owner)) {
            let reason = format!("whoever answers for `{person}` is not listed in {FILE}");
            return Err(Refusal::not_permitted(reason));
        }
        let mut addresses = BTreeSet::from([caller.person.clone()]);
        let known = entry.into_iter().flat_map(|entry| entry.addresses.iter().chain(&entry.retired));
        addresses.extend(known.cloned());
        addresses.insert(person.clone());
        let owner = owner.map(|person| Owner { addresses: self.addresses(&person), person });
        Ok(Principal { person, addresses, kind, groups, owner, ..Principal::unlisted(caller) })
    }
}

/// Names that can stand in a policy without being mistaken for anything else.
pub fn is_group_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b);
    (1..=MAX_GROUP_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

fn groups(source: Source<'_>, names: Vec<String>) -> Result<Groups, Mistake> {
    let refuse = |rule: String| source.refuse(&["groups"], rule);
    if names.is_empty() || names.len() > MAX_GROUPS {
        return refuse(format!("must name 1 to {MAX_GROUPS} groups"));
    }
    let mut groups = Groups::new();
    for name in names {
        if !is_group_name(&name) {
            return refuse(format!(
                "must be names of 1 to {MAX_GROUP_NAME} of the letters, digits and _ . : / -"
            ));
        }
        if let Some(name) = groups.replace(name) {
            return refuse(format!("must not name `{name}` twice"));
        }
    }
    Ok(groups)
}

fn group_aliases(
    source: Source<'_>,
    aliases: BTreeMap<String, String>,
    groups: &Groups,
) -> Result<BTreeMap<String, String>, Mistake> {
    const TABLE: &str = "group_aliases";
    if aliases.len() > MAX_GROUP_ALIASES {
        return source.refuse(&[TABLE], format!("must have at most {MAX_GROUP_ALIASES} entries"));
    }
    for (alias, group) in &aliases {
        let refuse = |rule: String| source.refuse(&[TABLE, alias], rule);
        if alias.is_empty() || alias.len() > MAX_GROUP_ALIAS || alias.chars().any(char::is_control) {
            return refuse(format!(
                "must be a name of 1 to {MAX_GROUP_ALIAS} bytes without control characters"
            ));
        }
        if groups.contains(alias) {
            return refuse("is a group itself, so it cannot stand for one".to_owned());
        }
        if !groups.contains(group) {
            let shown = group.escape_debug();
            return refuse(format!("must stand for one of `groups`, which `{shown}` is not"));
        }
    }
    Ok(aliases)
}

/// An entry of the file, for messages.
#[derive(Clone, Copy)]
struct Listed<'a> {
    source: Source<'a>,
    table: &'static str,
    name: &'a str,
}

impl Listed<'_> {
    fn email(&self, text: &str) -> Result<PersonId, Mistake> {
        PersonId::from_email(text).map_err(|error| {
            self.source.refused(&[self.table, self.name], format!("`{}` {error}", text.escape_debug()))
        })
    }

    fn refuse<T>(&self, rule: impl std::fmt::Display) -> Result<T, Mistake> {
        self.source.refuse(&[self.table, self.name], rule)
    }
}
