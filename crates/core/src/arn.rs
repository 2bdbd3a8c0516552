//! How AWS names those who sign calls: ARNs of users, of roles and of sessions of roles, read strictly. Knows
//! neither the SDK nor whom a name stands for here.

use std::fmt;

/// The longest ARN that is read, in bytes: a path of 512 and a name of 64 characters, and what stands before them.
const MAX_ARN: usize = 640;
/// The longest path of a role or user, in characters.
const MAX_PATH: usize = 512;
/// The longest name of a role, of a user or of a session, in characters.
pub const MAX_NAME: usize = 64;

/// Where IAM Identity Center keeps the roles of its permission sets. The region may follow.
const PERMISSION_SETS: &str = "/aws-reserved/sso.amazonaws.com/";
/// How their names begin.
const PERMISSION_SET: &str = "AWSReservedSSO_";

/// Why a text names neither a user nor a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArn {
    /// Something else than an ARN of a role or user.
    #[error("is not the ARN of a role or user, such as arn:aws:iam::123456789012:role/deploy")]
    NotAPrincipal,
    /// Several roles or users, or none.
    #[error("must name one role or user: `*` and `?` do not stand for others")]
    Pattern,
    /// An account, or its root.
    #[error("is the root of an account, who may do everything and is never a caller")]
    Root,
    /// A session of a role, where the role is wanted.
    #[error("is a session: name its role, as in `{0}`, with its path if it has one")]
    Session(Box<PrincipalArn>),
}

/// A user or a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Role,
    User,
}

/// The ARN of a role or of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalArn {
    partition: String,
    account: String,
    kind: Kind,
    /// `/`, or names of which each stands between slashes.
    path: String,
    name: String,
}

/// A role or user by what is unique in its account: the name, whatever its path and its capitals
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UniqueName {
    partition: String,
    account: String,
    kind: Kind,
    name: String,
}

/// Who has signed a call, as AWS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerArn {
    /// A user of IAM.
    User(PrincipalArn),
    /// A session of a role. Its ARN does not say the role's path.
    Session {
        /// The role, as if it had no path.
        role: PrincipalArn,
        /// The name of the session. The caller who assumes a role chooses it, unless what lets them does.
        session: String,
    },
}

/// `arn:PARTITION:SERVICE::ACCOUNT:RESOURCE` of IAM and STS, which have no region.
struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, InvalidArn> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(InvalidArn::NotAPrincipal);
        let [prefix, partition, service, region, account, resource] =
            [next()?, next()?, next()?, next()?, next()?, next()?];
        let is_partition = partition == "aws"
            || partition.strip_prefix("aws-").is_some_and(|rest| {
                rest.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
            });
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if text.len() > MAX_ARN || prefix != "arn" || !is_partition || !region.is_empty() || !is_account {
            return Err(InvalidArn::NotAPrincipal);
        }
        if resource == "root" && service == "iam" {
            return Err(InvalidArn::Root);
        }
        Ok(Self { partition, service, account, resource })
    }

    fn principal(&self, kind: Kind, path: &str, name: &str) -> Result<PrincipalArn, InvalidArn> {
        let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_graphic());
        let inner = path.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let is_path = path == "/" || inner.is_some_and(|inner| inner.split('/').all(is_segment));
        if !is_path || path.len() > MAX_PATH || !is_name(name) {
            return Err(InvalidArn::NotAPrincipal);
        }
        let [partition, account] = [self.partition, self.account].map(str::to_owned);
        Ok(PrincipalArn { partition, account, kind, path: path.to_owned(), name: name.to_owned() })
    }

    fn signer(&self) -> Result<SignerArn, InvalidArn> {
        if let ("sts", Some(rest)) = (self.service, self.resource.strip_prefix("assumed-role/")) {
            let (role, session) = rest.split_once('/').ok_or(InvalidArn::NotAPrincipal)?;
            // A session's name has two characters at least.
            if !is_name(session) || session.len() < 2 {
                return Err(InvalidArn::NotAPrincipal);
            }
            let role = self.principal(Kind::Role, "/", role)?;
            return Ok(SignerArn::Session { role, session: session.to_owned() });
        }
        match self.listed()? {
            user if user.kind == Kind::User => Ok(SignerArn::User(user)),
            // A role signs by its sessions.
            _ => Err(InvalidArn::NotAPrincipal),
        }
    }

    fn listed(&self) -> Result<PrincipalArn, InvalidArn> {
        let (kind, rest) = match self.resource.split_once('/') {
            Some(("role", rest)) => (Kind::Role, rest),
            Some(("user", rest)) => (Kind::User, rest),
            Some(_) | None => return Err(InvalidArn::NotAPrincipal),
        };
        if self.service != "iam" {
            return Err(InvalidArn::NotAPrincipal);
        }
        let (path, name) = match rest.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), rest),
        };
        self.principal(kind, &path, name)
    }
}

/// The characters of names of roles, users and sessions, ASCII alone.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

impl PrincipalArn {
    /// Reads the ARN of one role or user.
    ///
    /// # Errors
    /// When it is of anything else, the root of an account and a session of a role included.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        if text.contains(['*', '?']) {
            return Err(InvalidArn::Pattern);
        }
        let parts = Parts::read(text)?;
        match parts.signer() {
            Ok(SignerArn::Session { role, .. }) => Err(InvalidArn::Session(Box::new(role))),
            Ok(SignerArn::User(_)) | Err(_) => parts.listed(),
        }
    }

    /// What is unique of it in its account.
    pub fn unique_name(&self) -> UniqueName {
        let Self { partition, account, kind, path: _, name } = self;
        UniqueName {
            partition: partition.clone(),
            account: account.clone(),
            kind: *kind,
            name: name.to_ascii_lowercase(),
        }
    }

    /// Whether it is named as the roles of permission sets are.
    pub fn has_name_of_permission_set(&self) -> bool {
        self.kind == Kind::Role && self.name.get(..PERMISSION_SET.len()).is_some_and(is_permission_set)
    }

    /// Whether it is a role that IAM Identity Center has made for a permission set. At that path only AWS
    /// makes and changes roles.
    pub fn is_of_permission_set(&self) -> bool {
        let region = self.path.strip_prefix(PERMISSION_SETS).map(|region| region.trim_end_matches('/'));
        let is_region = |region: &str| region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        self.kind == Kind::Role && self.name.starts_with(PERMISSION_SET) && region.is_some_and(is_region)
    }

    /// Whether this, as it is listed, is what has signed. The path of a session's role is not known, and the
    /// name needs none.
    pub fn is_signer(&self, signer: &SignerArn) -> bool {
        match signer {
            SignerArn::User(user) => self == user,
            SignerArn::Session { role, .. } => *role == Self { path: "/".to_owned(), ..self.clone() },
        }
    }
}

fn is_permission_set(prefix: &str) -> bool {
    prefix.eq_ignore_ascii_case(PERMISSION_SET)
}

impl SignerArn {
    /// Reads the ARN of who has signed a call.
    ///
    /// # Errors
    /// When it is neither a user nor a session of a role.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        Parts::read(text)?.signer()
    }

    /// The user, or the role as if it had no path.
    pub fn principal(&self) -> &PrincipalArn {
        match self {
            Self::User(user) => user,
            Self::Session { role, .. } => role,
        }
    }

    /// The account of the user or role.
    pub fn account(&self) -> &str {
        &self.principal().account
    }
}

impl fmt::Display for PrincipalArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, account, kind, path, name } = self;
        let kind = match kind {
            Kind::Role => "role",
            Kind::User => "user",
        };
        write!(f, "arn:{partition}:iam::{account}:{kind}{path}{name}")
    }
}

impl fmt::Display for SignerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Session { role: PrincipalArn { partition, account, name, .. }, session } => {
                write!(f, "arn:{partition}:sts::{account}:assumed-role/{name}/{session}")
            }
        }
    }
}
