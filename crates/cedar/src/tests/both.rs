//! Every question of these tests is put to Cedar and to us.

use super::*;

/// The same policies, read by Cedar and by us. Each question is put to both, and they have to agree.
#[derive(Debug)]
pub(super) struct Both {
    cedar: CedarPolicies,
    /// What Cedar refuses by the schema may be refused earlier here.
    ours: Result<Access, InvalidAccess>,
}

impl Both {
    /// What Cedar refuses is refused here; the message is Cedar's.
    pub(super) fn parse(
        file: &str,
        text: &str,
        groups: &BTreeSet<String>,
        time_zone: &str,
    ) -> Result<Self, InvalidAccess> {
        let cedar = CedarPolicies::parse(file, text, groups, time_zone);
        let ours = Access::parse(file, text, groups, time_zone);
        assert!(cedar.is_ok() || ours.is_err(), "read here alone: {ours:?}\n{text}");
        Ok(Self { cedar: cedar?, ours })
    }

    fn ours(&self) -> &Access {
        self.ours.as_ref().unwrap_or_else(|refused| panic!("{refused}"))
    }

    pub(super) fn validate(&self) -> Result<Vec<Warning>, InvalidAccess> {
        let found = self.cedar.validate();
        let ours = self.ours.as_ref().map_err(Clone::clone).and_then(Access::check);
        assert_eq!(found.is_ok(), ours.is_ok(), "{found:?}\n{ours:?}");
        found
    }

    pub(super) fn lint(&self, now: Timestamp) -> Vec<Warning> {
        self.cedar.lint(now)
    }

    pub(super) fn conforms(&self, access_request: &AccessRequest<'_>) -> Result<(), String> {
        self.cedar.conforms(access_request)
    }
}

impl Authorizer for Both {
    fn answer(&self, access_request: &AccessRequest<'_>) -> AccessDecision {
        let answer = self.ours().answer(access_request);
        assert_eq!(answer, self.cedar.answer(access_request), "{access_request:?}\n{:?}", self.ours);
        answer
    }

    fn tells_requests_apart(&self, action: Action) -> bool {
        self.ours().tells_requests_apart(action)
    }

    fn turns_on(&self, action: Action, part: RequestAttribute) -> bool {
        self.ours().turns_on(action, part)
    }

    fn denies_whatever(&self, access_request: &AccessRequest<'_>, open: &[RequestAttribute]) -> bool {
        self.ours().denies_whatever(access_request, open)
    }

    fn named_people(&self) -> Vec<Reference> {
        self.ours().named_people()
    }

    fn named_operations(&self) -> Vec<Reference> {
        self.ours().named_operations()
    }

    fn names_group(&self, group: &str) -> bool {
        self.ours().names_group(group)
    }

    fn moments(&self, actions: &[Action], from: Timestamp) -> Option<Vec<Timestamp>> {
        self.ours().moments(actions, from)
    }

    fn costs(&self) -> Vec<Cost> {
        self.ours().costs()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.ours().addresses()
    }
}
