//! What evidence does not prove, in words for auditors.

use super::verification::Verified;

/// What no evidence proves.
const ALWAYS: [&str; 6] = [
    "that the keys are the deployment's: compare them with a copy that came by another way",
    "that the identity provider was honest, that a person has kept their device to themselves, or that an event without \
     `auth` was made by who is named",
    "that the clock of the deployment was right",
    "that what was done is what was approved, or that nothing was done without a request: the result is what the executor \
     has reported",
    "that nothing has happened to the request since: it is as of the time above",
    "that everybody is shown the same log: a monitor that keeps checkpoints shows that",
];

impl Verified {
    /// What is not proved, a sentence each; first what is missing in this evidence.
    #[must_use]
    pub fn not_proved(&self) -> Vec<String> {
        let mut limits = Vec::new();
        for sequence in &self.pending {
            limits.push(format!("that event {sequence} is in the log: it waits for it (pending_inclusion)"));
        }
        if self.document.redacted {
            limits.push(
                "what the parameters, the target and the result are: they are left out. Their digests are of one value \
                 only, but few or short parameters can be guessed from theirs"
                    .to_owned(),
            );
        }
        for (sequence, member) in &self.hidden {
            limits.push(format!("what the text of {member} in event {sequence} is: it is not shown"));
        }
        for policy in self.document.policies.iter().filter(|policy| policy.files.is_none()) {
            limits.push(format!("what policy {} says: its files are not shown", policy.version));
        }
        if self.document.permit.is_none() && self.document.request.state.contains_key("execution") {
            limits.push("what the permit of the execution was: it is not shown".to_owned());
        }
        limits.extend(ALWAYS.map(str::to_owned));
        limits
    }
}
