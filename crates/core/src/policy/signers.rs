//! For whom roles and users of AWS sign, as `people.toml` lists them: each for one service, or a role of IAM
//! Identity Center for the person who is the session's name.

use crate::arn::{MAX_NAME, PrincipalArn, SignerArn, UniqueName};
use crate::caller::{Authentication, Caller, Channel, PrincipalKind};
use crate::person::PersonId;
use crate::policy::mistake::Mistake;
use crate::policy::source::Value;
use crate::refusal::Refusal;
use std::collections::{BTreeMap, BTreeSet};

/// The name of IAM where a token has that of its issuer. No issuer has it: theirs are URLs.
pub const IAM_ISSUER: &str = "iam.amazonaws.com";

/// All roles and users that are listed.
#[derive(Debug, Clone, Default)]
pub(super) struct Signers(BTreeMap<UniqueName, Signer>);

#[derive(Debug, Clone)]
struct Signer {
    arn: PrincipalArn,
    signs_for: SignsFor,
    /// The groups of the caller: AWS says none.
    groups: BTreeSet<String>,
}

/// Whose calls a role or user signs.
#[derive(Debug, Clone)]
pub(super) enum SignsFor {
    /// Those of a service.
    Service(PersonId),
    /// Those of the person who is the name of the session, if the role has this id. Its name can be that of another
    /// role once it is deleted, and the session of such a role has the name that its maker chooses.
    PersonOfSession(String),
}

impl Signers {
    /// Notes one.
    ///
    /// # Errors
    /// When it is none that can sign for them, or is noted already.
    pub(super) fn add(
        &mut self,
        at: Value<'_>,
        signs_for: SignsFor,
        groups: BTreeSet<String>,
    ) -> Result<(), Mistake> {
        let arn = PrincipalArn::parse(at.text.get_ref()).map_err(|error| at.refused(error))?;
        match &signs_for {
            SignsFor::Service(_) if arn.has_name_of_permission_set() => {
                let rule = "is a role of IAM Identity Center, which is many people's: list it under `identity_center`";
                return Err(at.refused(rule));
            }
            SignsFor::PersonOfSession(_) if !arn.is_of_permission_set() => {
                let rule = "is no role of IAM Identity Center, such as arn:aws:iam::123456789012:role/aws-reserved/\
                            sso.amazonaws.com/eu-central-1/AWSReservedSSO_Approver_0123456789abcdef: of any other \
                            role the caller may choose the name of the session";
                return Err(at.refused(rule));
            }
            SignsFor::Service(_) | SignsFor::PersonOfSession(_) => {}
        }
        let signer = Signer { arn, signs_for, groups };
        match self.0.insert(signer.arn.unique_name(), signer) {
            None => Ok(()),
            Some(other) => Err(at.refused(format!(
                "is listed already, as `{}`: a name is one role's or user's in its account, whatever path and \
                 capitals it is written with",
                other.arn
            ))),
        }
    }

    /// The caller for whom one has signed.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] where none is listed whom it signs for.
    pub(super) fn caller(&self, signer: &SignerArn, unique_id: &str) -> Result<Caller, Refusal> {
        let principal = signer.principal();
        let listed = self.0.get(&principal.unique_name());
        let Some(listed) = listed.filter(|listed| listed.arn.is_signer(signer)) else {
            let place = match principal.has_name_of_permission_set() {
                true => "under `identity_center`, with the path of the role",
                false => "under the `arns` of a service, with its path if it has one",
            };
            let reason = format!("`{principal}` is not listed in people.toml; an operator lists it {place}");
            return Err(Refusal::not_permitted(reason));
        };
        let (person, kind) = match (&listed.signs_for, signer) {
            (SignsFor::Service(service), _) => (service.clone(), PrincipalKind::Service),
            (SignsFor::PersonOfSession(role_id), SignerArn::Session { session, .. }) => {
                if unique_id.split_once(':').is_none_or(|(role, _)| role != role_id) {
                    return Err(Refusal::not_permitted(format!(
                        "the role `{principal}` has another id than people.toml says: it was deleted and made again, \
                         and an operator lists it anew once it is known who made it"
                    )));
                }
                (person_of(session)?, PrincipalKind::Human)
            }
            (SignsFor::PersonOfSession(_), SignerArn::User(_)) => {
                return Err(Refusal::not_permitted("a user of IAM signs for no person"));
            }
        };
        let authentication =
            Authentication { issuer: IAM_ISSUER.to_owned(), subject: signer.to_string(), at: None };
        let groups = listed.groups.iter().map(String::as_str);
        let caller = Caller::new(person, kind, Channel::Api, groups);
        Ok(Caller { authentication: Some(authentication), ..caller })
    }
}

/// Whether a text is the id of a role
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes>).
pub(super) fn is_role_id(text: &str) -> bool {
    text.strip_prefix("AROA").is_some_and(|rest| {
        (1..=124).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

/// The person whose user name in IAM Identity Center is the name of the session.
fn person_of(session: &str) -> Result<PersonId, Refusal> {
    // A name of the greatest length may be the beginning of a longer one.
    match PersonId::from_email(session) {
        Ok(person) if session.len() < MAX_NAME => Ok(person),
        Ok(_) | Err(_) => Err(Refusal::not_permitted(format!(
            "the name of the session, `{session}`, must be an e-mail address of less than {MAX_NAME} characters: it \
             is the user name in IAM Identity Center, which says who calls"
        ))),
    }
}
